"""Ids inside a run sort like those of the files and lead back to them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.file_dedup.ids import (
    OWN,
    REFERENCE,
    can_be_id,
    grouped,
    ids_of_column,
    ids_of_texts,
    ids_of_values,
    ledger_type,
    original_ids,
)

KINDS = (pa.int8(), pa.int64(), pa.uint16(), pa.uint64(), pa.string(), pa.large_string())
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("group", [OWN, REFERENCE])
@given(data=st.data())
def test_ids_lead_back_to_the_files(kind: pa.DataType, group: str, data: st.DataObject) -> None:
    """In their own type, and null for a record without one."""
    values = st.none() | (st.integers(0, 120) if pa.types.is_integer(kind) else texts)
    column = pa.array(data.draw(st.lists(values, max_size=5)), kind)

    ids = grouped(ids_of_column(column), group=group, part=3, first_row=7)

    assert ids.null_count == 0
    assert original_ids(ids, ledger_type(kind)).equals(column)


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.string()], ids=str)
@given(data=st.data())
def test_ids_sort_like_those_of_the_files(kind: pa.DataType, data: st.DataObject) -> None:
    """`--keep` keeps the least id where nothing else decides: 9 before 10."""
    low = 0 if pa.types.is_uint64(kind) else -(2**63)
    high = 2**64 - 1 if pa.types.is_uint64(kind) else 2**63 - 1
    values = st.integers(low, high) if pa.types.is_integer(kind) else texts
    column = pa.array(sorted(data.draw(st.lists(values)), key=_as_bytes), kind)

    ids = grouped(ids_of_column(column), group=OWN, part=0, first_row=0).to_pylist()

    assert ids == sorted(ids, key=_as_bytes)


def _as_bytes(value: int | str) -> int | bytes:
    return value.encode() if isinstance(value, str) else value


def test_ids_of_the_reference_come_first_and_may_repeat() -> None:
    """The order of ids must be total, or the result would depend on the engine."""
    known = grouped(ids_of_column(pa.array(["z", "z"])), group=REFERENCE, part=-1, first_row=0)
    own = grouped(ids_of_column(pa.array(["a", "z"])), group=OWN, part=0, first_row=0)

    ids = [*known.to_pylist(), *own.to_pylist()]

    assert ids == sorted(ids)
    assert len(set(ids)) == 4


def test_equal_texts_have_equal_ids_in_the_ledger_only() -> None:
    """Inside the run, their place decides between them."""
    ids = grouped(ids_of_texts(pa.array(["a", "a", None])), group=OWN, part=0, first_row=5)

    shown = original_ids(ids, pa.string()).to_pylist()
    assert shown[0] == shown[1] != shown[2]
    assert pc.count_distinct(ids).as_py() == 3


def test_ids_of_json_have_one_form() -> None:
    """An integer has the id that a Parquet file with it has; others have the text that stands in the file."""
    ids = grouped(ids_of_values([5, 2**70, True, 1.5, "x", {}]), group=OWN, part=0, first_row=0)

    assert ids[0].as_py() == grouped(ids_of_column(pa.array([5])), group=OWN, part=0, first_row=0)[0].as_py()
    assert original_ids(ids, pa.string()).to_pylist() == ["5", str(2**70), "true", None, "x", None]


def test_types_without_one_form_are_no_ids() -> None:
    """Bytes have no text, lists no order, and floats several forms."""
    assert [can_be_id(kind) for kind in (pa.date32(), pa.dictionary(pa.int8(), pa.string()), pa.bool_())] == [True] * 3
    others = (pa.binary(), pa.list_(pa.string()), pa.null(), pa.binary(16), pa.float32())
    assert not any(map(can_be_id, others))
