"""One capture of each document: the latest one; the others go to the ledger under the stage ``identity``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Exchange, Function, Input, Step
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.fates import FATE, NO_TIME
from corpusmill.pipelines.stages.verdicts import is_living, with_columns
from corpusmill.schemas.identity import ID_LENGTH

STAGE: Final = "identity"
SUPERSEDED: Final = "identity.superseded"
"""A later capture of the document is kept."""
REPEATED: Final = "identity.repeated"
"""The kept capture has the same record."""
_READ: Final = ("id", "record_sha256", "fetched_at", "text", "rule")
_CLUSTER: Final = ("cluster_id", "cluster_size")


def identity_steps(*, documents: str, name: str = STAGE, clustered: bool = False) -> tuple[Step, ...]:
    """Give the step *name*: the fates of all living captures of the step *documents*.

    Args:
        clustered: The documents have `cluster_id` and `cluster_size` from stages that compared them before: keep these.
    """
    return (
        Exchange(
            name=name,
            inputs=(Input(documents, through=Fates(), columns=_READ + _CLUSTER if clustered else _READ),),
            by="id",
            order=("captured", "record_sha256", "content_hash"),
            function=Identity(),
            moved=FATE,
            schema=FATE,
            stage=STAGE,
        ),
    )


class Fates(Function):
    """Captures to fates: one row without text for each capture that lives."""

    version: ClassVar[int] = 1

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function."""
        return lambda batches: map(fates, batches)


class Identity(Function):
    """Keep one capture of each document, that with the greatest (`captured`, `record_sha256`)."""

    version: ClassVar[int] = 1

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function over fates sorted by (`id`, `captured`, `record_sha256`, `content_hash`)."""
        return lambda batches: map(keep_latest, whole_groups(batches, by="id"))


def fates(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give the fates of the living captures of *batch*; a capture without text counts as an empty text."""
    living = batch.filter(pc.is_null(batch["rule"]))
    text = pc.fill_null(living["text"], "")
    captured = pc.fill_null(living["fetched_at"].cast(pa.int64()), NO_TIME)
    columns = {
        "id": living["id"],
        "record_sha256": living["record_sha256"],
        "captured": captured,
        "content_hash": content_hashes(text),
        "bytes": pc.binary_length(text).cast(pa.int64()),
        "first_seen": captured,
        **{name: living[name] for name in _CLUSTER if name in living.schema.names},
    }
    rows = living.num_rows
    filled = [columns[field.name] if field.name in columns else pa.nulls(rows, field.type) for field in FATE]
    return pa.RecordBatch.from_arrays(filled, schema=FATE)


def content_hashes(texts: pa.StringArray) -> pa.StringArray:
    """Return `schemas.identity.content_hash` of each of *texts* (no nulls), without making them Python strings."""
    _, offset_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1].tolist()
    data = memoryview(data_buffer or b"")
    hashes = [hashlib.sha256(data[start:end]).hexdigest()[:ID_LENGTH] for start, end in pairwise(offsets)]
    return pa.array(hashes, pa.string())


def keep_latest(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give *batch*, whole groups of one `id` in order, with a verdict on all but the last row of each group.

    The kept one's `first_seen` becomes the least `captured` among the captures with its text.
    """
    starts = run_starts(batch["id"])
    if not len(starts):
        return batch
    group = group_numbers(starts, rows=batch.num_rows)
    last = np.append(starts[1:], batch.num_rows) - 1
    is_kept = np.zeros(batch.num_rows, np.bool_)
    is_kept[last] = True
    kept_of_row = pa.array(last[group])
    same_text = np.asarray(pc.equal(batch["content_hash"], batch["content_hash"].take(kept_of_row)))
    same_record = pc.equal(batch["record_sha256"], batch["record_sha256"].take(kept_of_row))
    seen = np.where(same_text, np.asarray(batch["captured"]), np.iinfo(np.int64).max)
    first_seen = pa.array(np.minimum.reduceat(seen, starts)[group])
    batch = with_columns(batch, is_kept, first_seen=first_seen)
    rule = pc.if_else(same_record, REPEATED, SUPERSEDED)
    return with_columns(batch, ~is_kept & is_living(batch), stage=STAGE, rule=rule)
