"""Measure what `semantic_dedup` removes in addition to `near_dedup`, and what it costs.

    python -m benchmarks.semantic FOLDER [--threshold 0.95 0.9 …] [--near 0.8]
    python -m benchmarks.semantic --topic 10000 100000 [--different 1 100000] [--cosine 0.9]

FOLDER has Parquet files with the string columns `id` and `text`. Documents are first compared by `near_dedup`, then by
`semantic_dedup` with vectors of words, once for each threshold. *by_kind* counts the removed documents by the column
`kind`, if the files have it. *below_half* counts those that share less than half of their word 5-grams with the
document that is kept for them (Jaccard similarity), and *examples* are such pairs, the least similar one first.

With ``--topic``, each corpus has as many documents with embeddings of 64 dimensions about one topic: any two of the
*different* ones have about the *cosine*, and the others are near copies of one of them (cosine 0.99). Documents of one
topic share many buckets, so that this is the expensive case.

The script prints JSON. CPU is that of all steps of a stage, in this process: one worker. *peak_mb* includes the
130 MB of an interpreter with pyarrow and numpy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.near_dedup import DOCUMENT, Costs, ReadDocuments
from corpusmill.pipelines.engines.base import Batches, Function, Scan
from corpusmill.pipelines.engines.driver import run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.engines.store import TaskStore
from corpusmill.pipelines.engines.tables import read_table
from corpusmill.pipelines.stages.base import Documents, Stage
from corpusmill.pipelines.stages.dedup import stars
from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.pipelines.stages.dedup.semantic.stage import RULE, SemanticDedup
from corpusmill.pipelines.stages.dedup.shingles import shingle_sets
from corpusmill.schemas.identity import document_id

NAME: Final = "semantic_dedup"
EXAMPLES: Final = 5
EXAMPLE_CHARACTERS: Final = 160
DIMENSIONS: Final = 64
TASK_DOCUMENTS: Final = 10_000
EMBEDDED: Final = pa.schema([*DOCUMENT, ("vector", pa.list_(pa.float32()))])
COLUMNS: Final = ("id", "native", "text", "stage", "rule", "value", "duplicate_of")


def compare(stages: tuple[tuple[str, Stage], ...], files: list[Path]) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return the documents of *files* after *stages*, and the CPU seconds of each step."""
    steps: list[Any] = [Scan(name="documents", function=ReadDocuments(), schema=DOCUMENT)]
    state, schema = "documents", DOCUMENT
    for name, stage in stages:
        steps += stage.steps(name, Documents(state, schema))
        state, schema = name, pa.schema([*DOCUMENT, *stars.CLUSTER])
    table, cpu_s = run_steps(Plan(tuple(steps), {"documents": scan_tasks([{"path": str(f)} for f in files])}), state)
    return table.to_pylist(), cpu_s


def scan_tasks(rows: list[dict[str, Any]]) -> list[ScanTask]:
    """Return one task for each of *rows*."""
    return [ScanTask((row,), number) for number, row in enumerate(rows)]


def run_steps(plan: Plan, state: str) -> tuple[pa.Table, dict[str, float]]:
    """Return the documents after the step *state*, and the CPU seconds of each step."""
    with tempfile.TemporaryDirectory() as work, LocalEngine(0) as engine:
        costs = Costs()
        finished = run_plan(plan, TaskStore(Path(work)), engine, observer=costs)
        table = pa.Table.from_batches(list(read_table(plan, finished, TaskStore(Path(work)), state, COLUMNS)))
    return table, costs.cpu_s


def measured(folder: Path, *, near: float, threshold: float) -> dict[str, Any]:
    """Return what the stage removes of the documents of *folder* at *threshold*, and its CPU seconds."""
    files = sorted(folder.glob("*.parquet"))
    stages = (("near_dedup", NearDedup(threshold=near)), (NAME, SemanticDedup.model_validate({"threshold": threshold})))
    rows, cpu_s = compare(stages, files)
    own = {name.removeprefix(f"{NAME}."): value for name, value in cpu_s.items() if name.startswith(NAME)}
    by_id = {row["id"]: row for row in rows}
    removed = sorted((row for row in rows if row["rule"] == RULE), key=lambda row: (row["value"], row["id"]))
    kinds = kinds_of(files)
    similarities = jaccard([(row["text"], by_id[row["duplicate_of"]]["text"]) for row in removed])
    ordered = [removed[place] for place in np.argsort(similarities, kind="stable")]
    return {
        "threshold": threshold,
        "documents": len(rows),
        "removed_by_near_dedup": sum(row["stage"] == "near_dedup" for row in rows),
        "removed": len(removed),
        "by_kind": Counter(kinds.get(row["native"], "unknown") for row in removed),
        "below_half": sum(value < 0.5 for value in similarities),
        "cpu_s": round(sum(own.values()), 1),
        "us_per_document": round(1e6 * sum(own.values()) / len(rows)),
        "examples": [example(row, by_id[row["duplicate_of"]]) for row in ordered[::20][:EXAMPLES]],
    }


