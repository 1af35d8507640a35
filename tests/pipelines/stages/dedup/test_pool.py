"""Which documents an incremental run compares: the pool of new documents and of kept ones near them."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.stages.dedup.keys import KeySet
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.dedup.pool import HOME, Select, selected

OPTIONS = Select(bands="bands", keeper="keeper", keys="keys", columns=("id", "bands", "keeper"))


def documents(*rows: tuple[str, list[int] | None, int | None]) -> pa.RecordBatch:
    """Return documents from id, band keys and place of the kept document; places are 100, 101, …"""
    ids, bands, keepers = zip(*rows, strict=True)
    columns = {
        "id": pa.array(ids, pa.string()),
        "bands": pa.array(bands, INT64_LIST),
        "keeper": pa.array(keepers, pa.int64()),
        PLACE: pa.array(range(100, 100 + len(rows)), pa.int64()),
    }
    return pa.record_batch(columns)


def keys_of(*values: int) -> KeySet:
    return KeySet.of(iter([pa.record_batch({"band": pa.array(values, pa.int64())})]))


def test_the_pool_has_new_documents_and_the_kept_ones_that_share_a_key() -> None:
    """Removed documents are represented by the kept one, and a kept one retains only the keys that matter."""
    batch = documents(
        ("new", [1, 2], None),
        ("kept near", [2, 3, 4], 101),
        ("kept far", [5, 6], 102),
        ("removed", [2, 1], 101),
        ("without words", None, None),
    )

    pool = selected(batch, OPTIONS, keys_of(1, 2))

    assert pool.to_pylist() == [
        {HOME: 100, "id": "new", "bands": [1, 2], "keeper": None},
        {HOME: 101, "id": "kept near", "bands": [2], "keeper": 101},
    ]


def test_with_too_many_keys_all_kept_documents_are_in_the_pool() -> None:
    batch = documents(("new", [1], None), ("kept", [5, 6], 101), ("removed", [5], 101))

    pool = selected(batch, OPTIONS, None)

    assert pool["id"].to_pylist() == ["new", "kept"]
    assert pool["bands"].to_pylist() == [[1], [5, 6]]


@pytest.mark.parametrize("rows", [0, 1])
def test_batches_without_a_document_of_the_pool_give_none(rows: int) -> None:
    batch = documents(("kept", [7], 100)).slice(0, rows)

    assert selected(batch, OPTIONS, keys_of()).num_rows == 0


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
def test_keys_are_looked_up_exactly(keys: list[int], others: list[int]) -> None:
    """Flags by the low bits exclude most keys; the others are searched."""
    values = pa.array([*others, *keys], pa.int64()).to_numpy()

    places = keys_of(*keys).places_of(values)

    assert [int(values[place]) for place in places] == [value for value in values.tolist() if value in set(keys)]
