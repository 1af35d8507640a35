"""Files with near duplicates, and the output of a run over them."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.file_dedup.job import Job, Options, job_of
from corpusmill.pipelines.file_dedup.run import deduplicate
from corpusmill.pipelines.stages.dedup.near import RULE, NearDedup

Record = dict[str, Any]


def text(seed: int, *, words: int = 60, changed: int = 0) -> str:
    """Return a text of random words; its first *changed* words are others."""
    chance = random.Random(seed)
    made = [f"word{chance.randrange(5000)}" for _ in range(words)]
    return " ".join([*(f"other{seed}x{number}" for number in range(changed)), *made[changed:]])


def records(count: int = 30) -> list[Record]:
    """Return *count* records, of which each third is a near duplicate of the one before."""
    return [
        {"id": f"r{number:04}", "text": text(number - number % 3 // 2, changed=number % 3 // 2), "n": number}
        for number in range(count)
    ]


def removed_of(count: int = 30) -> set[str]:
    """Return the ids of those of `records` that a run removes."""
    return {f"r{number:04}" for number in range(count) if number % 3 == 2}


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema | None = None) -> Path:
    """Write *rows*, in row groups of four."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, row_group_size=4)
    return path


def write_lines(path: Path, rows: Sequence[Mapping[str, Any] | str]) -> Path:
    """Write *rows* as JSON Lines, compressed as the suffix says; a row that is a text is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows).encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    elif path.suffix == ".zst":
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def job(paths: Sequence[Path], *, against: Sequence[Path] = (), threshold: float = 0.8, **options: Any) -> Job:
    """Return the job for *paths*."""
    stage = NearDedup(threshold=threshold)
    return job_of(paths, against, Options(**options), stage=stage, rule=RULE, json_loader=LOADERS["jsonl"])


def run(paths: Sequence[Path], out: Path, *, batch_rows: int | None = None, **options: Any) -> dict[str, Any]:
    """Deduplicate *paths* in this process."""
    return deduplicate(job(paths, **options), out, LocalEngine(0), batch_rows=batch_rows)


def kept(out: Path) -> list[Record]:
    """Return the kept records."""
    return [row for file in sorted(out.glob("kept-*.parquet")) for row in pq.read_table(file).to_pylist()]


def ledger(out: Path) -> list[Record]:
    """Return the rows of the ledger."""
    return [row for file in sorted(out.glob("ledger-*.parquet")) for row in pq.read_table(file).to_pylist()]


def content(out: Path) -> dict[str, bytes]:
    """Return the bytes of each file of *out*, by name."""
    return {path.name: path.read_bytes() for path in out.iterdir()}
