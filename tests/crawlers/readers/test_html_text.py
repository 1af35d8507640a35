"""Text of fragments of HTML."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.readers.html_text import plain_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One <b>two</b><br>three</p><p>four</p>", "One two\nthree\n\nfour"),
        ("<ul><li>a<ul><li>b</li></ul></li><li><p>c</p><p>d</p></li></ul>", "- a\n  - b\n- c\n\nd"),
        ("<ol start=3><li>x<li value=7>y<li>z</ol>", "3. x\n7. y\n8. z"),
        ("<table><tr><th>city<th>people<tr><td>Ulm<td><td>126,000</table>", "city | people\nUlm |  | 126,000"),
        ("<table><tr><td><p>x</p><p>y</p></td></tr></table>", "x\n\ny"),
        ("<table><tr><td><table><tr><td>a<td>b</table><td>c</table>", "a | b\n\nc"),
        ("see<pre><code>\nif x:\n\n\n    y  \n</code></pre>then", "see\n\nif x:\n\n\n    y  \n\nthen"),
        ("R&amp;D costs &lt;5&#8239;%, &eacute;", "R&D costs <5\u202f%, é"),
        ("a<script>x()</script><style>b{}</style>b<span style='display: none'>no</span><i hidden>no</i>", "ab"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", "漢字"),
        ("<blockquote><p>said</p></blockquote>answer", "said\n\nanswer"),
        ("He said <q>no</q>.<!-- not this -->", 'He said "no".'),
        ("plain  text\n of lines", "plain text of lines"),
        ("<html><head><title>t</title></head><body><p>x</p></body></html>", "x"),
        ("", ""),
    ],
)
def test_blocks_lists_tables_and_code_have_their_form(markup: str, text: str) -> None:
    """Readers see where an item, a row or a paragraph ends."""
    assert plain_text(markup) == text


def test_nothing_is_lost_however_deep_the_markup_is() -> None:
    """The parser stops at about 2,000 levels; then only the tags are removed."""
    for depth in (300, 1500, 100_000):
        assert plain_text("<div>" * depth + "deep" + "</div>" * depth + "<p>after").split() == ["deep", "after"]


@pytest.mark.parametrize("piece", ["<", "<p>a<b>", "<table><tr><td>", "<ol><li>", "&", "<!--", "<pre>\n", "<i style='"])
def test_hostile_markup_takes_linear_time(piece: str) -> None:
    """Forums contain everything; a message must not stop a run."""
    begin = time.process_time()
    plain_text(piece * 50_000)

    assert time.process_time() - begin < 3


@given(st.lists(st.text("abcxyz", min_size=1), min_size=1))
def test_every_word_of_paragraphs_is_in_the_text(words: list[str]) -> None:
    """No paragraph is lost or repeated."""
    assert plain_text("".join(f"<p>{word}" for word in words)).split("\n\n") == words
