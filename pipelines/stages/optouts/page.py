"""Judge pages by the opt-outs in their own headers and markup, as they are read.

The text of a page that is set aside goes no further: it is not extracted, and no sample of it reaches the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.base import reject
from corpusmill.schemas.metadata import metadata_column, metadata_dicts
from corpusmill.schemas.optouts import Signal, evidence, verdict_of

METADATA_KEY: Final = "optouts"
"""Key of the opt-outs of a published page, which its source's `respect` does not list."""


def without_opted_out(captures: pa.RecordBatch, respected: frozenset[str]) -> pa.RecordBatch:
    """Return *captures* with a verdict on those with an opt-out of a kind in *respected*, and without their content.

    Other opt-outs that apply to a page are recorded in its metadata.
    """
    if captures["optouts"].null_count == captures.num_rows:
        return captures
    signals = signals_column(captures["optouts"])
    times: list[datetime | None] = captures["fetched_at"].to_pylist()
    verdicts = [verdict_of(of, respected, seen_at=at) for of, at in zip(signals, times, strict=True)]
    rules = pa.array([verdict and verdict[0] for verdict in verdicts], pa.string())
    messages = pa.array([verdict and verdict[1] for verdict in verdicts], pa.string())
    opposed = pc.and_(pc.is_valid(rules), pc.is_null(captures["rule"]))
    captures = reject(captures, opposed, rule=rules, message=messages)
    for name in ("content", "text", "text_bytes"):
        field = captures.schema.field(name)
        empty = pa.scalar(0 if name == "text_bytes" else None, field.type)
        captures = _with(captures, name, pc.if_else(opposed, empty, captures[name]))
    return _with(captures, "metadata", _noted(captures, signals))


def signals_column(column: pa.Array) -> list[list[Signal]]:
    """Return the signals of each row of a column of the type `SIGNALS`."""
    return [[Signal(**signal) for signal in row or ()] for row in column.to_pylist()]


def _noted(captures: pa.RecordBatch, signals: Sequence[Sequence[Signal]]) -> pa.Array:
    """Return the metadata, with the opt-outs of the captures that are not rejected."""
    noted: list[dict[str, str] | None] = []
    rows = zip(metadata_dicts(captures["metadata"]), signals, captures["rule"].to_pylist(), strict=True)
    for entries, of, rule in rows:
        applying = [signal for signal in of if signal.applies and signal.kind != "nofollow"]
        note = {METADATA_KEY: evidence(applying, seen_at=None)} if applying and rule is None else {}
        noted.append({**(entries or {}), **note} if entries is not None or note else None)
    return metadata_column(noted)


def _with(batch: pa.RecordBatch, name: str, values: Any) -> pa.RecordBatch:
    index = batch.schema.get_field_index(name)
    return batch.set_column(index, batch.schema.field(index), values)
