"""Which documents an incremental run compares: the pool of new documents and of kept ones near them."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.stages.dedup import pool
from corpusmill.pipelines.stages.dedup.carried import CARRIED
from corpusmill.pipelines.stages.dedup.keys import KeySet
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.dedup.pool import HOME, pool_steps
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD
from tests.pipelines.stages.dedup.exchange import Contrary

DOCUMENTS = pa.schema([pa.field("id", pa.string()), pa.field("bands", INT64_LIST)])
Document = tuple[str, list[int] | None, int | None]
ROWS: list[Document] = [
    ("new", [1, 2], None),
    ("kept near", [2, 3, 4], 1),
    ("kept far", [5, 6], 2),
    ("removed", [2, 1], 1),
    ("without words", None, None),
]
"""Id, band keys and place of the kept document; places count from 0."""


def pooled(how: Contrary, *rows: Document) -> list[dict[str, object]]:
    """Return the pool of documents. Those with keys and without a kept document are open."""
    ids, bands, keepers = zip(*rows, strict=True)
    documents = pa.table([pa.array(ids, pa.string()), pa.array(bands, INT64_LIST)], schema=DOCUMENTS)
    opened = [place for place, keeper in enumerate(keepers) if keeper is None and bands[place]]
    carried = [
        {PLACE: place, "keeper": keeper, "is_alone": int(keeper == place)}
        for place, keeper in enumerate(keepers)
        if bands[place]
    ]
    carried += [
        {PLACE: keeper, "keeper": keeper, "is_alone": 0}
        for place, keeper in enumerate(keepers)
        if keeper not in (None, place)
    ]
    tables = {
        "documents": documents,
        "opened": pa.table({PLACE: pa.array(opened, pa.int64())}, schema=pa.schema([PLACE_FIELD])),
        "new": pa.table({"band": pa.array([key for place in opened for key in bands[place] or ()], pa.int64())}),
        "carried": pa.Table.from_pylist(carried, schema=CARRIED),
    }
    steps = pool_steps(
        "pool", of="documents", new="new", opened="opened", carried="carried", columns=DOCUMENTS, bands="bands"
    )
    return sorted(how.run(steps, tables)["pool"].to_pylist(), key=lambda row: row[HOME])


def keys_of(*values: int) -> KeySet:
    return KeySet.of(iter([pa.record_batch({"band": pa.array(values, pa.int64())})]))


@pytest.mark.parametrize("how", [Contrary(parts=1, rows=1), Contrary(parts=3, rows=2, seed=4)])
def test_the_pool_has_new_documents_and_the_kept_ones_that_share_a_key(how: Contrary) -> None:
    """Removed documents are represented by the kept one, and a kept one retains only the keys that matter."""
    assert pooled(how, *ROWS) == [
        {HOME: 0, "id": "new", "bands": [1, 2], "keeper": None},
        {HOME: 1, "id": "kept near", "bands": [2], "keeper": 1},
    ]


def test_with_too_many_keys_all_kept_documents_are_in_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task holds a bounded number of keys."""
    monkeypatch.setattr(pool, "MAX_KEYS", 1)

    rows = pooled(Contrary(), *ROWS)

    assert [row["id"] for row in rows] == ["new", "kept near", "kept far"]
    assert [row["bands"] for row in rows] == [[1, 2], [2, 3, 4], [5, 6]]


def test_without_a_new_document_the_pool_is_empty() -> None:
    """A run over the same documents compares nothing."""
    assert pooled(Contrary(), *ROWS[1:4]) == []


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
def test_keys_are_looked_up_exactly(keys: list[int], others: list[int]) -> None:
    """Flags by the low bits exclude most keys; the others are searched."""
    values = pa.array([*others, *keys], pa.int64()).to_numpy()

    places = keys_of(*keys).places_of(values)

    assert [int(values[place]) for place in places] == [value for value in values.tolist() if value in set(keys)]
