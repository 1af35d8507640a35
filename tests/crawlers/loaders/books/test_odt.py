"""OpenDocument texts, zipped and flat: what a reader of the printed document sees, once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders.odt import Odt
from tests.crawlers.loaders.books.packages import ODT_NAMES, odt, read, zipped

MATH = '<math xmlns="http://www.w3.org/1998/Math/MathML"><mfrac><mi>a</mi><mn>2</mn></mfrac></math>'
LISTS = (
    '<text:list-style style:name="N"><text:list-level-style-number '
    'text:level="1" style:num-format="1" style:num-suffix="."/>'
    '<text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")" text:display-levels="2"/>'
    '</text:list-style><text:list-style style:name="B"><text:list-level-style-bullet text:level="1"/></text:list-style>'
)
NINE = " text:start-value='9'"
STYLES = (
    '<style:style style:name="Title" style:family="paragraph"/>'
    '<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>'
    '<style:style style:name="P2" style:family="paragraph" style:parent-style-name="Preformatted_20_Text"/>'
    '<style:style style:name="T1" style:family="text"><style:text-properties text:display="none"/></style:style>'
)


def text_of(body: str, folder: Path, *, styles: str = "") -> str | None:
    """Return the text of a document with *body*, the same zipped and flat."""
    row = read(Odt(), odt(body, styles=styles), folder)
    assert read(Odt(), odt(body, styles=styles, flat=True), folder)["text"] == row["text"]
    text: str | None = row["text"]
    return text


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("a<text:s text:c='3'/>b<text:tab/>c<text:line-break/> d\n   e", "a   b\tc\nd e"),
        ("<text:span>in <text:a xlink:href='x'>a link</text:a></text:span> co\u00adop", "in a link coop"),
        ("a<text:change-start text:change-id='1'/>dded<text:change-end text:change-id='1'/>", "added"),
        ("A<office:annotation><dc:creator>Ann</dc:creator><text:p>Remark</text:p></office:annotation>b", "Ab"),
        ("p. <text:page-number>7</text:page-number> of <text:page-count>9</text:page-count>!", "p. of !"),
        ("<text:ruby><text:ruby-base>漢</text:ruby-base><text:ruby-text>かん</text:ruby-text></text:ruby>", "漢"),
        ("<text:span text:style-name='T1'>hidden</text:span>seen", "seen"),
        ("<text:hidden-paragraph text:is-hidden='true'>x</text:hidden-paragraph>y", "y"),
        (
            "On <text:title>The Lamp</text:title> <draw:frame><svg:title xmlns:svg='s'>x</svg:title></draw:frame>",
            "On The Lamp",
        ),
        ("<text:bibliography-mark>[Smith]</text:bibliography-mark><!-- c --> after", "[Smith] after"),
        (f"So <draw:frame><draw:object>{MATH}</draw:object><draw:image/></draw:frame>.", r"So $\frac{a}{2}$."),
    ],
)
def test_the_text_of_a_paragraph(inner: str, text: str, tmp_path: Path) -> None:
    """White space as the format defines it; comments, numbers of pages and hidden text are not read."""
    assert text_of(f"<text:p>{inner}</text:p>", tmp_path, styles=STYLES) == text


def test_deleted_text_contents_and_hidden_sections_are_left_out(tmp_path: Path) -> None:
    """Deleted text is stored before the text; sections are read."""
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>Deleted</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>"
        "<text:table-of-content><text:index-body><text:p>Lamp 5</text:p></text:index-body></text:table-of-content>"
        "<text:section text:display='none'><text:p>Hidden</text:p></text:section>"
        "<text:section><text:p>Shown.</text:p></text:section>"
    )
    assert text_of(body, tmp_path) == "Shown."


def test_lists_have_their_numbers(tmp_path: Path) -> None:
    """Levels, starts, a list that goes on, paragraphs of one item, bullets."""

    def item(words: str, start: str = "") -> str:
        return f"<text:list-item{start}><text:p>{words}</text:p></text:list-item>"

    inner = (
        f"<text:list-item><text:p>b</text:p><text:p>more</text:p><text:list>{item('c')}</text:list></text:list-item>"
    )
    body = (
        f"<text:list text:style-name='N'>{item('a')}{inner}</text:list><text:p>Between.</text:p>"
        f"<text:list text:style-name='N' text:continue-numbering='true'>{item('d')}"
        f"{item('e', NINE)}</text:list>"
        f"<text:list text:style-name='B'>{item('f')}</text:list>"
    )
    assert text_of(body, tmp_path, styles=LISTS) == ("1. a\n2. b\nmore\n  2.a) c\n\nBetween.\n\n3. d\n9. e\n- f")


def test_headings_have_the_numbers_of_the_outline(tmp_path: Path) -> None:
    """If the document numbers them."""
    outline = (
        '<text:outline-style style:name="O"><text:outline-level-style text:level="1" style:num-format="1"/>'
        '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/></text:outline-style>'
    )
    body = "".join(f"<text:h text:outline-level='{level}'>H{level}</text:h>" for level in (1, 2, 2, 1))
    data = odt(
        body,
        more={
            "styles.xml": (
                f"<office:document-styles {ODT_NAMES}><office:styles>{outline}</office:styles></office:document-styles>"
            )
        },
    )
    row = read(Odt(), data, tmp_path)
    assert row["text"] == "1 H1\n\n1.1 H2\n\n1.2 H2\n\n2 H1"
    assert row["title"] == "H1"


def test_tables_stand_by_rows_and_frames_are_read_once(tmp_path: Path) -> None:
    """Repeated empty cells cost nothing; the second content of a frame repeats the first."""
    cells = (
        "<table:table-cell><text:p>Ulm</text:p></table:table-cell>"
        "<table:table-cell><text:p>126,000</text:p></table:table-cell>"
    )
    empty = '<table:table-cell table:number-columns-repeated="16000000"/>'
    head = (
        f"<table:table-header-rows><table:table-row>{cells.replace('Ulm', 'city')}"
        "</table:table-row></table:table-header-rows>"
    )
    box = "<draw:text-box><text:p>Boxed.</text:p></draw:text-box>"
    body = (
        f"<table:table>{head}<table:table-row>{cells}{empty}</table:table-row></table:table>"
        f"<text:p>A<draw:frame>{box}{box}</draw:frame>b.</text:p>"
    )
    assert text_of(body, tmp_path) == "city | 126,000\nUlm | 126,000\n\nAb.\n\nBoxed."


def test_notes_follow_their_paragraph_or_the_text(tmp_path: Path) -> None:
    """With a mark in brackets; without `keep`, mark and note go."""

    def note(kind: str, label: str, words: str) -> str:
        return (
            f"<text:note text:note-class='{kind}'><text:note-citation>{label}</text:note-citation>"
            f"<text:note-body><text:p>{words}</text:p></text:note-body></text:note>"
        )

    body = (
        f"<text:p>Word{note('footnote', '1', 'Below.')} "
        f"more{note('endnote', 'i', 'At the end.')}</text:p><text:p>Next.</text:p>"
    )
    assert text_of(body, tmp_path) == "Word[1] more[i]\n\n[1] Below.\n\nNext.\n\n[i] At the end."
    assert read(Odt(keep=()), odt(body), tmp_path)["text"] == "Word more\n\nNext."


def test_properties_become_columns_without_names_of_authors(tmp_path: Path) -> None:
    """Title of the properties, else in the style of titles, else the first heading."""
    meta = (
        "<dc:title>Core</dc:title><dc:creator>Ann Author</dc:creator><meta:initial-creator>Bo</meta:initial-creator>"
        "<dc:language>fr-FR</dc:language><meta:creation-date>2020-02-03T04:05:06.789</meta:creation-date>"
        "<meta:keyword>one</meta:keyword><meta:keyword>two</meta:keyword>"
    )
    body = (
        "<text:p text:style-name='P1'>The Title</text:p><text:p text:style-name='P2'>if "
        "x:</text:p><text:p text:style-name='P2'><text:s text:c='2'/>y()</text:p>"
    )
    row = read(Odt(), odt(body, styles=STYLES, meta=meta), tmp_path)
    assert (row["title"], row["text"]) == ("Core", "The Title\n\nif x:\n  y()")
    assert row["published_at"] == datetime(2020, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
    assert row["metadata"] == {"keywords": "one; two", "language": "fr-FR"}
    assert read(Odt(), odt(body, styles=STYLES, flat=True), tmp_path)["title"] == "The Title"


def test_embedded_formulas_are_read(tmp_path: Path) -> None:
    """As LibreOffice stores them: an object of its own, and a picture of it."""
    body = (
        "<text:p>So <draw:frame><draw:object xlink:href='./Object "
        "1'/><draw:image xlink:href='x'/></draw:frame>.</text:p>"
    )
    assert read(Odt(), odt(body, more={"Object 1/content.xml": MATH}), tmp_path)["text"] == r"So $\frac{a}{2}$."


MANIFEST = (
    '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
    '<m:file-entry m:full-path="content.xml"><m:encryption-data/></m:file-entry></m:manifest>'
)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (odt("<text:p>x</text:p>", more={"META-INF/manifest.xml": MANIFEST}), "error.encrypted"),
        (zipped({"mimetype": "x", "encrypted-package": b"\x00\x01"}), "error.encrypted"),
        (b"%PDF-1.4", "error.wrong_format"),
        (b"<html><body>x</body></html>", "error.wrong_format"),
        (zipped({"word/document.xml": "<x/>"}), "error.wrong_format"),
        (odt("<text:p>x</text:p>").replace(b"PK\x05\x06", b"PK\x05\x00"), "error.truncated"),
        (odt("<text:p> </text:p>"), "error.no_text"),
        (odt(" " * 70_000_000), "error.too_large"),
        (odt("<text:section>" * 100_000 + "</text:section>" * 100_000), "error.not_xml"),
        (odt("x", flat=True)[:-20], "error.not_xml"),
    ],
)
def test_what_cannot_be_read_is_set_aside(data: bytes, rule: str, tmp_path: Path) -> None:
    """With the reason."""
    assert read(Odt(), data, tmp_path)["rule"] == rule


def test_the_deepest_nesting_that_xml_allows_is_read(tmp_path: Path) -> None:
    """Sections in sections and tables in tables, up to the bound of the parser."""
    assert text_of("<text:section>" * 240 + "<text:p>core</text:p>" + "</text:section>" * 240, tmp_path) == "core"
    nested = "<text:p>core</text:p>"
    for _ in range(80):
        nested = (
            f"<table:table><table:table-row><table:table-cell>{nested}"
            "</table:table-cell></table:table-row></table:table>"
        )
    assert text_of(nested, tmp_path) == "core"
