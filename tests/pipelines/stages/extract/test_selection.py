"""Selectors of a site: what they select, what stays around it, and bounded time on any page."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.extract.inline import address
from corpusmill.pipelines.stages.extract.options import Selectors
from corpusmill.pipelines.stages.extract.selection import MAX_TAGS, selected
from corpusmill.schemas.errors import DataError


def test_what_is_selected_stays_with_the_head_of_the_page() -> None:
    """The head has the author of the page; an `og:title` must not be dropped with the menu."""
    page = (
        "<!DOCTYPE html><html lang=de class=x><head><title>T</title><meta name=author content=J></head><body>"
        "<nav>menu</nav><main><p>a</p><p class=ad>b</p></main><main>c &lt; d</main></body></html>"
    )

    assert selected(page, Selectors(select=("main",), drop=(".ad",))) == (
        '<html lang="de"><head><title>T</title><meta content="J" name="author"/></head>'
        "<body><main><p>a</p></main><main>c &lt; d</main></body></html>",
        True,
    )


def test_what_is_dropped_is_gone_and_the_rest_is_as_before() -> None:
    """This must hold without selectors too, and if they match nothing."""
    assert selected("<p>a<b>c</b></p><p class=ad>b</p>", Selectors(drop=(".ad", "i"))) == ("<p>a<b>c</b></p>", False)
    assert selected("<p>a</p>", Selectors(select=("main",))) == ("<p>a</p>", False)
    assert selected("no markup", Selectors(select=("main",))) == ("no markup", False)


def test_matches_within_matches_are_taken_once() -> None:
    """`div` matches nested elements too, and the text must not be repeated."""
    page = "<div>a<p><div>b</div></p></div><ul><li><div>c</div></li></ul>"

    markup, was_selected = selected(page, Selectors(select=("div", "li")))

    assert was_selected
    assert markup == "<html><body><div>a<p><div>b</div></p></div><li><div>c</div></li></body></html>"


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 20_000,
        "<p>x" * 20_000,
        "<br>" * (MAX_TAGS + 1),
        "</" * 300_000,
        "&amp;" * 1_000_000,
        "<p><b><i>" * 10_000,
        "<p " + "a b c d " * 100_000 + ">",
    ],
)
def test_a_page_that_would_take_minutes_is_set_aside(markup: str) -> None:
    """It is rejected with a reason, so that dropped text cannot reach the corpus."""
    with pytest.raises(DataError) as caught:
        selected(markup + "<p>x</p>", Selectors(drop=("div p",)))

    assert caught.value.kind == "too_complex"


@pytest.mark.parametrize(
    "rest",
    [
        "<p " + " ".join(f"a{n}=1" for n in range(20_000)),
        "<a x='" * 3_000,
        "<a x " * 3_000,
        "<!-- ->" * 20_000,
        "<![ >" * 50_000,
    ],
)
def test_what_never_ends_is_read_within_seconds(rest: str) -> None:
    """This covers countless attributes, and quotes and comments that never close."""
    start = time.process_time()

    markup, _ = selected("<p>a</p>" + rest, Selectors(select=("p",)))

    assert markup.startswith("<html><body><p>a</p>")
    assert time.process_time() - start < 2


def test_a_reference_of_thousands_of_digits_is_one_unknown_character() -> None:
    """Python refuses to parse numbers with so many digits."""
    markup, _ = selected(f"<p title='&#{'9' * 5_000};'>&#x{'f' * 5_000};text<i>x</i>", Selectors(drop=("i",)))

    assert markup == '<p title="\ufffd">\ufffdtext</p>'


def test_a_comment_that_never_ends_does_not_swallow_the_page() -> None:
    """Scripts of old pages begin with a comment."""
    page = "<!-- a --><script><!-- x </script><p>b</p>"

    assert selected(page, Selectors(select=("p",))) == ("<html><body><p>b</p></body></html>", True)


def test_xhtml_is_read_as_a_browser_reads_it() -> None:
    """It is parsed as HTML, without a warning, which would stop a strict worker."""
    page = "<?xml version='1.0'?><rss><p>a</p></rss>"

    assert selected(page, Selectors(select=("p",))) == ("<html><body><p>a</p></body></html>", True)


parts = st.sampled_from("<p> </p> <div> </div> <td> <b> x & < <!-- --> <script> <?xml?> <![CDATA[ ]]> \x00".split())


@given(parts=st.lists(parts, max_size=30))
def test_any_soup_of_tags_is_read(parts: list[str]) -> None:
    """No markup may make the parser fail."""
    markup, _ = selected("".join(parts), Selectors(select=("p", "div"), drop=("b", "p > div")))

    assert isinstance(markup, str)


def test_a_declaration_that_html_does_not_have_is_text() -> None:
    """The parser rejects such a declaration, but the page must not be lost."""
    markup, _ = selected("<![foo[ ]]><p>One</p><p class=ad>Two</p>", Selectors(drop=(".ad",)))

    assert "<p>One</p>" in markup
    assert "Two" not in markup


def test_links_do_not_multiply_a_long_address() -> None:
    """The page's address is repeated in each of its relative links."""
    assert address("a", "https://example.org/" + "x" * 1_990 + "/") == ""
