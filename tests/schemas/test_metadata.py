"""The column `metadata`: sorted, with distinct keys, and independent of how it was built."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.schemas.document import DOCUMENT, METADATA, OFFER, type_name
from corpusmill.schemas.hashing import logical_hash
from corpusmill.schemas.metadata import metadata_column, metadata_dicts, normalized

OLD = pa.map_(pa.string(), pa.string())
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
pairs = st.lists(st.tuples(words | st.sampled_from("ab"), words), max_size=6)
rows = st.lists(st.none() | pairs, max_size=20)
optional = st.none() | st.sampled_from(["a", "b", ""])
entries = st.none() | st.fixed_dictionaries({"key": optional, "value": optional})


def firsts(row: list[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, value in row:
        values.setdefault(key, value)
    return dict(sorted(values.items()))


@given(rows)
def test_entries_are_sorted_and_the_first_of_a_key_is_kept(python_rows: list[list[tuple[str, str]] | None]) -> None:
    """`extract` adds entries to those of the loader, which take precedence."""
    column = metadata_column(python_rows)

    column.validate(full=True)
    dicts = metadata_dicts(column)
    assert column.type == METADATA
    assert dicts == [None if row is None else firsts(row) for row in python_rows]
    assert [row and list(row) for row in dicts] == [row and sorted(row) for row in dicts]


@given(rows, st.integers(0, 5))
def test_a_sorted_column_is_returned_unchanged(python_rows: list[list[tuple[str, str]] | None], start: int) -> None:
    """Nearly every column is sorted, so it must not be copied. A slice has offsets that do not start at zero."""
    column = metadata_column(python_rows)

    assert normalized(column) is column
    assert normalized(column.slice(start)).equals(metadata_column(python_rows[start:]))


@given(st.lists(st.none() | st.lists(entries, max_size=4), max_size=8), st.integers(0, 4))
def test_entries_without_key_or_value_are_dropped(python_rows: list[list[dict[str, str]] | None], start: int) -> None:
    """A third-party stage can produce any list of structs."""
    column = pa.array(python_rows, METADATA).slice(start)

    result = normalized(column)

    result.validate(full=True)
    complete = [
        row and [(e["key"], e["value"]) for e in row if e is not None and None not in e.values()]
        for row in python_rows[start:]
    ]
    assert metadata_dicts(result) == [None if row is None else firsts(row) for row in complete]
    assert normalized(result) is result


@given(st.lists(st.none() | st.dictionaries(words, words, max_size=4), max_size=8), st.integers(0, 4))
def test_a_map_becomes_the_same_column(python_rows: list[dict[str, str] | None], start: int) -> None:
    """Versions of format 1 have maps in this column."""
    old = pa.array([row and list(row.items()) if row is not None else None for row in python_rows], OLD).slice(start)

    assert normalized(old).equals(metadata_column(python_rows[start:]))
    assert metadata_dicts(old) == python_rows[start:]


def test_a_long_column_keeps_the_first_of_many_equal_keys() -> None:
    """Sorting must be stable, also with the algorithm that Arrow uses for many values."""
    chance = np.random.default_rng(1)
    keys = chance.integers(0, 3, 50_000).astype(str).tolist()
    python_rows = [[(key, str(place + number)) for number, key in enumerate(keys[place : place + 500])]
                  for place in range(0, len(keys), 500)]  # fmt: skip

    assert metadata_dicts(metadata_column(python_rows)) == [firsts(row) for row in python_rows]


def test_columns_of_millions_of_rows_are_fast() -> None:
    """Most documents have no metadata or sorted metadata, and need no loop in Python."""
    nulls = pa.nulls(4_000_000, METADATA)
    ordered = metadata_column([{"a": "1", "b": "2"}] * 1000)
    ordered = pa.concat_arrays([ordered] * 1000)

    start = time.process_time()
    assert normalized(nulls).null_count == 4_000_000
    assert normalized(ordered) is ordered
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("schema", [DOCUMENT, OFFER])
def test_documents_and_offers_have_one_type(schema: pa.Schema) -> None:
    """Manifests, the data card and the reference show this name."""
    assert type_name(schema.field("metadata").type) == "list<struct<key: string, value: string>>"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.timestamp("us", tz="UTC"), "timestamp[us, tz=UTC]"),
        (pa.list_(pa.field("element", pa.list_(pa.int32()))), "list<list<int32>>"),
        (pa.struct([pa.field("a", pa.bool_(), nullable=False)]), "struct<a: bool not null>"),
        (OLD, "map<string, string>"),
    ],
)
def test_a_type_has_one_name(kind: pa.DataType, name: str) -> None:
    """Parquet calls the items of a list `element`, Arrow calls them `item`; neither may change a version id."""
    assert type_name(kind) == name


def test_the_logical_hash_does_not_depend_on_the_name_of_list_items() -> None:
    """A file that is read back must have the same hash as when it was written."""
    spelled = [pa.list_(pa.field(name, pa.int64())) for name in ("item", "element")]

    hashes = {
        logical_hash([pa.record_batch({"x": pa.array([[1], None], kind)})], pa.schema([("x", kind)]))
        for kind in spelled
    }

    assert len(hashes) == 1
