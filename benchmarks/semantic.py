"""Measure what `semantic_dedup` removes in addition to `near_dedup`, and what it costs.

    python -m benchmarks.semantic FOLDER [--threshold 0.95 0.9 …] [--near 0.8]
    python -m benchmarks.semantic --crowd 10000 100000 [--kept 1000]

FOLDER has Parquet files with the string columns `id` and `text`. Documents are first compared by `near_dedup`, then by
`semantic_dedup` with vectors of words, once for each threshold. *by_kind* counts the removed documents by the column
`kind`, if the files have it. *examples* are pairs of a removed document and the one that is kept for it.

With ``--crowd``, each corpus has as many documents of ten components that all lie in one direction (cosine above
0.999), around *kept* vectors, and a threshold of which no random hyperplane separates them: one crowded bucket.

The script prints JSON. CPU is that of all steps of a stage, in this process: one worker.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.near_dedup import DOCUMENT, Costs, ReadDocuments
from corpusmill.pipelines.engines.base import Scan
from corpusmill.pipelines.engines.driver import run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.engines.store import TaskStore
from corpusmill.pipelines.engines.tables import read_table
from corpusmill.pipelines.stages.base import Documents, Stage
from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.pipelines.stages.dedup.semantic.stage import RULE, SemanticDedup

NAME: Final = "semantic_dedup"
EXAMPLE_CHARACTERS: Final = 160
COLUMNS: Final = ("id", "native", "text", "stage", "rule", "value", "duplicate_of")


def compare(plan_of: tuple[tuple[str, Stage], ...], files: list[Path]) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return the documents of *files* after stages, and the CPU seconds of each step."""
    tasks = [ScanTask(({"path": str(file)},), file.name) for file in files]
    steps: list[Any] = [Scan(name="documents", function=ReadDocuments(), schema=DOCUMENT)]
    state, schema = "documents", DOCUMENT
    for name, stage in plan_of:
        steps += stage.steps(name, Documents(state, schema))
        state = name
        schema = pa.schema([*DOCUMENT, ("cluster_id", pa.string()), ("cluster_size", pa.int64())])
    plan = Plan(tuple(steps), {"documents": tasks})
    with tempfile.TemporaryDirectory() as work, LocalEngine(0) as engine:
        costs = Costs()
        finished = run_plan(plan, TaskStore(Path(work)), engine, observer=costs)
        rows = pa.Table.from_batches(list(read_table(plan, finished, TaskStore(Path(work)), state, COLUMNS)))
    return rows.to_pylist(), costs.cpu_s


def measured(folder: Path, *, near: float, threshold: float) -> dict[str, Any]:
    """Return what the stage removes of the documents of *folder* at *threshold*, and its CPU seconds."""
    files = sorted(folder.glob("*.parquet"))
    stages = (("near_dedup", NearDedup(threshold=near)), (NAME, SemanticDedup.model_validate({"threshold": threshold})))
    rows, cpu_s = compare(stages, files)
    own = {name.removeprefix(f"{NAME}."): value for name, value in cpu_s.items() if name.startswith(NAME)}
    by_id = {row["id"]: row for row in rows}
    removed = sorted((row for row in rows if row["rule"] == RULE), key=lambda row: (row["value"], row["id"]))
    kinds = kinds_of(files)
    return {
        "threshold": threshold,
        "documents": len(rows),
        "removed_by_near_dedup": sum(row["stage"] == "near_dedup" for row in rows),
        "removed": len(removed),
        "by_kind": Counter(kinds.get(row["native"], "unknown") for row in removed),
        "cpu_s": own,
        "us_per_document": round(1e6 * sum(own.values()) / len(rows)),
        "examples": [example(row, by_id[row["duplicate_of"]]) for row in removed[:: max(1, len(removed) // 4)][:5]],
    }


def kinds_of(files: list[Path]) -> dict[str, str]:
    """Return the column `kind` of *files* by name, if they have it."""
    tables = [pq.read_table(file, columns=["id", "kind"]) for file in files if "kind" in pq.read_schema(file).names]
    return {row["id"]: row["kind"] for table in tables for row in table.to_pylist()}


def example(removed: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """Return the beginning of two texts and their cosine."""
    texts = {name: row["text"][:EXAMPLE_CHARACTERS] for name, row in (("removed", removed), ("kept", kept))}
    return {"cosine": round(removed["value"], 4), **texts}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threshold", type=float, nargs="+", default=[0.95])
    parser.add_argument("--near", type=float, default=0.8)
    options = parser.parse_args()
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "pyarrow": pa.__version__},
        "runs": [measured(options.folder, near=options.near, threshold=value) for value in options.threshold],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
