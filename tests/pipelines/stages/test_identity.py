from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.identity import NO_TIME, REPEATED, SUPERSEDED, content_hashes
from corpusmill.schemas.identity import content_hash
from tests.pipelines.stages.dedup.corpus import EPOCH, capture, table
from tests.pipelines.stages.dedup.exchange import Contrary, fates

MICROSECONDS_A_DAY = 86_400_000_000


def fates_of(captures: list[dict[str, Any]], how: Contrary | None = None) -> list[dict[str, Any]]:
    return fates(table(captures), [], how or Contrary())


def captured(day: int) -> int:
    return int(EPOCH.timestamp() * 1_000_000) + day * MICROSECONDS_A_DAY


def test_the_latest_capture_of_a_document_is_kept() -> None:
    """CONTRACTS §1: the greatest fetched_at; the others are superseded, whatever their text."""
    found = fates_of([capture("a", "old", day=1), capture("a", "new", day=2), capture("b", "other", day=0)])

    rules = {(fate["captured"], fate["content_hash"]): fate["rule"] for fate in found}
    assert rules == {
        (captured(1), content_hash("old")): SUPERSEDED,
        (captured(2), content_hash("new")): None,
        (captured(0), content_hash("other")): None,
    }


def test_a_capture_without_a_time_gives_way() -> None:
    """A null fetched_at counts as the least."""
    found = fates_of([capture("a", "undated", day=None), capture("a", "dated", day=-20_000)])

    assert [(fate["captured"] == NO_TIME, fate["rule"]) for fate in found] == [(True, SUPERSEDED), (False, None)]


def test_equal_captures_are_repeated_and_one_stays() -> None:
    """Reading the same record twice must not remove the document."""
    found = fates_of([capture("a", "text", day=1)] * 3 + [capture("a", "text", day=0)])

    assert [fate["rule"] for fate in found].count(None) == 1
    assert [fate["rule"] for fate in found].count(REPEATED) == 3
    assert {fate["stage"] for fate in found} == {None, "identity"}


def test_a_recrawl_with_equal_text_keeps_when_the_text_was_first_seen() -> None:
    """Otherwise every crawl would make the document newer, and its duplicates older than it."""
    found = fates_of(
        [
            capture("a", "text", day=3, record="page 1"),
            capture("a", "other", day=1),
            capture("a", "text", day=5, record="page 2"),
            capture("a", "text", day=9, record="page 3"),
        ]
    )

    (kept,) = [fate for fate in found if fate["rule"] is None]
    assert (kept["captured"], kept["first_seen"]) == (captured(9), captured(3))


def test_rejected_captures_have_no_fate() -> None:
    """Captures that were rejected before keep their verdict in their own row."""
    broken = capture("a", None, day=9, rule="error.encoding", stage="extract")

    found = fates_of([broken, capture("a", "text", day=1)])

    assert [(fate["content_hash"], fate["rule"]) for fate in found] == [(content_hash("text"), None)]


@settings(deadline=None)
@given(texts=st.lists(st.text(max_size=20)), cut=st.integers(0, 5))
def test_hashes_of_a_column_are_those_of_its_texts(texts: list[str], cut: int) -> None:
    """The fast implementation must agree with the definition, also on a slice of a column."""
    column = pa.array(texts, pa.string()).slice(cut)

    assert content_hashes(column).to_pylist() == [content_hash(text) for text in texts[cut:]]


@settings(deadline=None)
@given(
    captures=st.lists(
        st.builds(
            capture,
            st.sampled_from("abc"),
            st.sampled_from(["", "one", "two"]),
            day=st.none() | st.integers(0, 3),
            record=st.none() | st.sampled_from("xy"),
        ),
        max_size=20,
    ),
    parts=st.integers(1, 4),
    rows=st.sampled_from([1, 7, 1000]),
    seed=st.integers(0, 1000),
)
def test_fates_depend_on_the_captures_alone(captures: list[dict[str, Any]], parts: int, rows: int, seed: int) -> None:
    """Order, partitions and batches must not decide which capture is kept, and no capture may be lost."""
    found = fates_of(captures, Contrary(parts=parts, rows=rows, seed=seed))

    assert found == fates_of(captures, Contrary(parts=1, rows=1000))
    assert len(found) == len(captures)
    living = [fate["id"] for fate in found if fate["rule"] is None]
    assert sorted(living) == sorted({one["id"] for one in captures})


def test_an_empty_stream_gives_an_empty_table() -> None:
    """A partition may have no rows."""
    assert fates_of([]) == []
