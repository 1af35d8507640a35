"""Books in EPUB: the order of the spine, notes, and manifests as they are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders.epub import Epub
from tests.crawlers.loaders.books.packages import chapter, epub, read, zipped
from tests.crawlers.loaders.reading import rows, samples

TWO = {"b.xhtml": "<h1>One</h1><p>First.</p>", "a.xhtml": "<h1>Two</h1><p>Second.</p>"}
ENCRYPTED = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:enc="http://www.w3.org/2001/04/xmlenc#">'
    '<enc:EncryptedData><enc:EncryptionMethod Algorithm="{method}"/><enc:CipherData>'
    '<enc:CipherReference URI="{uri}"/></enc:CipherData></enc:EncryptedData></encryption>'
)
AES = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"


def text_of(body: str, folder: Path, *, keep: tuple[str, ...] = ("footnotes",)) -> str:
    """Return the text of a book with one chapter."""
    return str(read(Epub.model_validate({"keep": keep}), epub({"c.xhtml": body}), folder)["text"])


def test_chapters_stand_in_the_order_of_the_spine(tmp_path: Path) -> None:
    """Not in that of the archive or of their names."""
    assert read(Epub(), epub(TWO), tmp_path)["text"] == "One\n\nFirst.\n\nTwo\n\nSecond."


def test_what_is_not_linear_and_contents_and_covers_are_left_out(tmp_path: Path) -> None:
    """The navigation of EPUB 3, the guide of EPUB 2, and sections that say what they are."""
    manifest = "".join(
        f'<item id="{id}" href="{id}.xhtml" media-type="application/xhtml+xml" properties="{properties}"/>'
        for id, properties in (("nav", "nav"), ("cover", ""), ("pop", ""), ("text", "svg"))
    )
    spine = '<itemref idref="cover"/><itemref idref="nav"/><itemref idref="pop" linear="no"/><itemref idref="text"/>'
    chapters = {
        "nav.xhtml": "<nav>Contents</nav>",
        "cover.xhtml": "<p>Cover words</p>",
        "pop.xhtml": "<p>Pop-up</p>",
        "text.xhtml": (
            '<section epub:type="toc"><p>List of pages</p></section><p>Te<span epub:type="pagebreak">12</span>xt.</p>'
        ),
    }
    guide = '<guide><reference type="cover" href="cover.xhtml"/></guide>'
    row = read(Epub(), epub(chapters, manifest=manifest, spine=spine, guide=guide), tmp_path)
    assert row["text"] == "Text."


def test_a_chapter_of_links_to_chapters_is_a_table_of_contents(tmp_path: Path) -> None:
    """Also if it does not say so; a chapter with links in its text is read."""
    links = "".join(f"<li><a href='c{number}.xhtml#s'>Chapter {number}</a></li>" for number in range(3))
    assert text_of(f"<ul>{links}</ul><p>Many words about the lamp that was lit at dusk and went out.</p>", tmp_path)
    row = read(Epub(), epub({"t.xhtml": f"<h1>In it</h1><ul>{links}</ul>", "c.xhtml": "<p>Text.</p>"}), tmp_path)
    assert row["text"] == "Text."


def test_notes_stand_in_brackets_or_go_with_their_marks(tmp_path: Path) -> None:
    """By choice; the mark is never glued to the word before it."""
    body = (
        '<p>Word<a epub:type="noteref" href="#n1">1</a>, rest.</p>'
        '<aside epub:type="footnote" id="n1" hidden="hidden"><p>The '
        'note. <a role="doc-backlink" href="#r">Back</a></p></aside>'
    )
    assert text_of(body, tmp_path) == "Word[1], rest.\n\nThe note."
    assert text_of(body, tmp_path, keep=()) == "Word, rest."


def test_readings_of_ruby_and_hidden_text_are_left_out(tmp_path: Path) -> None:
    """Also of `rtc`; soft hyphens go, entities of HTML become characters."""
    body = (
        "<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rtc><rt>x</rt></rtc></ruby> A&nbsp;co\u00adop.</p>"
        '<p hidden="">no</p><p style="display: none">no</p>'
    )
    assert text_of(body, tmp_path) == "漢字 A\u00a0coop."


def test_formulas_tables_and_lists_are_text(tmp_path: Path) -> None:
    """TeX from MathML; one of the cases of a switch."""
    body = (
        "<p>So <math xmlns='http://www.w3.org/1998/Math/MathML'><msup><mi>x</mi><mn>2</mn></msup></math>.</p>"
        "<table><tr><td>a</td><td>1</td></tr></table><ol><li>one</li></ol>"
        "<p><epub:switch><epub:case>new</epub:case><epub:default>old</epub:default></epub:switch></p>"
    )
    assert text_of(body, tmp_path) == "So $x^{2}$.\n\na | 1\n\n1. one\n\nold"


def test_a_book_in_dtbook_is_read(tmp_path: Path) -> None:
    """The format of talking books, which EPUB 2 allows: without numbers of pages and descriptions of pictures."""
    book = (
        '<dtbook xmlns="urn:d"><head/><book><frontmatter><doctitle>The Lamp</doctitle>'
        '</frontmatter><bodymatter><level1><h1>One</h1><pagenum>7</pagenum><p>Oil<noteref idref="#n">1</noteref>.'
        "</p><list><li>wick</li></list><linegroup><line>A verse</line><line>goes on</line></linegroup>"
        '<note id="n"><p>From whales.</p></note><prodnote>A picture.</prodnote></level1></bodymatter></book></dtbook>'
    )
    manifest = '<item id="c0" href="b.xml" media-type="application/x-dtbook+xml"/>'
    data = epub({"x.xhtml": ""}, manifest=manifest, more={"OPS/b.xml": book})

    text = "The Lamp\n\nOne\n\nOil{}.\n\n- wick\n\nA verse\ngoes on"
    assert read(Epub(), data, tmp_path)["text"] == text.format("[1]") + "\n\nFrom whales."
    assert read(Epub(keep=()), data, tmp_path)["text"] == text.format("")


def test_what_project_gutenberg_adds_is_removed(tmp_path: Path) -> None:
    """As in its text files; older books have it in `pre`, newer ones in sections with a class."""
    start, end = (f"*** {word} OF THE PROJECT GUTENBERG EBOOK X ***" for word in ("START", "END"))
    old = {
        "a.xhtml": f"<pre>The Project Gutenberg EBook of X\n\n{start}</pre><p>Produced by Ann Lee</p><h1>X</h1>",
        "b.xhtml": f"<p>Story</p><pre>{end}\n\nlicense</pre>",
    }
    new = {"a.xhtml": f'<section class="pg-boilerplate pgheader">{start}</section><h1>X</h1><p>Story</p>'}

    assert [read(Epub(), epub(book), tmp_path)["text"] for book in (old, new)] == ["X\n\nStory"] * 2


def test_a_chapter_that_is_not_text_is_listed_as_missing(tmp_path: Path) -> None:
    """Some programs encrypt chapters without saying so."""
    row = read(Epub(), epub({"a.xhtml": "", "b.xhtml": "<p>B</p>"}, more={"OPS/a.xhtml": bytes(range(256))}), tmp_path)

    assert (row["text"], row["metadata"]["missing_items"]) == ("B", "OPS/a.xhtml")


def test_metadata_become_columns(tmp_path: Path) -> None:
    """The main title, a license in words or as an address, the identifier, and the day of publication."""
    metadata = (
        "<dc:title id='s'>A Subtitle</dc:title><dc:title id='m'>Main</dc:title>"
        "<meta refines='#m' property='title-type'>main</meta>"
        "<dc:creator>Ann A.</dc:creator><dc:creator>Bo B.</dc:creator>"
        "<dc:language>fr</dc:language><dc:identifier id='x'>9780000000002</dc:identifier>"
        "<dc:identifier id='uid'>urn:uuid:6f1a2b3c-0000-4000-8000-000000000001</dc:identifier>"
        "<dc:date opf:event='modification'>2021-01-01</dc:date><dc:date opf:event='publication'>1912</dc:date>"
        "<dc:rights>Licensed under https://creativecommons.org/licenses/by-sa/4.0/.</dc:rights>"
    )
    row = read(Epub(), epub(TWO, metadata=metadata), tmp_path)
    assert (row["title"], row["license"], row["license_source"]) == ("Main", "CC-BY-SA-4.0", "epub:rights")
    assert row["source_id"] == "urn:uuid:6f1a2b3c-0000-4000-8000-000000000001"
    assert row["published_at"] == datetime(1912, 1, 1, tzinfo=UTC)
    assert (row["metadata"]["author"], row["metadata"]["language"]) == ("Ann A.; Bo B.", "fr")


def test_the_path_is_the_id_of_a_book_whose_identifier_is_no_such(tmp_path: Path) -> None:
    """Programs write `unknown` or a number; a title is then looked for in the chapters."""
    row = read(Epub(), epub(TWO, metadata="<dc:identifier id='uid'>unknown</dc:identifier>"), tmp_path)
    assert (row["source_id"], row["title"], row["license"]) == ("shelf/file", "One", None)


def test_the_license_of_links_of_epub_3_and_of_words_is_read(tmp_path: Path) -> None:
    """A link is more reliable than words."""
    link = "<link rel='cc:license' href='http://creativecommons.org/licenses/by/4.0/'/><dc:rights>© Ann</dc:rights>"
    assert read(Epub(), epub(TWO, metadata=link), tmp_path)["license"] == "CC-BY-4.0"
    words = "<dc:rights>Public domain in the USA.</dc:rights>"
    assert read(Epub(), epub(TWO, metadata=words), tmp_path)["license"] == "LicenseRef-Public-Domain-USA"


@pytest.mark.parametrize(
    ("href", "name"),
    [
        ("my%20chapter%C3%A9.xhtml", "OPS/my chapteré.xhtml"),
        ("Text/CH.XHTML", "OPS/text/ch.xhtml"),
        ("../ch.xhtml#start", "ch.xhtml"),
        ("OPS/ch.xhtml", "OPS/ch.xhtml"),
        ("/OPS/ch.xhtml", "OPS/ch.xhtml"),
        ("./x/../ch.xhtml", "OPS/ch.xhtml"),
        ("e\u0301.xhtml", "OPS/\u00e9.xhtml"),
    ],
)
def test_a_chapter_is_found_however_its_address_is_written(href: str, name: str, tmp_path: Path) -> None:
    """Percent-encoded, in another case, relative to the archive."""
    manifest = f'<item id="c0" href="{href}" media-type="application/xhtml+xml"/>'
    data = epub({}, manifest=manifest, spine='<itemref idref="c0"/>', more={name: chapter("<p>Found.</p>")})
    assert read(Epub(), data, tmp_path)["text"] == "Found."


def test_damaged_packages_are_read_as_far_as_possible(tmp_path: Path) -> None:
    """Without a container, with items that are absent, with markup that is not well-formed; the loss is listed."""
    spine = '<itemref idref="nothing"/><itemref idref="c0"/><itemref idref="gone"/>'
    manifest = (
        '<item id="c0" href="c.xhtml" media-type="text/html">'
        '<item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/>'
    )
    package = f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{manifest}</manifest><spine>{spine}</spine>'
    data = zipped({"Content.OPF": package, "c.xhtml": "<html><body><p>A & B<br>open &eacute; <b>tag</body>"})
    row = read(Epub(), data, tmp_path)
    assert row["text"] == "A & B\nopen é tag"
    assert row["metadata"]["missing_items"] == "nothing; gone.xhtml"


def test_fonts_that_are_obfuscated_are_no_encryption_of_the_text(tmp_path: Path) -> None:
    """A book with encrypted chapters is set aside; fonts do not matter."""
    fonts = ENCRYPTED.format(method="http://www.idpf.org/2008/embedding", uri="OPS/font.otf")
    assert read(Epub(), epub(TWO, more={"META-INF/encryption.xml": fonts}), tmp_path)["rule"] is None
    font = ENCRYPTED.format(method=AES, uri="OPS/font.otf")
    assert read(Epub(), epub(TWO, more={"META-INF/encryption.xml": font}), tmp_path)["rule"] is None
    text = ENCRYPTED.format(method=AES, uri="OPS/a.xhtml")
    assert read(Epub(), epub(TWO, more={"META-INF/encryption.xml": text}), tmp_path)["rule"] == "error.encrypted"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"plain text", "error.wrong_format"),
        (zipped({"a.txt": "no book"}), "error.wrong_format"),
        (epub(TWO)[:-300], "error.truncated"),
        (epub({"c.xhtml": "<p> </p><img src='x.png'/>"}), "error.no_text"),
        (epub({}, spine='<itemref idref="c9"/>'), "error.no_text"),
        (epub({"c.xhtml": " " * 70_000_000}), "error.too_large"),
        (b" \n", "error.empty"),
    ],
)
def test_what_cannot_be_read_is_set_aside(data: bytes, rule: str, tmp_path: Path) -> None:
    """With the reason; a bomb of zip is not expanded."""
    assert read(Epub(), data, tmp_path)["rule"] == rule


def test_deep_nesting_and_bombs_of_entities_are_harmless(tmp_path: Path) -> None:
    """The words of a chapter nested 100,000 levels deep are read; entities are not expanded."""
    deep = "<div>" * 100_000 + "core" + "</div>" * 100_000
    assert text_of(deep, tmp_path) == "core"
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><html><body><p>x &b; y</p></body></html>'
    text = read(Epub(), epub({"c.xhtml": ""}, more={"OPS/c.xhtml": bomb}), tmp_path)["text"]
    assert "x" in text
    assert "aaaaaaaaaa" not in text


def test_the_real_manual_is_read() -> None:
    """Chapters in order, no contents."""
    (path,) = samples("epub", "*.epub")
    (row,) = rows(Epub(), path, name=path.name)
    assert row["title"] == "Debian Policy Manual"
    assert row["text"].startswith("1. About this manual") or "1.1. Scope" in row["text"][:500]
    assert len(row["text"]) > 400_000
