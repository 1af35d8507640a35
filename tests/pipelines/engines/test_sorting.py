"""Sorting by several keys: the order is Arrow's, and equal rows keep their order."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.engines.sorting import sorted_positions

DAYS = st.dates(datetime.date(1, 1, 1), datetime.date(9999, 12, 31))
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.bool_(): st.booleans(),
    pa.float64(): st.floats() | st.sampled_from([0.0, -0.0]),
    pa.float32(): st.floats(width=32),
    pa.string(): st.text(max_size=3) | st.sampled_from(["", "\0", "a", "a\0", "a\0b", "😀", "ÿ"]),
    pa.binary(): st.binary(max_size=12),
    pa.date32(): DAYS,
    pa.timestamp("us", "UTC"): st.integers(-(2**62), 2**62),
}
SHARED = "https://example.org/wiki/"


@st.composite
def keys(draw: st.DrawFn) -> list[pa.Array]:
    """Return one to three columns of equal length, with many ties."""
    count = draw(st.integers(0, 40))
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3))
    columns = []
    for kind in kinds:
        pool = draw(st.lists(VALUES[kind], min_size=1, max_size=5))
        columns.append(pa.array(draw(st.lists(st.sampled_from(pool), min_size=count, max_size=count)), kind))
    return columns


def arrow_positions(columns: list[pa.Array]) -> list[int]:
    table = pa.table({str(index): column for index, column in enumerate(columns)})
    positions: list[int] = pc.sort_indices(
        table, sort_keys=[(name, "ascending") for name in table.schema.names]
    ).to_pylist()
    return positions


@given(columns=keys())
def test_rows_sort_as_in_arrow_whatever_the_types(columns: list[pa.Array]) -> None:
    """Spills sorted by Arrow and by this code must be mergeable."""
    assert sorted_positions(columns).tolist() == arrow_positions(columns)


@given(
    texts=st.lists(
        st.tuples(
            st.sampled_from(["", SHARED, SHARED * 3]), st.text("ab", max_size=20), st.sampled_from(["", "z" * 40])
        )
    ),
    start=st.integers(0, 3),
)
def test_long_strings_that_share_much_sort_by_their_last_bytes(texts: list[tuple[str, str, str]], start: int) -> None:
    """Addresses share a prefix and differ after the bytes that are compared as numbers."""
    column = pa.array(["".join(parts) for parts in texts], pa.string()).slice(start)

    assert sorted_positions([column, column]).tolist() == arrow_positions([column])


def test_many_rows_need_several_passes() -> None:
    """Equal leading bits of many rows leave no room for the rest of a key in one number."""
    random = np.random.default_rng(3)
    columns = [
        pa.array(random.integers(0, 500, 60_000).astype(np.int32)),
        pa.array([f"{number:032x}" for number in random.integers(0, 2**62, 300)]).take(random.integers(0, 300, 60_000)),
        pa.array(random.integers(-(2**63), 2**63 - 1, 60_000) & ~0xFF),
    ]

    assert sorted_positions(columns).tolist() == arrow_positions(columns)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1, None]), "nulls"),
        (pa.array(["a", None]), "nulls"),
        (pa.array([[1], [2]]), "list.* cannot be a key"),
    ],
)
def test_what_has_no_order_is_refused(column: pa.Array, message: str) -> None:
    """A null or a list in a key is a bug of a stage and must not lead to a random order."""
    with pytest.raises(ValueError, match=message):
        sorted_positions([column])
