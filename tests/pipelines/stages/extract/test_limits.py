"""Hostile pages: bounded work, whatever the markup."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.stages.extract import extract, extract_page, page
from pipelines.stages.extract.guard import MAX_ATTRIBUTES, MAX_DEPTH, is_beyond_limits
from schemas.errors import DataError

WORDS = "The harbour reopened on Tuesday after a storm that closed it for nine days."

HOSTILE = {
    "deep": "<div>" * 50_000 + WORDS,
    "deep text": "<div>word " * 20_000 + WORDS,
    "formatting": "<p><b>x" * 20_000 + WORDS,
    "misnested": "<b><i><p>text. " * 3_000 + WORDS,
    "stray end tags": "</div></b>" * 3_000 + "<div>" * 3_000 + WORDS,
    "tables": "<table><tr><td>" * 5_000 + WORDS,
    "attributes": "<p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">" + WORDS,
    "quoted attributes": "<p " + "".join(f"a{n}='<'" for n in range(50_000)) + ">" + WORDS,
    "many": "<p>short</p>" * 120_000 + WORDS,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_markup_beyond_the_limits_is_read_without_a_tree(name: str) -> None:
    """The parser is quadratic in depth and in attributes: 100,000 of either would take it minutes."""
    found = extract_page(HOSTILE[name].encode())

    assert found.is_flat
    assert WORDS in found.text


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * (MAX_DEPTH - 10),
        "<div></div>" * 20_000,
        "<p>never closed" * 20_000,
        "<tr><td>cell" * 20_000,
        "<br><img src=x>" * 20_000,
        "</div>" * 20_000 + "<div>" * 10,
        "<p " + " ".join(f"a{n}=1" for n in range(MAX_ATTRIBUTES - 10)) + ">",
        "<script>" + "if (a<b && c>d) x = 'y';" * 1_000 + "</script>",
    ],
)
def test_large_but_ordinary_markup_is_within_the_limits(markup: str) -> None:
    """Long tables and unclosed paragraphs are common; they cost the parser nothing."""
    assert not is_beyond_limits(markup)


def test_a_page_that_is_too_large_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Size in bytes, before anything is decoded."""
    monkeypatch.setattr(page, "MAX_PAGE_BYTES", 100)

    with pytest.raises(DataError) as caught:
        extract_page(b"x" * 101)

    assert caught.value.rule == "error.too_large"


pieces = st.sampled_from(  # tags that nest, tags that swallow, and text
    [
        "<p>",
        "</p>",
        "<div class='nav'>",
        "<article>",
        "</div>",
        "<li>",
        "<td>",
        "<table>",
        "<a href=x>",
        "</a>",
        "<br>",
        "<pre>",
        "<script>",
        "<!--",
        "-->",
        "&nbsp;",
        "&#0;",
        "text, more. ",
        "港",
        "\x00",
        "<svg>",
        "<h1>",
        "<title>",
        "<template>",
        "<",
    ]
)


@given(parts=st.lists(pieces, max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_soup_of_tags_gives_clean_text(parts: list[str]) -> None:
    """Whatever comes in: text that can be encoded, without white space around it, the same each time."""
    html = "".join(parts).encode()

    text = extract(html)

    assert text == text.strip("\n") == extract(html)
    text.encode()


@given(html=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_a_text(html: bytes) -> None:
    """A crawler brings everything."""
    assert isinstance(extract(html), str)
