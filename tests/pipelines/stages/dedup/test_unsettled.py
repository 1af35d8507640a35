"""Which decisions of the parent version are taken back: chains of documents that may be kept now."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.stages.dedup import unsettled
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.dedup.priority import Order
from corpusmill.pipelines.stages.dedup.unsettled import open_keys, unsettled_steps
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD
from corpusmill.schemas.document import TIMESTAMP
from tests.pipelines.stages.dedup.exchange import Contrary

DOCUMENTS = pa.schema(
    [
        PLACE_FIELD,
        ("id", pa.string()),
        ("fetched_at", TIMESTAMP),
        ("bands", INT64_LIST),
        ("keeper", pa.int64()),
        ("similarity", pa.float64()),
    ]
)
DECIDED = pa.schema([DOCUMENTS.field("keeper"), DOCUMENTS.field("similarity")])


def documents(*rows: tuple[int, list[int], int | None]) -> pa.Table:
    """Return documents from time, band keys and place of the kept document, None for new ones; places count from 0."""
    return pa.Table.from_pylist(
        [
            {PLACE: place, "id": f"{place:04}", "fetched_at": time, "bands": bands, "keeper": keeper, "similarity": 0.9}
            for place, (time, bands, keeper) in enumerate(rows)
        ],
        schema=DOCUMENTS,
    )


def settled(how: Contrary, table: pa.Table, *, keep: Any = "oldest") -> tuple[list[int | None], set[int]]:
    """Return the kept documents by place, after decisions have been taken back, and the keys of open documents."""
    order = Order(keep, ())
    steps = unsettled_steps("settled", of="documents", bands="bands", columns=DECIDED, order=order)
    tables = how.run(steps, {"documents": table})
    rows = sorted(tables["settled"].to_pylist(), key=lambda row: row[PLACE])
    assert all((row["keeper"] is None) == (row["similarity"] is None) for row in rows if row["keeper"] is not None)
    return [row["keeper"] for row in rows], set(tables[open_keys("settled")]["band"].to_pylist())


HOWS = [Contrary(parts=1, rows=1), Contrary(parts=3, rows=7, seed=1), Contrary(parts=2, rows=2, seed=5)]


@pytest.mark.parametrize("how", HOWS)
def test_later_documents_open_nothing(how: Contrary) -> None:
    """A document after the kept ones can only be removed by them."""
    table = documents((1, [10, 11], 0), (2, [10, 12], 0), (9, [10, 13], None))

    assert settled(how, table) == ([0, 0, None], {10, 13})


@pytest.mark.parametrize("how", HOWS)
def test_an_earlier_document_opens_a_chain(how: Contrary) -> None:
    """The new one may remove 1, so 2, which 1 had removed, may be kept, and may remove 3, and so on to 5."""
    table = documents(
        (0, [10], None),
        (5, [10, 11], 1),
        (6, [11, 12], 1),
        (7, [12, 13], 3),
        (8, [13, 14], 3),
        (9, [14], 5),
        (4, [14], 6),
        (5, [20, 21], 7),
    )

    kept, keys = settled(how, table)

    assert kept == [None, None, None, None, None, None, 6, 7]
    assert keys == {10, 11, 12, 13, 14}


@pytest.mark.parametrize("how", HOWS)
def test_a_document_is_added_by_one_round_only(how: Contrary) -> None:
    """The key that two kept documents share would otherwise call them risky for ever."""
    how.rounds = 0
    table = documents((0, [10], None), (1, [10, 11], 1), (2, [11, 10], 1), (3, [11], 3), (4, [11, 10], 3))

    assert settled(how, table)[0] == [None] * 5
    assert how.rounds <= 4


def test_documents_of_equal_priority_open_each_other() -> None:
    """Their ids decide, which the bands of a round do not know."""
    table = documents((1, [10], None), (1, [10], 1))

    assert settled(Contrary(), table)[0] == [None, None]


def test_the_order_is_that_of_the_stage() -> None:
    """With `newest`, a later document comes before a kept one."""
    table = documents((1, [10], 0), (9, [10], None))

    assert settled(Contrary(), table, keep="newest")[0] == [None, None]
    assert settled(Contrary(), table, keep="oldest")[0] == [0, None]


def test_with_too_many_keys_every_kept_document_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task holds a bounded number of keys."""
    monkeypatch.setattr(unsettled, "MAX_FRONTS", 1)
    table = documents((9, [10, 11], None), (1, [30], 1), (1, [40], 1))

    assert settled(Contrary(), table)[0] == [None, None, None]


def test_rounds_end_when_nothing_is_freed() -> None:
    """Without a risky document there is no second one."""
    how = Contrary()

    settled(how, documents((1, [10], 0), (9, [10], None)))

    assert how.rounds == 1
