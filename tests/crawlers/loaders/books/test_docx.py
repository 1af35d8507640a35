"""Documents of Word: what a reader of the printed document sees, once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders.docx import Docx
from tests.crawlers.loaders.books.packages import STRICT, docx, p, part, read, zipped
from tests.crawlers.loaders.reading import rows, samples

RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
NUMBERING = (
    '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="decimal"/>'
    '<w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/>'
    '<w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0">'
    '<w:numFmt w:val="bullet"/><w:lvlText w:val="o"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/>'
    "</w:lvlOverride></w:num>"
)
STYLES = (
    '<w:docDefaults><w:rPrDefault><w:rPr><w:lang w:val="de-DE"/></w:rPr></w:rPrDefault></w:docDefaults>'
    '<w:style w:type="paragraph" w:styleId="H"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="Mine"/><w:basedOn w:val="H"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="V1"><w:name w:val="toc 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="C"><w:name w:val="Source Code"/></w:style>'
)
NOTES = {
    "footnotes.xml": part(
        "footnotes",
        '<w:footnote w:type="separator" w:id="0"><w:p><w:r><w:separator/></w:r></w:p></w:footnote>'
        '<w:footnote w:id="1"><w:p><w:r><w:footnoteRef/></w:r><w:r><w:t> See below.</w:t></w:r></w:p></w:footnote>',
    ),
    "endnotes.xml": part("endnotes", '<w:endnote w:id="1"><w:p><w:r><w:t>At the end.</w:t></w:r></w:p></w:endnote>'),
}


def text_of(body: str, folder: Path, **more: str) -> str:
    """Return the text of a document with *body*."""
    return str(
        read(Docx(), docx(body, more={f"{name}.xml": content for name, content in more.items()}), folder)["text"]
    )


def style(name: str) -> str:
    return f'<w:pStyle w:val="{name}"/>'


def listed(number: int, level: int = 0) -> str:
    return f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'


def field(code: str, result: str) -> str:
    """Return a complex field in runs."""
    return (
        f'<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> {code} </w:instrText></w:r>'
        f'<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>{result}</w:t></w:r>'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        (
            (
                '<w:ins w:id="1"><w:r><w:t>added</w:t></w:r></w:ins><w:del '
                'w:id="2"><w:r><w:delText>gone</w:delText></w:r></w:del>'
            ),
            "added",
        ),
        (
            (
                '<w:moveTo w:id="1"><w:r><w:t>here</w:t></w:r></w:moveTo>'
                '<w:moveFrom w:id="2"><w:r><w:t>there</w:t></w:r></w:moveFrom>'
            ),
            "here",
        ),
        (
            (
                "<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t>"
                "<w:noBreakHyphen/><w:t>d</w:t><w:softHyphen/><w:t>e</w:t></w:r>"
            ),
            "a\tb\nc-de",
        ),
        (
            (
                "<w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink>"
                "<w:smartTag><w:r><w:t> tag</w:t></w:r></w:smartTag>"
            ),
            "link tag",
        ),
        ("<w:sdt><w:sdtPr/><w:sdtContent><w:r><w:t>control</w:t></w:r></w:sdtContent></w:sdt>", "control"),
        (
            (
                "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>"
                "<w:r><w:t>Click here</w:t></w:r></w:sdtContent></w:sdt>"
            ),
            None,
        ),
        (field("HYPERLINK x", "shown"), "shown"),
        (f"<w:r><w:t>Page</w:t></w:r>{field('PAGE', '7')}{field('NUMPAGES', '9')}", "Page"),
        (
            field(f"IF {'1'}", "yes") + ('<w:fldSimple w:instr=" DATE "><w:r><w:t>today</w:t></w:r></w:fldSimple>'),
            "yestoday",
        ),
        ('<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:t>no end</w:t></w:r>', "no end"),
        ('<w:r><w:sym w:font="Symbol" w:char="F061"/><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>', "α✓"),
        ('<w:r><w:rPr><w:rFonts w:ascii="Symbol"/></w:rPr><w:t>\uf062</w:t></w:r>', "β"),
        (
            (
                "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r>"
                "<w:rPr><w:vanish w:val='0'/></w:rPr><w:t>seen</w:t></w:r>"
            ),
            "seen",
        ),
        (
            (
                "<w:r><w:t>co\u00adop</w:t></w:r><w:commentRangeStart "
                "w:id='1'/><w:r><w:commentReference w:id='1'/></w:r>"
            ),
            "coop",
        ),
        (
            "<w:ruby><w:rt><w:r><w:t>か</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>漢</w:t></w:r></w:rubyBase></w:ruby>",
            "漢",
        ),
        (
            "<m:oMath><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
            "<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub><m:r><m:t>i</m:t></m:r></m:sub><m:sup/>"
            "<m:e><m:rad><m:deg/><m:e><m:r><m:t>x</m:t></m:r></m:e></m:rad></m:e></m:nary></m:oMath>",
            r"$\frac{a}{2}\sum_{i} \sqrt{x}$",
        ),
    ],
)
def test_the_text_of_runs(runs: str, text: str | None, tmp_path: Path) -> None:
    """Inserted text, results of fields, links, symbols and formulas are read; deleted and hidden text is not."""
    row = read(Docx(), docx(p(runs)), tmp_path)
    assert row["text"] == text
    assert (row["rule"] == "error.no_text") == (text is None)


def test_a_deleted_end_of_a_paragraph_and_a_large_initial_join_what_follows(tmp_path: Path) -> None:
    """As Word shows it once the change is accepted."""
    body = p("One ", properties="<w:rPr><w:del w:id='1'/></w:rPr>") + p("line.")
    body += p("T", properties="<w:framePr w:dropCap='drop'/>") + p("he end.")
    assert text_of(body, tmp_path) == "One line.\n\nThe end."


def test_lists_and_headings_have_their_numbers(tmp_path: Path) -> None:
    """Starts, levels, restarts; bullets are dashes."""
    body = p("a", properties=listed(1)) + p("b", properties=listed(1, 1)) + p("c", properties=listed(1, 1))
    body += p("d", properties=listed(1)) + p("e", properties=listed(3)) + p("f", properties=listed(2))
    body += p("Head", properties=style("H") + listed(1)) + p("end")
    text = text_of(body, tmp_path, numbering=part("numbering", NUMBERING), styles=part("styles", STYLES))
    assert text == "3. a\n  3.a) b\n  3.b) c\n4. d\n1. e\n- f\n\n2. Head\n\nend"


def test_tables_stand_by_rows(tmp_path: Path) -> None:
    """Deleted rows are gone, merged cells are read once; a box of one cell is not a table."""

    def cell(text: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text)}</w:tc>"

    first, merged = cell("city", "<w:vMerge w:val='restart'/>"), cell("", "<w:vMerge/>")
    body = (
        f"<w:tbl><w:tr>{first}{cell('people')}</w:tr>"
        f"<w:tr>{merged}<w:sdt><w:sdtContent>{cell('126,000')}</w:sdtContent></w:sdt></w:tr>"
        f"<w:tr><w:trPr><w:del w:id='1'/></w:trPr>{cell('x')}{cell('y')}</w:tr></w:tbl>"
        f"<w:tbl><w:tr><w:tc>{p('One')}{p('box')}</w:tc></w:tr></w:tbl>"
    )
    assert text_of(body, tmp_path) == "city | people\n | 126,000\n\nOne\n\nbox"


def test_notes_follow_their_paragraph_or_the_text(tmp_path: Path) -> None:
    """With a mark in brackets; without `keep`, mark and note go. Separators are no notes."""
    body = p("Word", "<w:r><w:footnoteReference w:id='1'/></w:r>", " more", "<w:r><w:endnoteReference w:id='1'/></w:r>")
    data = docx(body + p("Next."), more=dict(NOTES))
    assert read(Docx(), data, tmp_path)["text"] == ("Word[1] more[i]\n\n[1] See below.\n\nNext.\n\n[i] At the end.")
    assert read(Docx(keep=()), data, tmp_path)["text"] == "Word more\n\nNext."


def test_text_boxes_are_read_once(tmp_path: Path) -> None:
    """Word writes each for itself and for older versions."""
    box = f"<w:txbxContent>{p('Boxed.')}</w:txbxContent>"
    choice = (
        f"<mc:Choice Requires='wps'><w:drawing><wps:wsp><wps:txbx>{box}</wps:txbx></wps:wsp></w:drawing></mc:Choice>"
    )
    fallback = f"<mc:Fallback><w:pict><v:shape><v:textbox>{box}</v:textbox></v:shape></w:pict></mc:Fallback>"
    both = p("A", f"<w:r><mc:AlternateContent>{choice}{fallback}</mc:AlternateContent></w:r>", "b.")
    assert text_of(both, tmp_path) == "Ab.\n\nBoxed."
    empty = "<mc:Choice Requires='x'><w:drawing/></mc:Choice>"
    old = p("A", f"<w:r><mc:AlternateContent>{empty}{fallback}</mc:AlternateContent></w:r>")
    assert text_of(old, tmp_path) == "A\n\nBoxed."


def test_text_of_hidden_styles_is_not_read(tmp_path: Path) -> None:
    """As "Top of Form" in pages saved from the web; a run can say that it is shown."""
    styles = STYLES + (
        '<w:style w:styleId="Z"><w:name w:val="HTML Top of Form"/><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:type="character" w:styleId="G"><w:name w:val="Gone"/><w:rPr><w:vanish/></w:rPr></w:style>'
    )
    shown = "<w:r><w:rPr><w:vanish w:val='0'/></w:rPr><w:t>shown</w:t></w:r>"
    gone = "<w:r><w:rPr><w:rStyle w:val='G'/></w:rPr><w:t>gone</w:t></w:r>"
    body = p("Top of Form", properties=style("Z")) + p("gone", shown, properties=style("Z")) + p("A", gone, "b.")
    assert text_of(body, tmp_path, styles=part("styles", styles)) == "shown\n\nAb."


def test_words_of_a_diagram_follow_their_paragraph(tmp_path: Path) -> None:
    """SmartArt keeps them in a part of its own; a lost part is listed."""
    diagram = "<w:r><w:drawing><a:data xmlns:a='a'><d:relIds xmlns:d='d' r:dm='D'/></a:data></w:drawing></w:r>"
    relation = f"<r><x Id='D' Type='{RELATIONS}/diagramData' Target='diagrams/data1.xml'/></r>"
    points = "".join(f"<pt><t><p><r><t>{word}</t></r></p></t></pt>" for word in ("Plan", "", "Do"))
    more: dict[str, str | bytes] = {"word/_rels/document.xml.rels": relation}

    whole = read(Docx(), docx(p("A", diagram), more=more | {"word/diagrams/data1.xml": f"<m>{points}</m>"}), tmp_path)
    assert whole["text"] == "A\n\nPlan\n\nDo"
    assert read(Docx(), docx(p("A", diagram), more=more), tmp_path)["metadata"]["missing_items"] == "diagrams/data1.xml"


@pytest.mark.parametrize(
    ("data", "text", "missing"),
    [
        ("<html><head><title>t</title></head><p>One</p></html>", "One\n\nend", None),
        (r"{\rtf1 hello}", "end", "a document in another format"),
        ("MIME-Version: 1.0\nContent-Type: multipart/related", "end", "a document in another format"),
    ],
)
def test_a_document_in_a_document_is_read_if_it_is_a_page(
    data: str, text: str, missing: str | None, tmp_path: Path
) -> None:
    """Others are listed as missing; their markup is no text."""
    relation = f"<r><x Id='A' Type='{RELATIONS}/aFChunk' Target='chunk.dat'/></r>"
    more: dict[str, str | bytes] = {"word/_rels/document.xml.rels": relation, "word/chunk.dat": data}
    row = read(Docx(), docx("<w:altChunk r:id='A'/>" + p("end"), more=more), tmp_path)
    assert (row["text"], row["metadata"].get("missing_items") if row["metadata"] else None) == (text, missing)


def test_contents_and_headers_are_left_out_and_lines_of_code_stay_together(tmp_path: Path) -> None:
    """Contents as paragraphs, as a field, and in a control."""
    gallery = "<w:sdtPr><w:docPartObj><w:docPartGallery w:val='Table of Contents'/></w:docPartObj></w:sdtPr>"
    body = (
        f"<w:sdt>{gallery}<w:sdtContent>{p('Contents 1')}</w:sdtContent></w:sdt>"
        + p("Lamp 5", properties=style("V1"))
        + p(field("TOC \\o", "Lamp 6"))
        + p("if x:", properties=style("C"))
        + p("    y()", properties=style("C"))
        + "<w:sectPr><w:headerReference r:id='rId1'/></w:sectPr>"
    )
    header = part("hdr", p("Running title"))
    assert text_of(body, tmp_path, styles=part("styles", STYLES), header1=header) == "if x:\n    y()"


def test_properties_become_columns_without_names_of_authors(tmp_path: Path) -> None:
    """Title of the properties, else in the style of titles, else the first heading, also of a derived style."""
    core = (
        "<cp:coreProperties xmlns:cp='c' xmlns:dc='http://purl.org/dc/elements/1.1/' "
        "xmlns:t='http://purl.org/dc/terms/'>"
        "<dc:title>Core</dc:title><dc:creator>Ann Author</dc:creator><cp:lastModifiedBy>Bo</cp:lastModifiedBy>"
        "<t:created>2020-02-03T04:05:06Z</t:created><dc:subject>Lamps</dc:subject></cp:coreProperties>"
    )
    styles = {"styles.xml": part("styles", STYLES)}
    body = p("Head", properties=style("Mine")) + p("The Title", properties=style("T"))
    row = read(Docx(), docx(body, more={"docProps/core.xml": core, **styles}), tmp_path)
    assert (row["title"], row["published_at"]) == ("Core", datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert row["metadata"] == {"language": "de-DE", "subject": "Lamps"}
    assert read(Docx(), docx(body, more=dict(styles)), tmp_path)["title"] == "The Title"
    assert read(Docx(), docx(p("Head", properties=style("Mine")), more=dict(styles)), tmp_path)["title"] == "Head"


def test_strict_files_and_parts_with_other_names_are_read(tmp_path: Path) -> None:
    """The relations say where the parts are; a part that is absent is listed."""
    relation = f"<r><x Id='1' Type='{RELATIONS}/officeDocument' Target='/word/document2.xml'/></r>"
    inner = f"<r><x Id='1' Type='{RELATIONS}/footnotes' Target='gone.xml'/></r>"
    document = part("document", f"<w:body>{p('Text.')}</w:body>", STRICT)
    more = {"_rels/.rels": relation, "word/_rels/document2.xml.rels": inner, "word/document2.xml": document}
    row = read(Docx(), zipped(dict(more)), tmp_path)
    assert (row["text"], row["metadata"]) == ("Text.", {"missing_items": "gone.xml"})


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "error.encrypted"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "error.wrong_format"),
        (b"%PDF-1.4", "error.wrong_format"),
        (zipped({"xl/workbook.xml": "<x/>"}), "error.wrong_format"),
        (zipped({"word/document.xml": "<w:document"}), "error.not_xml"),
        (docx(p("Text."))[:-100], "error.truncated"),
        (docx(p()), "error.no_text"),
        (docx(" " * 70_000_000), "error.too_large"),
        (docx("<w:sdt>" * 100_000 + "</w:sdt>" * 100_000), "error.not_xml"),
        (zipped({"word/document.xml": "<!DOCTYPE a [<!ENTITY a 'b'>]><a>&a;</a>"}), "error.entities"),
    ],
)
def test_what_cannot_be_read_is_set_aside(data: bytes, rule: str, tmp_path: Path) -> None:
    """With the reason."""
    assert read(Docx(), data, tmp_path)["rule"] == rule


def test_the_deepest_nesting_that_xml_allows_is_read(tmp_path: Path) -> None:
    """Tables in tables, up to the bound of the parser."""
    body = p("core")
    for _ in range(80):
        body = f"<w:tbl><w:tr><w:tc>{body}</w:tc></w:tr></w:tbl>"
    assert text_of(body, tmp_path) == "core"


def test_the_real_chapter_is_read() -> None:
    """Headings, code in lines, and boxes of the publisher's template."""
    (path,) = samples("docx", "*.docx")
    (row,) = rows(Docx(), path, name=path.name)
    assert row["text"].startswith("Using Structs to Structure Related Data\n\nA struct")
    assert "struct User {\n    active: bool,\n    username: String," in row["text"]
    assert row["title"] == "Using Structs to Structure Related Data"
