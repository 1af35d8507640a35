"""Turn decided vertices into decisions about documents: a star around each kept document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Function
from corpusmill.pipelines.engines.runs import first_of_runs, with_first_of_run
from corpusmill.pipelines.stages.verdicts import DECISION, PLACE_FIELD

CLUSTER: Final = pa.schema([pa.field("cluster_id", pa.string()), pa.field("cluster_size", pa.int64())])
"""The star of a document: its kept document, and for this one the number of documents that it stands for."""
STAR: Final = pa.schema([*DECISION, *CLUSTER])
"""A decision about a candidate and its star. Kept documents without duplicates are not listed."""
ABOUT: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("vertex", "kind")),
        PLACE_FIELD,
        pa.field("id", pa.string(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in ("home", "text_bytes", "members", "rank", "kept")),
        pa.field("similarity", pa.float64()),
    ]
)
"""A decided vertex (kind 0), or a document that it stands for (kind 1)."""
RAY: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("kept", "is_removed")),
        PLACE_FIELD,
        *(ABOUT.field(name) for name in ("id", "text_bytes", "members", "similarity")),
    ]
)
"""A document, by its place among all, in the star of the kept vertex of rank `kept`."""


class VertexRows(Function):
    """Turns decided `VERTEX` rows into `ABOUT` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (
            _about(batch, kind=0, vertex=batch[PLACE], id=pa.repeat("", batch.num_rows)) for batch in batches
        )


class DocumentRows(Function):
    """Turns `COLLAPSED` rows into `ABOUT` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (_about(batch, kind=1) for batch in batches)


def _about(batch: pa.RecordBatch, *, kind: int, **columns: pa.Array) -> pa.RecordBatch:
    columns["kind"] = pa.repeat(pa.scalar(kind, pa.int64()), batch.num_rows)
    present = set(batch.schema.names)
    for field in ABOUT:
        if field.name not in columns:
            absent = (
                pa.repeat(pa.scalar(-1, pa.int64()), batch.num_rows)
                if not field.nullable
                else pa.nulls(batch.num_rows, field.type)
            )
            columns[field.name] = batch[field.name] if field.name in present else absent
    return pa.RecordBatch.from_arrays([columns[name] for name in ABOUT.names], schema=ABOUT)


class Join(Function):
    """Gives each document the decision of its vertex, as a `RAY` row."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `ABOUT` rows sorted by (`vertex`, `kind`, `PLACE`)."""

        def run(batches: Batches) -> Batches:
            for rows in with_first_of_run(batches, by=("vertex",), of=("rank", "kept", "similarity")):
                yield rays(rows.batch, rows.first)

        return run


def rays(batch: pa.RecordBatch, decisions: pa.RecordBatch) -> pa.RecordBatch:
    """Return the documents of *batch* with the *decisions* of their vertices.

    A document is exactly as similar to the kept one as its vertex. If this is the kept one, they are equal.
    """
    is_vertex = np.asarray(batch["vertex"]) == np.asarray(batch[PLACE])
    is_kept = np.asarray(decisions["kept"]) == np.asarray(decisions["rank"])
    similarity = pc.if_else(pa.array(is_kept & ~is_vertex), 1.0, decisions["similarity"])
    columns = {
        **{field.name: batch[field.name] for field in RAY if field.name in ABOUT.names},
        PLACE: batch["home"],
        "kept": decisions["kept"],
        "is_removed": pa.array((~(is_kept & is_vertex)).astype(np.int64)),
        "similarity": similarity,
    }
    made = pa.RecordBatch.from_arrays([columns[name] for name in RAY.names], schema=RAY)
    return made.filter(pc.equal(batch["kind"], 1))


class Shine(Function):
    """Turns `RAY` rows into `STAR` rows."""

    threshold: float
    rule: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`kept`, `is_removed`, `PLACE`)."""
        return lambda batches: stars(batches, threshold=self.threshold, rule=self.rule)


def stars(batches: Batches, *, threshold: float, rule: str) -> Iterator[pa.RecordBatch]:
    """Yield the decisions about the documents of each star: first its removed documents, then the kept one.

    Holds one batch and one row, however large a star is.
    """
    center: pa.RecordBatch | None = None
    size = 0
    for rows in with_first_of_run(_once(batches), by=("kept",), of=("id",)):
        batch = rows.batch
        starts = np.flatnonzero(rows.is_first)
        members = np.cumsum(np.asarray(batch["members"]))
        before = np.append(members[starts] - np.asarray(batch["members"])[starts], members[-1])
        yield _removed(batch, rows.first["id"], threshold=threshold, rule=rule)
        sizes = np.diff(before)
        if center is not None:
            size += int(before[0])
            if len(starts):
                yield _centers(center, np.array([size]))
        if len(starts):
            centers = batch.take(pa.array(starts))
            yield _centers(centers.slice(0, len(starts) - 1), sizes[:-1])
            center, size = centers.take(pa.array([len(starts) - 1])), int(sizes[-1])
    if center is not None:
        yield _centers(center, np.array([size]))


def _once(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Drop repeated rows of one document: a kept one may come from the parent version and from this run."""
    return first_of_runs(batches, by=("kept", "is_removed", PLACE))


def _removed(batch: pa.RecordBatch, kept: pa.StringArray, *, threshold: float, rule: str) -> pa.RecordBatch:
    is_removed = pc.equal(batch["is_removed"], 1)
    removed, kept = batch.filter(is_removed), kept.filter(is_removed)
    rows = removed.num_rows
    return _star(
        removed,
        rule=pa.repeat(rule, rows),
        value=removed["similarity"],
        threshold=pa.repeat(threshold, rows),
        duplicate_of=kept,
        cluster_id=kept,
    )


def _centers(batch: pa.RecordBatch, sizes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.RecordBatch:
    shared = sizes > np.asarray(batch["members"])
    chosen = batch.filter(pa.array(shared))
    return _star(chosen, cluster_id=chosen["id"], cluster_size=pa.array(sizes[shared]))


def _star(batch: pa.RecordBatch, **columns: pa.Array) -> pa.RecordBatch:
    columns |= {name: batch[name] for name in (PLACE, "text_bytes")}
    made = [columns.get(field.name, pa.nulls(batch.num_rows, field.type)) for field in STAR]
    return pa.RecordBatch.from_arrays(made, schema=STAR)
