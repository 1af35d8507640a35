"""The scan in C finds what a plain implementation of the same rules in Python finds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpusmill.crawlers import _scan
from tests.crawlers import reference_scan
from tests.crawlers.word_characters import header

NATIVE = Path(_scan.__file__).parent / "native"
NAMES = (
    "a area base frame iframe link meta noembed noframes plaintext script style svg math template textarea title xmp"
    " b div abbr A SCRIPT Title"
).split()
VALUES = (
    "/b /é?a=1&amp;b=2&copy=3 nofollow alternate robots MyBot refresh 0;url=/c 5;URL='/d' ;url= noindex,x &#65; &#0065 "
    "&#x1F600; &#128 &#0; &#1; &#xD800; &#xFFFFF0 &#99999999999; &notit; &amp &hellip; &nGt; "
    "&CounterClockwiseContourIntegral; &;"
).split()
ATTRIBUTES = "href src rel name http-equiv content type x HREF é =".split()


@st.composite
def _attribute(draw: st.DrawFn) -> str:
    value = draw(st.sampled_from(VALUES) | st.text("ab/> \t\n'\"=&;\x0b\xa0é", max_size=4))
    quote = draw(st.sampled_from(["", '"', "'"]))
    blank = draw(st.sampled_from(["", " ", "\n", "/"]))
    return (
        draw(st.sampled_from([" ", "\f", "/", ""]))
        + draw(st.sampled_from(ATTRIBUTES))
        + f"{blank}={blank}{quote}{value}{quote}"
    )


@st.composite
def _tag(draw: st.DrawFn) -> str:
    attributes = "".join(draw(st.lists(_attribute(), max_size=4)))
    end = draw(st.sampled_from([">", ">", ">", "/>", " >", ""]))
    return f"<{draw(st.sampled_from(['', '', '/']))}{draw(st.sampled_from(NAMES))}{attributes}{end}"


_LINK_SHOWN = st.sampled_from(VALUES).map(lambda value: f'<a href="{value}"> {value}<b>\u2003</a>')
_MARK = st.sampled_from(
    ["<!--", "-->", "--!>", "->", "-!>", "-", "<!", "<?", "</", "<", ">", "<!-->", "<!--->", "/>", "</a", "\0", "\x85"]
)
_PAGE = st.lists(_tag() | _LINK_SHOWN | _MARK | st.sampled_from(VALUES) | st.text(max_size=5), max_size=12).map("".join)


@example(text="<!---!>a<!----!>b<!-->c<!--->d<!-- -->e<!----->f<!--", max_characters=99)
@example(text="<a href=x>x<svg>y</svg></a> <a href=xy>x<svg>y</svg></a> <a href=>\xa0</a>z", max_characters=99)
@example(text="&middotx &middot; &notit; &ampx &x; &#128;&#x110000;&#1;&#000000065;&#;&#x;&", max_characters=99)
@example(text="<a href='?&middotx&middot=1&lt&copy;&#x41&NotEqualTilde;&'>", max_characters=0)
@example(text="<svg><title/><math><title/>a</svg><title/>b</math><title/><a href=c></title>d", max_characters=99)
@example(text="</svg><svg><title/>a<b>c", max_characters=99)
@example(text="<template><template></template><a href=b></template></template><a href=c>", max_characters=99)
@example(text="<plaintext/>&lt;<a href=b></plaintext>", max_characters=99)
@example(text="<meta name=' Robots ' content=a><meta name=mybot content=b><meta name=bot content=c>", max_characters=0)
@example(
    text="<meta http-equiv=refresh content=' 5.5 , URL = \"/c\"d'><base><base href=b><base href=c>", max_characters=0
)
@example(text="<a rel='x NoFollow' href=b><a rel=nofollower href=c><a rel=nofollow href=c><a href=b>", max_characters=0)
@example(text="<link rel='a ALTERNATE' type=b href=c><link rel=alternate><link href=d>" * 65, max_characters=0)
@example(
    text="<iframe src=a><a href=b></iframe x><frame src=c></title\x0b><title></title\x0b></title", max_characters=9
)
@example(text="abc<svg>def<svg>ghi", max_characters=2)
@example(text="abc<svg>def<svg>ghi", max_characters=3)
@settings(max_examples=300, deadline=None)
@given(text=_PAGE, max_characters=st.integers(0, 40))
def test_a_scan_finds_what_the_reference_finds(text: str, max_characters: int) -> None:
    """Links, directives and text decide what is fetched and kept."""
    text = text.encode("utf-8", "replace").decode()

    assert _scan.scan(text, "mybot", max_characters) == reference_scan.scan(text, "mybot", max_characters)
    assert _scan.declarations(text) == reference_scan.declarations(text)


def test_real_pages_give_what_the_reference_gives() -> None:
    """Real pages have faults that nobody thinks of."""
    shared = Path(os.environ.get("CORPUSMILL_SHARED", Path(__file__).parents[3] / "shared")) / "data/samples/html"
    if not shared.is_dir():
        pytest.skip(f"no {shared}: set CORPUSMILL_SHARED")
    paths = [path for path in sorted(shared.rglob("*.html")) if path.stat().st_size < 300_000]

    assert len(paths) > 10
    for path in paths:
        text = path.read_bytes().decode("utf-8", "replace")
        scanned = _scan.scan(text, "mybot", 200_000)
        assert scanned == reference_scan.scan(text, "mybot", 200_000)
        assert _scan.declarations(text) == reference_scan.declarations(text)
        words = scanned[4].lower()
        assert _scan.sketch(words, "docs of 2026", 4096) == reference_scan.sketch(words, "docs of 2026", 4096)


_WORDS = st.text(st.sampled_from("aé1²_ß漢٣ Σǅ\U00010400\ud800-z") | st.characters(), max_size=60)


@example(text="a a a b éa1é 1²2 ²³ 12 _x_ e\u0301 ß漢字", own="b", max_words=20)
@settings(max_examples=200, deadline=None)
@given(text=_WORDS, own=_WORDS, max_words=st.integers(0, 20))
def test_a_sketch_is_that_of_the_reference(text: str, own: str, max_words: int) -> None:
    """A sketch in the queue is compared with those of a later version of corpusmill."""
    text, own = (one.lower().encode("utf-8", "replace").decode() for one in (text, own))

    assert _scan.sketch(text, own, max_words) == reference_scan.sketch(text, own, max_words)


def test_the_words_of_a_long_text_are_sorted() -> None:
    """Long texts are sorted in another way than short ones."""
    text = " ".join(f"w{number % 3_000}x" for number in range(20_000))

    assert _scan.sketch(text, "w1x", 4096) == reference_scan.sketch(text, "w1x", 4096)
    assert len(_scan.sketch(text, "", 4096)) == 4 * 4096


@example(sets=[{0, 1, 9}, {0, 1, 2, 3}], compared=4, share=0.5)
@example(sets=[{0, 1, 2, 3}, {0, 1, 9}], compared=4, share=0.5)
@settings(max_examples=300, deadline=None)
@given(
    sets=st.lists(st.sets(st.integers(0, 12), max_size=12), min_size=1, max_size=3),
    compared=st.integers(1, 8),
    share=st.sampled_from([0.5, 0.9, 1.0]),
)
def test_sketches_are_compared_like_sets(sets: list[set[int]], compared: int, share: float) -> None:
    """The similarity is that of the smallest values of the union."""
    one, *others = [b"".join(value.to_bytes(4, "little") for value in sorted(values)) for values in sets]

    assert _scan.same(one, others, compared, share) == reference_scan.same(one, others, compared, share)


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="the table has the characters of Unicode 14")
def test_the_table_of_characters_is_up_to_date() -> None:
    """The header is printed by `python -m tests.crawlers.word_characters`."""
    assert (NATIVE / "word_characters.h").read_text() == header()


@pytest.mark.parametrize(
    "text", ["&a" * 2_000_000, "é" * 2_000_000, "<a href='&lt" * 300_000, "<title></titl" * 300_000]
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    """A page may have several megabytes."""
    began = time.process_time()

    _scan.scan(text, "mybot", 1 << 40)
    _scan.declarations(text)
    _scan.sketch(text, text, 4096)

    assert time.process_time() - began < 2


def test_wrong_arguments_are_errors() -> None:
    """A mistake of ours must not crash the process."""
    with pytest.raises(TypeError):
        _scan.scan(b"<a>", "mybot", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _scan.same(b"1234", ["1234"], 1, 0.5)  # type: ignore[list-item]
    assert _scan.scan("<a href='\ud800'>", "mybot", 9)[1] == {"?": True}


def test_the_crawl_process_imports_neither_tables_nor_models_of_recipes() -> None:
    """Importing numpy takes as long as reading several hundred pages, and pydantic with YAML a hundred."""
    heavy = {"numpy", "pyarrow", "pandas", "pydantic", "yaml"}
    code = f"import sys, corpusmill.crawlers.process; print(sorted({heavy} & set(sys.modules)))"

    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert completed.stdout == "[]\n"
