"""Which decisions of the parent version are taken back: chains of documents that may be kept now."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.stages.dedup import unsettled
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.dedup.priority import Order, priorities
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
    ]
)


def documents(*rows: tuple[int, list[int], int | None]) -> pa.Table:
    """Return documents from time, band keys and place of the kept document, None for new ones; places count from 0."""
    return pa.Table.from_pylist(
        [
            {PLACE: place, "id": f"{place:04}", "fetched_at": time, "bands": bands, "keeper": keeper}
            for place, (time, bands, keeper) in enumerate(rows)
        ],
        schema=DOCUMENTS,
    )


def settled(how: Contrary, table: pa.Table, *, keep: Any = "oldest") -> tuple[list[int | None], set[int]]:
    """Return the kept documents by place, None for open ones, and the keys of open documents."""
    order = Order(keep, ())
    steps = unsettled_steps("open", of="documents", carried="carried", bands="bands", order=order)
    priority = priorities(table.combine_chunks().to_batches()[0], keep=keep)
    carried = table.select([PLACE, "keeper"]).append_column("priority", priority)
    tables = how.run(steps, {"documents": table.drop_columns("keeper"), "carried": carried})
    opened = set(tables["open"][PLACE].to_pylist())
    keepers = [None if row[PLACE] in opened else row["keeper"] for row in table.to_pylist()]
    return keepers, set(tables[open_keys("open")]["band"].to_pylist())


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
    table = documents((0, [10, 11], None), (1, [30], 1), (1, [40], 1))

    assert settled(Contrary(), table)[0] == [None, None, None]


def test_rounds_end_when_nothing_is_freed() -> None:
    """Without a risky document there is no second one."""
    how = Contrary()

    settled(how, documents((1, [10], 0), (9, [10], None)))

    assert how.rounds == 1


def test_documents_are_not_searched_if_no_new_one_is_before_a_kept_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `keep: oldest` and a later crawl, reading the band keys of all documents would be in vain."""
    monkeypatch.setattr(unsettled, "risky", lambda *_: pytest.fail("a document was searched"))

    assert settled(Contrary(), documents((1, [10], 0), (2, [10], 0), (3, [10], None)))[0] == [0, 0, None]
    assert settled(Contrary(), documents((3, [10], None)))[0] == [None]
    with pytest.raises(pytest.fail.Exception, match="was searched"):
        settled(Contrary(), documents((1, [10], 0), (0, [20], None)))
