from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.site_boilerplate.pieces import key_of, pieces, without

LINES = (
    "",
    " ",
    "alpha",
    "ALPHA",
    "beta  gamma",
    "- one",
    "- two",
    "  more of it",
    "3. three",
    "```",
    "~~~",
    "* * *",
    "é",
)
texts = st.lists(st.sampled_from(LINES), max_size=14).map("\n".join)
some_keys = st.sets(st.sampled_from([key for line in LINES if (key := key_of(line)) is not None]))


def template_texts(text: str) -> list[str]:
    return [text[piece.start : piece.end] for piece in pieces(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\n ", []),
        ("one\ntwo\n \nthree", ["one\ntwo", "three"]),
        ("- one\n- two\n  goes on\n- three", ["- one", "- two\n  goes on", "- three"]),
        ("1. one\n2) two", ["1. one", "2) two"]),
        ("a line\n- no list\n- of its own", ["a line\n- no list\n- of its own"]),
        ("```\nx\n\ny\n```\n\nend", ["```\nx\n\ny\n```", "end"]),
        ("```\nnever closed\n\nend", ["```\nnever closed\n\nend"]),
        ("one\r\n\r\ntwo", ["one\r", "two"]),
    ],
)
def test_a_text_is_divided_at_empty_lines_and_in_lists(text: str, expected: list[str]) -> None:
    """Sites repeat these units; code must never be divided."""
    assert template_texts(text) == expected


def test_case_and_white_space_make_no_difference_and_letters_do() -> None:
    """A template may be in capitals on one page and wrapped differently on the next."""
    assert key_of("Share\n this PAGE") == key_of("share this page")
    assert key_of("Share this page") != key_of("Share this pages")
    assert key_of("-----") is None


@given(
    text=st.text(alphabet=st.sampled_from("aAßİ\u00a0\u2003\u3000\x1f\x85 \t\n-é"), max_size=9),
    spaces=st.sampled_from(" \n\t\u00a0"),
)
def test_a_key_does_not_depend_on_how_the_text_is_set(text: str, spaces: str) -> None:
    """The fast path for plain text must agree with the general one."""
    assert key_of(text) == key_of((spaces * 2).join(f" {text} ".split()).casefold())


@given(text=texts)
def test_without_anything_to_cut_a_text_stays_as_it_is(text: str) -> None:
    """Documents of sites without a template must not change by a byte."""
    assert without(text, pieces(text), set()) == text


@given(text=texts, keys=some_keys)
def test_what_is_left_are_the_other_pieces_divided_as_before(text: str, keys: set[int]) -> None:
    """Cutting must neither join nor divide the pieces that stay."""
    kept = [text[piece.start : piece.end] for piece in pieces(text) if piece.key is None or piece.key not in keys]

    left = without(text, pieces(text), keys)

    assert template_texts(left) == kept
    assert len(left) <= len(text)
    assert without(left, pieces(left), keys) == left


@given(text=texts)
def test_pieces_hold_every_character_that_is_not_white_space(text: str) -> None:
    """Text between pieces would be lost with them."""
    assert "".join("".join(template_texts(text)).split()) == "".join(text.split())
