"""The tree rules of the reader: to which element text belongs, however tags are written."""

from __future__ import annotations

import pytest

from corpusmill.pipelines.stages.extract import _reader
from corpusmill.pipelines.stages.extract.content import Span
from corpusmill.pipelines.stages.extract.model_file import CHANCES
from tests.pipelines.stages.extract.readings import KEEPS_ALL, blocks, read, texts


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>one<p>two", ["one", "two"]),
        ("<p>one<div>two</div>three", ["one", "two", "three"]),
        ("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>e", ["a", "b", "c", "d", "e"]),
        ("<dl><dt>term<dd>said<dt>next</dl>", ["term", "said", "next"]),
        ("<table><tr><td>a<td>b<tr><td>c</table>d", ["a", "b", "c", "d"]),
        ("<h2>head</h3>text", ["head", "text"]),
        ("<h2>head<h3>next", ["head", "next"]),
        ("</p>one</div></li>two</br>three", ["onetwo\nthree"]),
        ("<body><html><body>one", ["one"]),
        ("<P CLASS=a>one</P><DIV>two", ["one", "two"]),
        ("one<hr>two", ["one", "two"]),
        ("<p><b>one<p>two</b>three", ["one", "twothree"]),
        ("<td>loose", ["loose"]),
        ("1 < 2 <3 & 4", ["1 < 2 <3 & 4"]),
    ],
)
def test_end_tags_that_are_left_out_or_wrong_are_put_right(markup: str, expected: list[str]) -> None:
    """Half of the pages on the web omit some end tags, and browsers display them all."""
    assert texts(markup) == expected


@pytest.mark.parametrize(
    "opened",
    [
        *("<title>Harbour", "<select><option>1", "<textarea>", "<svg><path>", "<template>", "<!-- ", "<!", "<canvas>"),
        *("<object>", "<button>", "<iframe>", "<video>", "<datalist>", "<math>", "<script>x = 1;\n", "<style>p {}\n"),
        *("<noembed>", "<xmp>", "<a href='", '<p class="', "<![CDATA[ "),
    ],
)
def test_what_is_never_closed_does_not_swallow_the_page(opened: str) -> None:
    """A browser loses the rest of the page, although its text was meant to be read."""
    assert "Ships sail again." in texts(f"<p>Before.</p>{opened}<p>One.</p><p>Ships sail again.</p>")


@pytest.mark.parametrize(
    "tag", ["script", "style", "iframe", "textarea", "svg", "template", "select", "video", "title"]
)
def test_what_is_no_text_of_the_page_is_left_out(tag: str) -> None:
    """This covers code, images, and the options of forms."""
    assert texts(f"<p>one</p><{tag}>hidden <b>x</b></{tag}><p>two") == ["one", "two"]


def test_comments_are_left_out() -> None:
    """A comment can end in several ways."""
    assert texts("a<!-- <p>b --><!--><!---->c<!-- -- > -->d<?php e ?>f<!DOCTYPE html>g</ h>i") == ["acdfgi"]


@pytest.mark.parametrize("depth", [511, 512, 513, 2_000, 100_000])
def test_text_below_any_depth_is_read(depth: int) -> None:
    """Deeper elements are treated as if they were at the limit, and later text must be in the right place."""
    markup = "<main>" + "<div>" * depth + "<p>deep</p>" + "</div>" * depth + "<p>after</p></main><p>outside"

    found = blocks(markup)

    assert [block.text for block in found] == ["deep", "after", "outside"]
    assert [block.path for block in found[1:]] == ["main > p", "p"]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("&amp;lt; &lt; &LT &copy &copy;", "&lt; < < © ©"),
        ("&notit; &notin; &nosuch; &", "¬it; ∉ &nosuch; &"),
        ("&#8364; &#x20AC; &#X20ac &#8364x", "€ € € €x"),
        ("&#128;&#x93;q&#148; &#150; &#x9F;", "€“q” – Ÿ"),
        ("&#0; &#xD800; &#x110000; &#99999999999;", "\ufffd \ufffd \ufffd \ufffd"),
        ("&#; &#x; &#xg;", "&#; &#x; &#xg;"),
        ("&nGt; &CounterClockwiseContourIntegral;", "≫⃒ ∳"),
        ("a&nbsp;&nbsp;b&shy;c", "a bc"),
        ("wait\u0085 don\u0092t", "wait… don’t"),
    ],
)
def test_character_references_are_those_of_browsers(reference: str, expected: str) -> None:
    """This includes numbers that mean windows-1252, and its bytes decoded as control characters."""
    assert texts(f"<p>{reference}") == [expected]


