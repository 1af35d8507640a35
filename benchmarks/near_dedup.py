"""Measure near-duplicate removal alone: documents per CPU second, and recall of the true pairs.

    python benchmarks/near_dedup.py FOLDER [--pairs PAIRS.parquet] [--threshold 0.8] [--removed FILE]
        [--workers 0] [--memory 500MB]

FOLDER has Parquet files with the string columns `id` and `text`. PAIRS has the columns `a`, `b` (ids) and `j` (exact
Jaccard similarity over word 5-grams). The stage runs on the local engine, in this process unless there are workers;
reading the files is included.

The script prints JSON. *recall@t* is the share of pairs with j >= t of which at least one document was removed. *wrong*
counts removed documents that are not similar to any document at the threshold, *orphans* removed documents that are not
similar to any kept document.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.pipelines.engines.base import Batches, Function, Scan
from corpusmill.pipelines.engines.driver import Silent, run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.engines.store import StepResult, TaskStore
from corpusmill.pipelines.engines.tables import read_table
from corpusmill.pipelines.stages.apply import text_bytes
from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.schemas.document import VERDICT
from corpusmill.schemas.identity import document_id

READ_ROWS: Final = 1_000
DOCUMENT: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("native", pa.string()),
        pa.field("text", pa.string()),
        pa.field("text_bytes", pa.int64()),
        pa.field("fetched_at", pa.timestamp("us", "UTC")),
        *VERDICT,
    ]
)


class Removal(NamedTuple):
    """The kept document for each removed one, by their names in the files, and the CPU seconds of each step."""

    kept_of: dict[str, str]
    least_similarity: float | None
    documents: int
    cpu_s: dict[str, float]


class ReadDocuments(Function):
    """Reads documents as captures of one source without a date, so that ids alone determine the priority."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (
            documents for batch in batches for path in batch["path"].to_pylist() for documents in read_documents(path)
        )


def read_documents(path: str) -> Iterator[pa.RecordBatch]:
    """Yield the documents of one file."""
    for batch in pq.ParquetFile(path).iter_batches(batch_size=READ_ROWS, columns=["id", "text"]):
        native = batch["id"].to_pylist()
        columns = {
            "id": pa.array([document_id("benchmark", name) for name in native]),
            "native": batch["id"],
            "text": batch["text"],
            "text_bytes": text_bytes(batch["text"]),
        }
        absent = [columns.get(field.name, pa.nulls(len(native), field.type)) for field in DOCUMENT]
        yield pa.RecordBatch.from_arrays(absent, schema=DOCUMENT)


def remove_near(folder: Path, stage: NearDedup, *, workers: int = 0, memory_bytes: int | None = None) -> Removal:
    """Return the near duplicates among the documents of *folder*."""
    files = sorted(folder.glob("*.parquet"))
    tasks = [ScanTask(({"path": str(file)},), file.name) for file in files]
    steps = stage.steps("near_dedup", Documents("documents", DOCUMENT))
    plan = Plan((Scan(name="documents", function=ReadDocuments(), schema=DOCUMENT), *steps), {"documents": tasks})
    with tempfile.TemporaryDirectory() as work, LocalEngine(workers, memory_bytes=memory_bytes) as engine:
        store = TaskStore(Path(work), is_compressed=False)
        watch = Costs()
        finished = run_plan(plan, store, engine, observer=watch)
        columns = ("id", "native", "rule", "value", "duplicate_of")
        rows = pa.Table.from_batches(list(read_table(plan, finished, store, "near_dedup", columns)))
    names = dict(zip(rows["id"].to_pylist(), rows["native"].to_pylist(), strict=True))
    removed = rows.filter(rows["rule"].is_valid()).to_pylist()
    kept_of = {row["native"]: names[row["duplicate_of"]] for row in removed}
    return Removal(kept_of, min((row["value"] for row in removed), default=None), rows.num_rows, watch.cpu_s)


class Costs(Silent):
    """Adds up the CPU seconds of each step."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}

    def step_done(self, done: StepResult) -> None:
        """Add the costs of a step."""
        spent = done.moved_cpu_s + sum(task.cpu_s for task in done.tasks)
        self.cpu_s[done.name.removeprefix("near_dedup.")] = round(spent, 3)


def scores(removed: Set[str], pairs: pa.Table, *, threshold: float) -> dict[str, Any]:
    """Compare the names of the documents *removed* with the true *pairs*.

    >>> pairs = pa.table({"a": ["x", "y"], "b": ["y", "z"], "j": [0.85, 0.95]})
    >>> scores({"y", "z"}, pairs, threshold=0.8)
    {'wrong': 0, 'orphans': 1, 'recall@0.8': 1.0, 'recall@0.9': 1.0}
    """
    a, b, j = (pairs[name].to_pylist() for name in ("a", "b", "j"))
    near = [(one, other) for one, other, value in zip(a, b, j, strict=True) if value >= threshold - 1e-6]
    any_near = {name for pair in near for name in pair}
    kept_near = {one for one, other in near if other not in removed} | {
        other for one, other in near if one not in removed
    }
    result: dict[str, Any] = {
        "wrong": len(removed - any_near),
        "orphans": len(removed - kept_near),
    }
    for bound in (0.8, 0.9):
        is_removed = [
            one in removed or other in removed for one, other, value in zip(a, b, j, strict=True) if value >= bound
        ]
        result[f"recall@{bound}"] = round(sum(is_removed) / max(1, len(is_removed)), 5)
    return result


def dedup(folder: str, _work: str, mode: str, opt: dict[str, str]) -> tuple[Any, dict[str, tuple[None, float]]]:
    """Return the removed ids for a benchmark that compares engines."""
    assert mode == "dedup", "this engine signs and removes in one run"
    stage = NearDedup.model_validate({"threshold": float(opt.get("threshold", 0.8))})
    memory = int(opt["memory_mb"]) * 1_000_000 if "memory_mb" in opt else None
    removal = remove_near(Path(folder), stage, workers=int(opt.get("workers", 0)), memory_bytes=memory)
    return sorted(removal.kept_of), {name: (None, seconds) for name, seconds in removal.cpu_s.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--removed", type=Path, metavar="FILE", help="Write the names of the removed documents here.")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--memory-mb", type=int)
    options = parser.parse_args()
    stage = NearDedup.model_validate({"threshold": options.threshold})
    memory = None if options.memory_mb is None else options.memory_mb * 1_000_000
    removal = remove_near(options.folder, stage, workers=options.workers, memory_bytes=memory)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    spent = time.process_time() + usage[1].ru_utime + usage[1].ru_stime
    versions = {"python": platform.python_version(), "numpy": np.__version__, "pyarrow": pa.__version__}
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions,
        "stage": stage.model_dump(),
        "documents": removal.documents,
        "removed": len(removal.kept_of),
        "least_similarity": removal.least_similarity,
        "cpu_s": removal.cpu_s | {"in all": round(spent, 3)},
        "documents_per_cpu_s": round(removal.documents / spent),
        "peak_mb": [one.ru_maxrss // 1024 for one in usage],
    }
    if options.removed is not None:
        options.removed.write_text(json.dumps(sorted(removal.kept_of)))
    if options.pairs is not None:
        result |= scores(removal.kept_of.keys(), pq.read_table(options.pairs), threshold=options.threshold)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
