from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.exact import RULE, ExactDedup
from corpusmill.schemas.identity import document_id
from tests.pipelines.stages.dedup.corpus import capture, table
from tests.pipelines.stages.dedup.exchange import Contrary, fates


def fates_of(captures: list[dict[str, Any]], how: Contrary | None = None) -> list[dict[str, Any]]:
    return fates(table(captures), [("exact_dedup", ExactDedup())], how or Contrary())


def duplicate_of(captures: list[dict[str, Any]]) -> dict[str, str | None]:
    return {fate["id"]: fate["duplicate_of"] for fate in fates_of(captures) if fate["stage"] != "identity"}


def test_the_oldest_of_equal_texts_is_kept_and_named() -> None:
    """A reader of the ledger must find what the removed document repeats."""
    old, new, late = document_id("test", "old"), document_id("test", "new"), document_id("test", "undated")
    captures = [capture("new", "text", day=2), capture("old", "text", day=1), capture("undated", "text", day=None)]

    assert duplicate_of(captures) == {old: None, new: old, late: old}


def test_equal_days_are_decided_by_id() -> None:
    """The order must be total; otherwise the engine's order would decide."""
    first, second = sorted([document_id("test", "a"), document_id("test", "b")])

    assert duplicate_of([capture("a", "text"), capture("b", "text")]) == {first: None, second: first}


def test_texts_that_differ_in_one_character_both_stay() -> None:
    """Exact means exact: case and white space count."""
    found = fates_of([capture("a", "text"), capture("b", "Text"), capture("c", "text ")])

    assert [fate["rule"] for fate in found] == [None, None, None]


def test_a_superseded_capture_does_not_remove_anything() -> None:
    """Its text is no longer in the corpus, so nothing repeats it."""
    captures = [capture("a", "text", day=0), capture("a", "changed", day=5), capture("b", "text", day=3)]

    found = fates_of(captures)

    assert [fate["rule"] for fate in found if fate["id"] == document_id("test", "b")] == [None]
    assert [fate["stage"] for fate in found].count("identity") == 1


def test_the_age_of_a_text_survives_a_recrawl() -> None:
    """The document that had the text first must be kept, even if its last capture is newer."""
    captures = [
        capture("a", "text", day=0, record="1"),
        capture("a", "text", day=9, record="2"),
        capture("b", "text", day=5),
    ]

    found = {fate["id"]: fate for fate in fates_of(captures) if fate["stage"] != "identity"}

    assert found[document_id("test", "b")]["rule"] == RULE
    assert found[document_id("test", "a")]["rule"] is None


@settings(deadline=None)
@given(
    captures=st.lists(
        st.builds(
            capture, st.sampled_from("abcdef"), st.sampled_from(["", "one", "two"]), day=st.none() | st.integers(0, 3)
        ),
        max_size=25,
    ),
    parts=st.integers(1, 4),
    rows=st.sampled_from([1, 7, 1000]),
    seed=st.integers(0, 1000),
)
def test_one_document_of_each_text_stays(captures: list[dict[str, Any]], parts: int, rows: int, seed: int) -> None:
    """In any execution, no text may stay twice or be lost, and the ledger names a kept document."""
    found = fates_of(captures, Contrary(parts=parts, rows=rows, seed=seed))

    assert found == fates_of(captures, Contrary(parts=1, rows=1000))
    before = [fate for fate in found if fate["stage"] != "identity"]
    kept = {fate["content_hash"]: fate["id"] for fate in before if fate["rule"] is None}
    assert len(kept) == sum(fate["rule"] is None for fate in before) == len({fate["content_hash"] for fate in before})
    for fate in before:
        assert fate["duplicate_of"] == (None if fate["rule"] is None else kept[fate["content_hash"]])