def test_white_space_is_one_space_and_unseen_characters_are_none() -> None:
    """This covers all white space of Unicode; zero-width spaces and controls are invisible."""
    assert texts("<p>\n a \t\u00a0\u3000\u2003b\u200bc\ufeffd\x01e\x7f \x0c f\r\ng ") == ["a bcde f g"]


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("<a href=x>", "x"),
        ("<a href='x>y' title=\">\">", "x>y"),
        ("<A\nHREF = x/y>", "x/y"),
        ("<a href=/a?b=1&amp;c=2&copy=3>", "/a?b=1&c=2&copy=3"),
        ("<a href=one href=two>", "one"),
        ("<a/href=x/>", "x/"),
        ("<a =x href=y>", "y"),
        ("<a class href=x>", "x"),
        ("<a data-x='\"' href=x>", "x"),
        ("<a href='\u0092a\x01'>", "’a"),
    ],
)
def test_attributes_are_read_however_they_are_written(tag: str, expected: str) -> None:
    """This covers the forms of the HTML Standard, and some that it calls errors."""
    (block,) = blocks(f"{tag}t</a>")

    assert block.spans == (Span("link", 0, 1, expected),)


def test_preformatted_text_keeps_its_lines_and_its_indentation() -> None:
    """Only empty lines before and after it are removed; `<br>` is a line end too."""
    (block,) = blocks("<pre>\n\n  a\r\n\tb  <b>c</b><br>d &lt;e\n \n</pre>")

    assert (block.kind, block.text) == ("pre", "  a\n\tb  c\nd <e")
    assert block.spans == (Span("strong", 8, 9),)


def test_a_break_is_a_line_end_and_two_are_a_block() -> None:
    """Old pages separate paragraphs in this way."""
    assert texts("<br>a<br>b <br> <br>c<br>") == ["a\nb", "c"]


def test_items_know_their_list_their_depth_and_their_number() -> None:
    """They are needed to write the list again."""
    found = blocks("<ol start=3><li>x<li>y<p>more<ul><li>z</ul></ol>")

    assert [(b.text, b.level, b.marker) for b in found] == [
        ("x", 1, "3."),
        ("y", 1, "4."),
        ("more", 1, "4."),
        ("z", 2, "-"),
    ]
    assert found[1].row == found[2].row != found[0].row
    assert found[0].group == found[2].group != found[3].group


def test_cells_know_their_table_their_row_and_their_column() -> None:
    """They are needed to write the table again."""
    found = blocks("<table><caption>T</caption><thead><tr><th>n<th>d<tbody><tr><td>a<td><p>b</p>c</table>")

    assert [(b.kind, b.text, b.row, b.column, b.marker) for b in found[1:]] == [
        ("cell", "n", 0, 0, "th"),
        ("cell", "d", 0, 1, "th"),
        ("cell", "a", 1, 0, ""),
        ("cell", "b", 1, 1, ""),
        ("cell", "c", 1, 1, ""),
    ]
    assert found[0].kind == "caption"
    assert len({block.group for block in found[1:]}) == 1


@pytest.mark.parametrize("held", ["<h2>t</h2>", "<table><tr><td>x</table>", "<div>word</div>" * 12, "word " * 200])
def test_a_table_that_lays_out_a_page_has_no_cells(held: str) -> None:
    """Pages from before style sheets use tables to place menus beside articles."""
    found = blocks(f"<table><tr><td>menu<td>{held}</table>")

    assert found[0].kind == "paragraph"
    assert (found[0].group, found[0].row, found[0].column) == (-1, -1, -1)


@pytest.mark.parametrize(
    ("markup", "kind", "level"),
    [
        ("<h1>t", "heading", 1),
        ("<h6><span>t</span></h6>", "heading", 6),
        ("<h3><button>t</button></h3>", "heading", 3),
        ("<blockquote><p>t", "quote", 0),
        ("<figure><figcaption>t", "caption", 0),
        ("<ul><li><h2>t", "heading", 2),
        ("<td><pre>t", "pre", 0),
        ("<noscript><p>t", "paragraph", 0),
    ],
)
def test_the_innermost_element_that_has_a_kind_gives_it(markup: str, kind: str, level: int) -> None:
    """A heading in a list must be a heading."""
    (block,) = blocks(markup)

    assert (block.kind, block.text, block.level) == (kind, "t", level)


