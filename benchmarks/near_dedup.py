"""Near-duplicate removal, the stage alone: documents per CPU second, and what it finds of the true pairs.

    python benchmarks/near_dedup.py FOLDER [--pairs PAIRS.parquet] [--threshold 0.8]

FOLDER has Parquet files with the string columns `id` and `text`. PAIRS has the columns `a`, `b` (ids) and `j` (exact
Jaccard similarity over word 5-grams). The stage's functions run in one process, on rows sorted in memory, without an
engine, after signatures that no other document shares have been dropped.

It prints, as JSON: *recall@t*, the share of the pairs with j >= t that do not both stay; *wrong*, removed documents
without any document at the threshold; *orphans*, removed documents without a kept one there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.pipelines.stages.dedup import candidates, greedy
from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.pipelines.stages.dedup.priority import Keep
from corpusmill.pipelines.stages.identity import Fates
from corpusmill.schemas.identity import document_id

READ_ROWS = 1_000


class Removal(NamedTuple):
    """What was found: for each removed document the kept one, by their names in the files."""

    kept_of: dict[str, str]
    least_similarity: float | None
    documents: int


class Clock(dict[str, float]):
    """CPU seconds by part of the work."""

    def __init__(self) -> None:
        super().__init__()
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self[name] = round(self.get(name, 0.0) + now - self._last, 3)
        self._last = now


def documents(folder: Path) -> Iterator[pa.RecordBatch]:
    """Read documents as captures of one source without a date, so that the order of priority is that of ids."""
    for file in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(batch_size=READ_ROWS, columns=["id", "text"]):
            native = batch["id"].to_pylist()
            ids = pa.array([document_id("benchmark", name) for name in native])
            columns = {"id": ids, "record_sha256": ids, "text": batch["text"], "native": batch["id"]}
            empty = {
                "fetched_at": pa.nulls(len(ids), pa.timestamp("us", "UTC")),
                "rule": pa.nulls(len(ids), pa.string()),
            }
            yield pa.record_batch(columns | empty)


def remove_near(folder: Path, stage: NearDedup, clock: Clock) -> Removal:
    """Find the near duplicates among the documents of *folder*."""
    sign = candidates.Sign(ngram=stage.ngram, bands=stage.bands, rows=stage.rows).build()
    names: dict[str, str] = {}
    signed, fates = [], []
    for batch in documents(folder):
        names |= zip(batch["id"].to_pylist(), batch["native"].to_pylist(), strict=True)
        clock.lap("read")
        signed += sign(iter([batch]))
        clock.lap("sign")
        fates += Fates().build()(iter([batch]))
        clock.lap("fates")
    bands = list(candidates.Explode().build()(iter(signed)))
    flags = _sorted(bands, candidates.Flag().build(), candidates.BAND, ["band", "place"])
    clock.lap("buckets")
    rows = list(_gathered(flags, fates, signed, keep=stage.keep))
    order = ["place", "role", "id", "content_hash"]
    ordered = _sorted(rows, candidates.Gather().build(), candidates.GATHERED, order)
    clock.lap("candidates")
    stars = _sorted(ordered, greedy.Greedy(threshold=stage.threshold).build(), candidates.CANDIDATE, ["priority", "id"])
    clock.lap("greedy")
    removed = [row for batch in stars for row in batch.to_pylist() if row["similarity"] is not None]
    kept_of = {names[row["id"]]: names[row["kept"]] for row in removed}
    return Removal(kept_of, min((row["similarity"] for row in removed), default=None), len(names))


def _gathered(
    flags: list[pa.RecordBatch], fates: list[pa.RecordBatch], signed: list[pa.RecordBatch], *, keep: Keep
) -> Iterator[pa.RecordBatch]:
    yield from candidates.FlagRows().build()(iter(flags))
    places = np.unique(np.concatenate([np.empty(0, np.int64), *(np.asarray(batch["place"]) for batch in flags)]))
    for batch in itertools.chain(
        candidates.FateRows(keep=keep).build()(iter(fates)), candidates.SignatureRows().build()(iter(signed))
    ):
        yield batch.filter(pa.array(np.isin(np.asarray(batch["place"]), places)))


def _sorted(batches: list[pa.RecordBatch], function: Any, schema: pa.Schema, by: list[str]) -> list[pa.RecordBatch]:
    table = pa.Table.from_batches(batches, schema=schema).combine_chunks().sort_by([(name, "ascending") for name in by])
    return list(function(iter(table.to_batches(max_chunksize=8192))))


def scores(kept_of: dict[str, str], pairs: pa.Table, *, threshold: float) -> dict[str, Any]:
    """Compare what was removed with the true *pairs*."""
    a, b, j = (pairs[name].to_pylist() for name in ("a", "b", "j"))
    near = [(one, other) for one, other, value in zip(a, b, j, strict=True) if value >= threshold - 1e-6]
    any_near = {name for pair in near for name in pair}
    kept_near = {one for one, other in near if other not in kept_of} | {
        other for one, other in near if one not in kept_of
    }
    result: dict[str, Any] = {
        "wrong": len(kept_of.keys() - any_near),
        "orphans": len(kept_of.keys() - kept_near),
    }
    for bound in (0.8, 0.9):
        gone = [one in kept_of or other in kept_of for one, other, value in zip(a, b, j, strict=True) if value >= bound]
        result[f"recall@{bound}"] = round(sum(gone) / max(1, len(gone)), 5)
    return result


def dedup(folder: str, _work: str, mode: str, opt: dict[str, str]) -> tuple[Any, dict[str, tuple[None, float]]]:
    """Run as an engine of a comparing benchmark: give the removed ids (*mode* ``sign``: the documents signed)."""
    clock = Clock()
    if mode == "sign":
        stage = NearDedup()
        sign = candidates.Sign(ngram=stage.ngram, bands=stage.bands, rows=stage.rows).build()
        count = sum(batch.num_rows for batch in sign(documents(Path(folder))))
        clock.lap("sign")
        return count, {name: (None, seconds) for name, seconds in clock.items()}
    removal = remove_near(
        Path(folder), NearDedup.model_validate({"threshold": float(opt.get("threshold", 0.8))}), clock
    )
    return sorted(removal.kept_of), {name: (None, seconds) for name, seconds in clock.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--threshold", type=float, default=0.8)
    options = parser.parse_args()
    stage = NearDedup.model_validate({"threshold": options.threshold})
    clock = Clock()
    removal = remove_near(options.folder, stage, clock)
    versions = {"python": platform.python_version(), "numpy": np.__version__, "pyarrow": pa.__version__}
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions,
        "stage": stage.model_dump(),
        "documents": removal.documents,
        "removed": len(removal.kept_of),
        "least_similarity": removal.least_similarity,
        "cpu_s": clock,
        "documents_per_cpu_s": round(removal.documents / sum(clock.values())),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if options.pairs is not None:
        result |= scores(removal.kept_of, pq.read_table(options.pairs), threshold=options.threshold)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
