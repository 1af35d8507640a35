"""The order in which documents are considered: the first of several similar ones is kept.

The stage that compares documents keeps the one with the least time, null last, then the least id. A *rank* is such a
time, made from what ``--keep`` names. This is the only place that knows the orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.schemas.document import TIMESTAMP

Keep: TypeAlias = Literal["oldest", "newest", "longest"]
TIME_COLUMN: Final = "fetched_at"
"""The column that ``oldest`` and ``newest`` compare, where there is one."""
_FIRST_US: Final = -62_135_596_800_000_000
"""0001-01-01 in microseconds since 1970: before every other rank."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def ranks(
    keep: Keep, *, times: pa.Int64Array | None, text_bytes: pa.Int64Array, is_reference: bool
) -> pa.TimestampArray:
    """Return the rank of each document.

    Args:
        times: Microseconds since 1970, null where unknown; None if the file has no such column.
        text_bytes: UTF-8 bytes of each text.
        is_reference: The documents come first, in any order among them.
    """
    if is_reference:
        return pa.array(np.full(len(text_bytes), _FIRST_US)).cast(TIMESTAMP)
    if keep == "longest":
        return pc.negate(text_bytes).cast(TIMESTAMP)
    if times is None:
        return pa.nulls(len(text_bytes), TIMESTAMP)
    order = pc.negate(times) if keep == "newest" else times
    return pc.max_element_wise(order, _FIRST_US + 1, skip_nulls=False).cast(TIMESTAMP)


def times_of_column(column: pa.Array) -> pa.Int64Array:
    """Return the microseconds since 1970 of *column*: times, dates, ISO 8601 texts, or numbers, taken as they are."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", tz=kind.tz), safe=False).cast(pa.int64())
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us")).cast(pa.int64())
    if pa.types.is_integer(kind):
        return column.cast(pa.int64(), safe=False)
    return times_of_values(column.to_pylist())


def times_of_values(values: Sequence[Any]) -> pa.Int64Array:
    """Return the microseconds since 1970 of JSON values; null for what is neither a number nor an ISO 8601 text.

    >>> times_of_values(["1970-01-01T01:00:01+01:00", "1970-01-02", 7, "soon", None]).to_pylist()
    [1000000, 86400000000, 7, None, None]
    """
    return pa.array([_microseconds(value) for value in values], pa.int64())


def _microseconds(value: Any) -> int | None:
    match value:
        case bool():
            return None
        case int() | float():
            return int(value) if abs(value) < 1 << 62 else None
        case str():
            try:
                time = datetime.fromisoformat(value)
                time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
                elapsed = time - _EPOCH
            except (ValueError, OverflowError):
                return None
            return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
    return None