def test_marks_are_ranges_of_characters() -> None:
    """This includes multi-byte text, nested marks, and an image between two marks."""
    (block,) = blocks("<p>é港 <b>б<i>ю</i></b> <code>x</code><sub>2</sub> <img src=i.png alt='é &lt;'><a>no link</a>")

    assert block.text == "é港 бю x2 no link"
    assert block.spans == (
        Span("emphasis", 4, 5),
        Span("strong", 3, 5),
        Span("code", 6, 7),
        Span("sub", 7, 8),
        Span("image", 9, 9, "i.png", "é <"),
    )


def test_a_mark_that_is_never_closed_ends_after_a_while() -> None:
    """Otherwise its target would be written a thousand times."""
    found = blocks("<div><a href=x><b>" + "<p>text" * 100)

    assert len(found[0].spans) == 2
    assert found[-1].spans == ()


def test_records_are_what_the_page_says_about_itself() -> None:
    """Names are in lower case, values are decoded, and control characters are removed."""
    found = read(
        '<html lang=en><title>Tea &amp; time</title><meta NAME="Author" content="Jo&#9;D\x01ay">'
        "<link rel=canonical href=/a>"
        '<script type="application/ld+json">{"a": "<b>"}</script><p class=byline>By <b>Jo</b></p><p class=x>no</p>'
    ).records

    assert found == [
        ("html", {"lang": "en"}, ""),
        ("title", {}, "Tea & time"),
        ("meta", {"name": "Author", "content": "Jo\tDay"}, ""),
        ("link", {"rel": "canonical", "href": "/a"}, ""),
        ("script", {"type": "application/ld+json"}, '{"a": "<b>"}'),
        ("p", {"class": "byline"}, "By Jo\n"),
    ]


def test_a_title_that_is_never_closed_is_still_the_title() -> None:
    """It ends at the end of its line, or at the next tag."""
    assert read("<title>Harbour\n<p>text").records == [("title", {}, "Harbour")]


def test_a_record_is_cut_between_characters() -> None:
    """Half a character would become a replacement character in the metadata."""
    (_, _, text), (_, attributes, _) = read(
        "<h1>" + "港" * 1_000 + "</h1><meta name=x content='" + "é" * 3_000 + "'>"
    ).records

    assert set(text) == {"港"}
    assert set(attributes["content"]) == {"é"}


def test_names_and_places_lead_from_a_block_to_the_root() -> None:
    """Training reads them."""
    reading = read("<div id=a class='b c'><p>text")

    assert reading.elements == [(-1, "other", ""), (0, "div", "b c a"), (1, "p", "")]
    assert reading.places == [2]


@pytest.mark.parametrize(
    "stage",
    [
        (0, 0, b"", b"", b""),
        (9, 0, b"", b"", b""),
        (1, 0, b"\0\0\0\0", b"", b""),
        (1, 0, b"\0\0\0\0", b"\0\0\0\0", b"\0" * 4),
        (1, 0, b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0" * 8),
        (1, 0, b"\xff\x7f\0\0", b"\0\0\0\0", b"\0" * 8),
        (1, 0, b"\0\0\0\0", b"\0\0\0\0", b"\xff\xff\xff\x7f" * 2),
        (1, 2**31 - 1, b"", b"", b""),
        (1, 0, b"\0\0\0\0" * 5_000, b"\0\0\0\0" * 5_000, b"\0" * 40_000),
    ],
)
def test_a_damaged_model_is_refused(stage: tuple[int, int, bytes, bytes, bytes]) -> None:
    """It must not lead to reads outside its arrays, or to a sum that overflows."""
    with pytest.raises(ValueError, match="stage"):
        _reader.Model(names=b"", words=b"", stages=(stage,), chances=bytes(2 * CHANCES))


def test_a_model_takes_two_stages_and_one_table() -> None:
    """Everything else must be refused, including wrong types."""
    with pytest.raises(ValueError, match="chances"):
        _reader.Model(names=b"", words=b"", stages=(), chances=b"")
    with pytest.raises(TypeError):
        _reader.read("text", KEEPS_ALL)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _reader.read(b"text", None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="int32"):
        read("text").rescore(b"")