def jaccard(pairs: list[tuple[str, str]]) -> list[float]:
    """Return the Jaccard similarity of the word 5-grams of each pair of texts."""
    sets = shingle_sets([text for pair in pairs for text in pair], ngram=5)
    parts = np.split(sets.values, np.cumsum(sets.counts_D)[:-1])
    both = [len(np.intersect1d(one, other)) for one, other in zip(parts[::2], parts[1::2], strict=True)]
    sizes = sets.counts_D.reshape(-1, 2).sum(axis=1).tolist()
    return [shared / (size - shared) for shared, size in zip(both, sizes, strict=True)]


def kinds_of(files: list[Path]) -> dict[str, str]:
    """Return the column `kind` of *files* by name, if they have it."""
    tables = [pq.read_table(file, columns=["id", "kind"]) for file in files if "kind" in pq.read_schema(file).names]
    return {row["id"]: row["kind"] for table in tables for row in table.to_pylist()}


def example(removed: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """Return the beginning of two texts and their cosine."""
    texts = {name: row["text"][:EXAMPLE_CHARACTERS] for name, row in (("removed", removed), ("kept", kept))}
    return {"cosine": round(removed["value"], 4), **texts}


class MakeTopic(Function):
    """Makes documents with embeddings."""

    cosine: float

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows with the first document, the number of documents, and that of directions."""
        return lambda batches: (topic(**row, cosine=self.cosine) for batch in batches for row in batch.to_pylist())


def topic(*, first: int, documents: int, different: int, cosine: float) -> pa.RecordBatch:
    """Return *documents* documents, of which each *different*-th is a near copy of the same vector."""
    numbers = np.arange(first, first + documents)
    own = np.stack([np.random.default_rng(number).normal(size=DIMENSIONS) for number in numbers % different])
    noise = np.random.default_rng([first, 1]).normal(size=own.shape)
    center = np.random.default_rng(0).normal(size=DIMENSIONS)
    vectors = np.sqrt(cosine) * center + np.sqrt(1 - cosine) * (own + 0.3 * noise)
    offsets = pa.array(np.arange(documents + 1) * DIMENSIONS, pa.int32())
    columns = {
        "id": pa.array([document_id("topic", str(number)) for number in numbers]),
        "native": pa.array(numbers).cast(pa.string()),
        "text_bytes": pa.array(np.ones(documents, np.int64)),
        "vector": pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel().astype(np.float32))),
    }
    absent = [columns.get(field.name, pa.nulls(documents, field.type)) for field in EMBEDDED]
    return pa.RecordBatch.from_arrays(absent, schema=EMBEDDED)


def measured_topic(documents: int, *, different: int, cosine: float) -> dict[str, Any]:
    """Return the costs of comparing *documents* documents about one topic."""
    stage = SemanticDedup(column="vector")
    starts = range(0, documents, TASK_DOCUMENTS)
    rows = [
        {"first": start, "documents": min(TASK_DOCUMENTS, documents - start), "different": min(different, documents)}
        for start in starts
    ]
    scan = Scan(name="documents", function=MakeTopic(cosine=cosine), schema=EMBEDDED)
    plan = Plan((scan, *stage.steps(NAME, Documents("documents", EMBEDDED))), {"documents": scan_tasks(rows)})
    table, cpu_s = run_steps(plan, NAME)
    own = {name: value for name, value in cpu_s.items() if name != "documents"}
    return {
        "documents": documents,
        "different": different,
        "cosine": cosine,
        "removed": len(table["rule"].drop_null()),
        "cpu_s": round(sum(own.values()), 1),
        "steps_over_a_tenth": {name: value for name, value in own.items() if value > sum(own.values()) / 10},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--threshold", type=float, nargs="+", default=[0.95])
    parser.add_argument("--near", type=float, default=0.8)
    parser.add_argument("--topic", type=int, nargs="+", default=[])
    parser.add_argument("--different", type=int, nargs="+", default=[1])
    parser.add_argument("--cosine", type=float, default=0.9)
    options = parser.parse_args()
    thresholds = options.threshold if options.folder is not None else []
    topics = [(documents, different) for documents in options.topic for different in options.different]
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "pyarrow": pa.__version__},
        "runs": [measured(options.folder, near=options.near, threshold=value) for value in thresholds],
        "topics": [measured_topic(one, different=other, cosine=options.cosine) for one, other in topics],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
