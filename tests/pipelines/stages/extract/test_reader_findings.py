"""Minimal cases found by fuzzing and code review, and the laws that the fuzzer checks."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.extraction.fuzz import random_model, smaller
from benchmarks.extraction.invariants import faults
from corpusmill.pipelines.stages.extract import _reader, extract_page
from tests.pipelines.stages.extract.readings import read, texts

SLOW = 10.0
"""A machine that runs other tests too: only work out of proportion takes ten times its bound."""
MODEL = random_model(0)
SECONDS = 2.0
"""Several times what the slowest of these pages takes; most of them once took up to 40 seconds, or gigabytes."""


def hostile() -> Iterator[tuple[str, str]]:
    """Yield pages that once took quadratic time, or a long time per byte."""
    inline = "<b>" * 500
    yield "an end tag out of reach behind 500 elements", f"<li><table><tr><td>{inline}" + "</li>" * 1_500_000
    yield "a paragraph out of reach behind 500 elements", f"<p><object>{inline}" + "<div></div>" * 800_000
    yield "links within a box around 500 elements", f"<a><div>{inline}" + "<a>" * 4_000_000
    yield "marks in one block", "<p>" + "<b>x</b>" * 200_000
    yield "a large link around many blocks", f"<a title='{'y' * 1_000_000}' href=z>" + "<p>x" * 120_000
    yield "sixteen links around many blocks", f"<div><a href='{'y' * 2_000}'>" * 16 + "<p>x" * 60_000
    yield "headings deep in a table", "<table><tr><td>" + "<div>" * 500 + "<h1></h1>" * 90_000
    yield "a title that is nearly every text", f"<title>{'a' * 1_999}b</title>" + "<p>aaaaaaaaaaac" * 50_000
    yield "tags that are never closed", "<a b='" * 100_000 + "<!--" * 100_000 + "<title>" * 100_000
    yield "blocks at the largest depth", "<div>" * 508 + "<p>x" * 40_000


@pytest.mark.parametrize("markup", [pytest.param(markup, id=name) for name, markup in hostile()])
def test_no_page_costs_the_square_of_its_size(markup: str) -> None:
    """CPU time is measured for parsing and for every form of output."""
    start = time.process_time()

    reading = read(markup)
    reading.choose(1.0)
    reading.blocks(only_kept=False, spans=True, paths=True)
    assert reading.records is not None

    assert time.process_time() - start < SECONDS


def colliding(count: int) -> list[str]:
    """Return words whose FNV-1a hashes, and so their slots in a table, are close together."""
    found: list[str] = []
    for number in range(400_000):
        value = 2166136261
        for byte in (word := f"w{number:x}").encode():
            value = (value ^ byte) * 16777619 & 0xFFFFFFFF
        if value & 0x3FFF < 64:
            found.append(word)
    return found[:count]


def test_texts_with_colliding_hashes_are_still_counted() -> None:
    """An unbounded search in a table would take quadratic time."""
    words = colliding(1_000)
    markup = "".join(f"<p>{word}" for word in words)

    assert read(markup).texts == words
    assert faults(markup.encode(), MODEL, slow=SLOW) == []


@pytest.mark.parametrize("name", ["listing", "noframes", "p", "h", "t", "blockquot", "x" * 15, "x" * 16, "x-y"])
def test_a_name_that_begins_like_another_is_not_read_beyond_its_end(name: str) -> None:
    """AddressSanitizer: names in the same slot were compared over the length of the longer one."""
    assert texts(f"<{name}>text") == ["text"]


@pytest.mark.parametrize(
    "data",
    [
        b'<meta name="twitter:title"content=H\xc2\x80',
        b'<meta property=og:title content="Tea&#1; ti\x02me">',
        rb'<script type="application/ld+json">{"@type": "Article", "headline": "\ud800 Tea \u0000"}</script>',
        rb'<script type="application/ld+json">{"@type": "Article", "author": ["\udfff"], "license": "\ud800"}</script>',
    ],
)
def test_metadata_holds_nothing_that_cannot_be_written(data: bytes) -> None:
    """Text columns reject surrogates, which JSON escapes can produce; attributes can contain controls."""
    assert faults(data + b"<p>One, two.", MODEL, slow=SLOW) == []

    for value, _ in extract_page(data + b"<p>One, two.").metadata.as_text().values():
        assert value.isprintable()


@pytest.mark.parametrize(
    "data",
    [
        b"\xc3",
        b"<p>\xe6\xb8",
        b"<a href='\xf0\x9f",
        b"&",
        b"&#",
        b"<",
        b"</",
        b"<!",
        b"<!-",
        b"<!--",
        b"<a b=",
        b"<title>",
        b"\xed\xa0\x80",
    ],
)
def test_bytes_that_end_in_the_middle_are_read_to_their_end_and_no_further(data: bytes) -> None:
    """The reader must not rely on its caller to have decoded the bytes."""
    assert faults(data, MODEL, slow=SLOW) == []
    assert isinstance(read(data).texts, list)


def test_more_elements_than_a_page_can_have_are_refused() -> None:
    """Each element takes 80 bytes of memory for three bytes of the page."""
    with pytest.raises(_reader.TooComplex, match="1000000 elements"):
        read("<p>" * 1_000_001)


def test_words_without_spaces_do_not_overflow_their_sum() -> None:
    """UndefinedBehaviorSanitizer: "no-no-no-…" is one word whose parts are all in the lexicon."""
    assert faults(b"<p>" + b"no-" * 200_000, MODEL, slow=SLOW) == []


pieces = st.sampled_from(
    [
        *(
            "<p>|</p>|<div class='nav'>|<article>|</div>|<li>|<ul>|<ol start=-1>|</ul>|<td>|<tr>|<table>|</table>|"
            "<th>|<caption>|<a href=x>|</a>|<b>|<i>|</b>|<br>|<hr>|<pre>|</pre>|<xmp>|<script>|</script>|<style>|<!--|"
            "-->|<svg>|</svg>|<select>|<option>|</select>|<textarea>|<title>|</title>|<template>|<h1>|<h2>|</h3>|"
            "<img alt='a' src=b>|<time>|<span class=author>|<object>|<button>|<math>|<noscript>|<a title='|>|'|=|<|</|"
            "&|&amp;|&nbsp;|&#0;|&#150;|text, more. |One. |港|é"
        ).split("|"),
        *("\0", "\x92", "\t", "\n", " ", '"', "|", ";", "-", "\u200b", "\ud7ff"),
    ]
)


@given(parts=st.lists(pieces, max_size=60), times=st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_any_soup_of_markup_keeps_what_the_reader_promises(parts: list[str], times: int) -> None:
    """The laws of `benchmarks/extraction/invariants.py`: clean text, valid positions and marks, equal results."""
    assert faults(("".join(parts) * times).encode(), MODEL, slow=SLOW) == []


@given(data=st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_keep_what_the_reader_promises(data: bytes) -> None:
    """A crawler can fetch any bytes."""
    assert faults(data, MODEL, slow=SLOW) == []


def test_a_finding_is_made_smaller() -> None:
    """The result is minimal with respect to removing ranges."""
    assert smaller(b"abc<x>def" * 50, lambda data: b"<x>" in data, 1_000) == b"<x>"
