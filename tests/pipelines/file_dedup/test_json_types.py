"""The types of JSON records do not depend on how the records are grouped."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from corpusmill.pipelines.file_dedup.json_types import batch_of, schema_of, shapes_of, unified, unified_fields

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
rows = st.lists(st.dictionaries(st.sampled_from(["x", "y", "z"]), values, max_size=3), max_size=6)


@given(records=rows, cut=st.integers(0, 6))
def test_batches_do_not_decide_the_types(records: list[dict[str, Any]], cut: int) -> None:
    """The shapes of two parts give those of the whole, in the same order."""
    whole = shapes_of(records)

    parts = unified_fields([shapes_of(records[:cut]), shapes_of(records[cut:])])

    assert list(parts.items()) == list(whole.items())
    assert json.loads(json.dumps(list(whole.items()))) == [list(item) for item in whole.items()]


@given(records=rows)
def test_every_record_fits_its_types(records: list[dict[str, Any]]) -> None:
    """No value is lost: a null stays null, and everything else has a value."""
    shapes = shapes_of(records)
    assume(shapes)

    batch = batch_of(records, shapes)

    assert batch.schema == schema_of(shapes)
    for record, row in zip(records, batch.to_pylist(), strict=True):
        assert {name for name, value in row.items() if value is not None} == {
            name for name, value in record.items() if value is not None
        }


@given(one=values, two=values, three=values)
def test_shapes_combine_in_any_grouping(one: Any, two: Any, three: Any) -> None:
    """A tree of batches gives what a chain of them gives."""
    a, b, c = (shapes_of([{"x": value}])["x"] for value in (one, two, three))

    assert unified(unified(a, b), c) == unified(a, unified(b, c))
    assert unified(a, a) == a


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        ([1, None, 2], pa.int64(), [1, None, 2]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([2**60, 1], pa.int64(), [2**60, 1]),
        ([2**60 + 1, 2.5], pa.string(), ["1152921504606846977", "2.5"]),
        ([2**64, 1], pa.string(), ["18446744073709551616", "1"]),
        (["a", 1, {"b": "é"}, [None]], pa.string(), ["a", "1", '{"b":"é"}', "[null]"]),
        ([True, 1], pa.string(), ["true", "1"]),
        ([None], pa.string(), [None]),
        ([{}], pa.string(), ["{}"]),
        ([[1], [], None], pa.list_(pa.int64()), [[1], [], None]),
        ([{"a": 1}, {"b": "x"}], pa.struct([("a", pa.int64()), ("b", pa.string())]), None),
        ([{"a": [1, "x"]}], pa.struct([("a", pa.list_(pa.string()))]), [{"a": ["1", "x"]}]),
    ],
)
def test_a_column_has_the_type_of_its_values(column: list[Any], kind: pa.DataType, expected: list[Any] | None) -> None:
    """What has no common type is text in JSON form, so that no digit is lost."""
    records = [{"x": value} for value in column]

    batch = batch_of(records, shapes_of(records))

    assert batch.schema.field("x").type == kind
    assert expected is None or batch["x"].to_pylist() == expected
