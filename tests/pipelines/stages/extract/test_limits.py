"""Pages beyond the limits, and input that is not a page."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.extract import extract, extract_page, page
from corpusmill.schemas.errors import DataError

WORDS = "The harbour reopened on Tuesday, and the first grain ships would sail before the weekend. " * 3


def test_a_page_that_is_too_large_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size in bytes is checked before anything is decoded."""
    monkeypatch.setattr(page, "MAX_PAGE_BYTES", 100)

    with pytest.raises(DataError) as caught:
        extract_page(b"x" * 101)

    assert caught.value.rule == "error.too_large"


def test_a_page_of_too_many_pieces_is_set_aside() -> None:
    """A quarter of a million blocks is not a page; `extract` returns an empty text."""
    markup = b"<p>x" * 120_001

    with pytest.raises(DataError, match="120000 blocks") as caught:
        extract_page(markup)

    assert caught.value.rule == "error.too_complex"
    assert extract(markup) == ""


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 100_000 + WORDS,
        "<div " + " ".join(f"a{n}=1" for n in range(100_000)) + f"><p>{WORDS}</p></div>",
        "<span>" * 50_000 + f"<p>{WORDS}</p>",
        f'<div class="{"c d " * 100_000}"><p>{WORDS}</p></div>',
        f"<p>{WORDS}</p>" + "<p>never closed" * 20_000,
        f"<p>{WORDS}</p>" + "<!-- x -->" * 50_000,
    ],
    ids=["depth", "attributes", "inline elements", "names", "paragraphs", "comments"],
)
def test_hostile_markup_within_the_limits_gives_its_text(markup: str) -> None:
    """Parsers that build a browser's tree take minutes for some of these."""
    assert WORDS.strip() in extract(markup.encode())


@pytest.mark.parametrize("body", [b"%PDF-1.7", b"\x1f\x8b\x08\x00", b"\x89PNG\r\n", bytes(range(1, 32)) * 100])
def test_what_is_no_page_is_an_error_with_a_kind(body: bytes) -> None:
    """`extract` returns an empty text, but the stage needs the reason."""
    with pytest.raises(DataError) as caught:
        extract_page(body)

    assert caught.value.rule == "error.not_html"
    assert extract(body) == ""


@pytest.mark.parametrize(
    "body", [b"", b" ", b"\0" * 1_000, b"<html><frameset><frame src=a></frameset>", b"<script>x</script>"]
)
def test_a_page_without_text_gives_none(body: bytes) -> None:
    """A page without text is still a page."""
    found = extract_page(body)

    assert (found.text, found.blocks, found.markdown()) == ("", [], "")


@given(data=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_a_text_without_white_space_around_it(data: bytes) -> None:
    """The text must be the same each time, and encodable."""
    text = extract(data)

    assert text == text.strip("\n") == extract(data)
    text.encode()
