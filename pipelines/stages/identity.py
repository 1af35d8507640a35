"""Keep one capture of each document, for example of a page that was crawled twice or a record that is in two files.

Captures with the same `id` are compared without their texts. The one with the greatest (`captured`, `record_sha256`) is
kept. If that is a page that opted out, none is: an earlier capture without the opt-out must not take its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Exchange, Function, Input, Map, Step
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.verdicts import DECISION, PLACE_FIELD, decided, for_all_rows, verdict_step
from corpusmill.schemas.document import TIMESTAMP
from corpusmill.schemas.identity import ID_LENGTH
from corpusmill.schemas.optouts import RULE

LAW: Final = "identity"
"""Name of this stage in ledger and counts."""
SUPERSEDED: Final = "identity.superseded"
"""A later capture of the document is kept."""
REPEATED: Final = "identity.repeated"
"""The kept capture has the same record."""
OPTED_OUT: Final = "the latest capture of this page opted out"
"""Message of a capture that is superseded by one with a rule ``optout.…``."""
UNDECIDED: Final = "another record with this id and another text is kept, and no `fetched_at` says which is newer"
"""Message of a superseded capture that may be another document, for example if ids start over in another file."""
NO_TIME: Final = -(2**63)
"""`captured` of a capture without `fetched_at`."""

CAPTURED: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("captured", pa.int64(), nullable=False),
        pa.field("record_sha256", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("url_key", pa.string(), nullable=False),
        PLACE_FIELD,
        pa.field("text_bytes", pa.int64(), nullable=False),
        pa.field("opted_out", pa.bool_(), nullable=False),
    ]
)
"""A living capture, or one that opted out. `captured` is `fetched_at` in microseconds, `NO_TIME` where it is null."""
_FETCHED: Final = pa.schema([pa.field("fetched_at", TIMESTAMP)])


def hash_step(name: str, *, of: str, is_first: bool) -> Map:
    """Return the step that computes the `content_hash` of living documents.

    Args:
        is_first: False if an earlier step hashed an earlier text.
    """
    schema = pa.schema([pa.field("content_hash", pa.string())])
    reads = ("text", "rule") if is_first else ("text", "rule", "content_hash")
    return Map(name=name, of=of, function=ContentHash(), reads=reads, writes=schema)


class ContentHash(ColumnFunction):
    """Computes the hash of each living document's text. A capture without text counts as an empty text."""

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        return _content_hash


def _content_hash(batch: pa.RecordBatch) -> pa.RecordBatch:
    alive = pc.is_null(batch["rule"])
    hashes = content_hashes(pc.fill_null(batch["text"].filter(alive), ""))
    return pa.record_batch({"content_hash": for_all_rows(hashes, alive)})


def identity_steps(name: str, *, of: str) -> tuple[Step, ...]:
    """Return the steps that reject all captures of a document but one. The last step is called *name*."""
    decisions = f"{name}.decisions"
    columns = ("id", "fetched_at", "record_sha256", "content_hash", "url", "rule", "text_bytes", PLACE)
    return (
        Exchange(
            name=decisions,
            inputs=(Input(of, through=Captured(), columns=columns),),
            by="id",
            order=("captured", "record_sha256", "content_hash", "url_key", PLACE),
            function=Identity(),
            moved=CAPTURED,
            schema=pa.schema([*DECISION, *_FETCHED]),
        ),
        verdict_step(name, decisions=decisions, of=of, also=_FETCHED, law=LAW),
    )


class Captured(Function):
    """Turns captures into `CAPTURED` rows, one for each that is living or opted out."""

    version = 2

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(_captured, batches)


def _captured(batch: pa.RecordBatch) -> pa.RecordBatch:
    opted_out = pc.fill_null(pc.starts_with(batch["rule"], RULE), False)
    is_compared = pc.or_(pc.is_null(batch["rule"]), opted_out)
    rows = batch.filter(is_compared)
    columns = {
        "captured": captured_us(rows["fetched_at"]),
        "content_hash": pc.fill_null(rows["content_hash"], ""),
        "url_key": pc.fill_null(rows["url"], ""),
        "opted_out": opted_out.filter(is_compared),
    }
    arrays = [columns[field.name] if field.name in columns else rows[field.name] for field in CAPTURED]
    return pa.RecordBatch.from_arrays(arrays, schema=CAPTURED)


def captured_us(times: pa.Array) -> pa.Array:
    """Return *times* in microseconds since 1970, or `NO_TIME` for null."""
    return pc.fill_null(times.cast(pa.int64()), NO_TIME)


class Identity(Function):
    """Keeps one capture of each document: the one with the greatest (`captured`, `record_sha256`)."""

    version = 4

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`id`, `captured`, `record_sha256`, …)."""
        return lambda batches: map(keep_latest, whole_groups(batches, by="id"))


def keep_latest(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return decisions about *batch*, which has whole groups of one `id`, sorted: all but the last row are rejected.

    Rows that opted out have a verdict already. If the last row of a group is one, the others are rejected.

    The kept capture's `fetched_at` becomes the least `captured` among captures with the same text. If that is already
    its value, no decision is needed.
    """
    schema = pa.schema([*DECISION, *_FETCHED])
    starts = run_starts(batch["id"])
    if not len(starts):
        return decided(batch, np.zeros(0, np.bool_), schema)
    group = group_numbers(starts, rows=batch.num_rows)
    last = np.append(starts[1:], batch.num_rows) - 1
    is_kept = np.zeros(batch.num_rows, np.bool_)
    is_kept[last] = True
    kept_of_row = pa.array(last[group])
    same_text = np.asarray(pc.equal(batch["content_hash"], batch["content_hash"].take(kept_of_row)))
    same_record = pc.equal(batch["record_sha256"], batch["record_sha256"].take(kept_of_row))
    captured = np.asarray(batch["captured"])
    seen = np.where(same_text, captured, np.iinfo(np.int64).max)
    first_seen = np.minimum.reduceat(seen, starts)[group]
    opted_out = np.asarray(batch["opted_out"])
    changes = ~opted_out & (~is_kept | (first_seen != captured))
    rule = pc.if_else(pa.array(is_kept), pa.scalar(None, pa.string()), pc.if_else(same_record, REPEATED, SUPERSEDED))
    is_undecided = ~same_text & (captured == captured[last[group]])
    message = pc.if_else(pa.array(is_undecided), UNDECIDED, pa.scalar(None, pa.string()))
    message = pc.if_else(pa.array(opted_out[last[group]]), OPTED_OUT, message)
    fetched = np.where(is_kept, first_seen, captured)
    fetched_at = pa.array(fetched, pa.int64(), mask=fetched == NO_TIME).cast(TIMESTAMP)
    return decided(batch, changes, schema, rule=rule, message=message, fetched_at=fetched_at)


def content_hashes(texts: pa.StringArray) -> pa.StringArray:
    """Return `schemas.identity.content_hash` of each of *texts* (no nulls), without creating Python strings."""
    _, offset_buffer, data_buffer = texts.buffers()
    if not len(texts):
        return pa.array([], pa.string())
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1].tolist()
    data = memoryview(data_buffer or b"")
    hashes = [hashlib.sha256(data[start:end]).hexdigest()[:ID_LENGTH] for start, end in pairwise(offsets)]
    return pa.array(hashes, pa.string())
