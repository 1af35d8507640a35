"""Evaluation sets for tests, and the stage on documents, in memory."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusmill.pipelines.engines.base import with_columns_of
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.context import TaskContext, running
from corpusmill.pipelines.planning.contents import contents_of
from corpusmill.pipelines.stages.apply import Apply
from corpusmill.pipelines.stages.decontaminate.index import Entry, Index, Sizes
from corpusmill.pipelines.stages.decontaminate.overlaps import Overlap, overlap
from corpusmill.pipelines.stages.decontaminate.stage import Decontaminate
from corpusmill.schemas.storage import open_store
from tests.pipelines.stages.captures import captures

SIZES = Sizes(ngram=13, short=8, least=5)
VOCABULARY = tuple(f"{first}{last}" for first in "abcdefghij" for last in ("ra", "tum", "lo", "né", "ß", "σ", "1"))


def phrase(chance: random.Random, count: int, vocabulary: Sequence[str] = VOCABULARY) -> str:
    """Return *count* words."""
    return " ".join(chance.choices(vocabulary, k=count))


def index_of(*texts: str, sizes: Sizes = SIZES) -> Index:
    """Return the index of *texts*, each a record of one file."""
    return Index((Entry("eval.jsonl", number, "text", text) for number, text in enumerate(texts, start=1)), sizes)


def overlaps(index: Index, *documents: str, min_coverage: float = 0.5) -> dict[int, Overlap]:
    """Return what each of *documents* shares with *index*, by its number, if it shares anything."""
    found = index.candidates(pa.array(documents, pa.string()))
    return {row: overlap(index, documents[row], hits, min_coverage=min_coverage) for row, hits in found}


def texts_in(index: Index, document: str, **options: Any) -> dict[int, float]:
    """Return the coverage of the evaluation texts that *document* contains, by their record."""
    shared = overlaps(index, document, **options).get(0)
    if shared is None:
        return {}
    return {
        index.entries[text].record: share
        for text, share in zip(shared.texts.texts.tolist(), shared.texts.shares.tolist(), strict=True)
    }


def write_lines(path: Path, records: Iterable[Any]) -> Path:
    """Write *records* as JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records))
    return path


@dataclass
class Applied:
    """What the stage wrote: the columns of the documents, the rows of hits and of masked spans, and the counters."""

    rows: list[dict[str, Any]]
    hits: list[dict[str, Any]]
    cuts: list[dict[str, Any]]
    counters: dict[str, int]


def applied(stage: Decontaminate, folder: Path, documents: Sequence[str], *, batch_rows: int = 1000) -> Applied:
    """Apply *stage*, whose files are in *folder*, to *documents*."""
    contents = contents_of("decontaminate", stage, base=folder)
    context = TaskContext(open_store(folder), "trial", partition=0, contents=contents)
    sides: dict[str, list[pa.RecordBatch]] = {name: [] for name in stage.sides()}
    context.sides = {name: batches.append for name, batches in sides.items()}
    function = Apply.of("decontaminate", stage).build()
    with running(context):
        results = [
            with_columns_of(batch, function(batch)) for batch in bounded([captures(documents)], max_rows=batch_rows)
        ]
    rows = [row for batch in results for row in batch.to_pylist()]
    hits, cuts = ([row for batch in sides.get(name, ()) for row in batch.to_pylist()] for name in ("hits", "cuts"))
    return Applied(rows, hits, cuts, dict(context.counters))
