"""Texts in TEI: papers by GROBID and editions, readings, line breaks, optional parts, corpora and broken files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders.tei import Tei
from tests.crawlers.loaders.reading import Row, rows, samples

NAMESPACE = 'xmlns="http://www.tei-c.org/ns/1.0"'
AVAILABLE = '<availability><licence target="https://creativecommons.org/licenses/by/4.0/"/></availability>'


def tei(
    body: str = "<p>Body.</p>", *, publication: str = AVAILABLE, source: str = "", profile: str = "", more: str = "",
    root: str = NAMESPACE,
) -> str:  # fmt: skip
    return (
        f'<TEI {root}><teiHeader><fileDesc><titleStmt><title type="main">On rain</title><title type="sub">A study'
        "</title><author>Smithson</author></titleStmt>"
        f"<publicationStmt><publisher>P</publisher>{publication}</publicationStmt><sourceDesc><biblStruct><analytic>"
        f"<author><persName>Smithson</persName></author>{source}</analytic></biblStruct></sourceDesc></fileDesc>"
        f'<profileDesc>{profile}</profileDesc></teiHeader><text xml:lang="en"><body>{body}</body>{more}</text></TEI>'
    )


def read(folder: Path, content: str, loader: Tei | None = None) -> list[Row]:
    path = folder / "paper.tei.xml"
    path.write_text(content)
    return rows(loader or Tei(), path, name=path.name)


def text(folder: Path, body: str, loader: Tei | None = None, **parts: str) -> str:
    (row,) = read(folder, tei(body, **parts), loader)
    assert row["rule"] is None, row["message"]
    return str(row["text"])


def test_a_paper_has_its_abstract_body_and_facts(tmp_path: Path) -> None:
    profile = "<abstract><div><p>Why.</p></div></abstract><textClass><keywords><term>one</term></keywords></textClass>"
    source = '<idno type="DOI">https://doi.org/10.1234/x.5</idno>'
    date = '<date type="published" when="2020-07">July</date>'
    body = '<div><head n="1">First</head><p>A &amp; B&nbsp;C.</p></div><div><head>Second</head><p>D.</p></div>'
    back = (
        '<back><div type="acknowledgement"><p>Thanks.</p></div><div type="funding"><p>Money.</p></div>'
        '<div type="annex"><p>Annex.</p></div><div type="references"><listBibl><bibl>Ray 2008.</bibl></listBibl></div>'
        "</back>"
    )

    (row,) = read(tmp_path, tei(body, publication=AVAILABLE + date, source=source, profile=profile, more=back))

    assert row["text"] == "Why.\n\nFirst\n\nA & B C.\n\nSecond\n\nD.\n\nAnnex."
    assert (row["source_id"], row["title"]) == ("10.1234/x.5", "On rain: A study")
    assert row["url"] == "https://doi.org/10.1234/x.5"
    assert (row["license"], row["license_source"]) == ("CC-BY-4.0", "tei:licence@target")
    assert row["published_at"] == datetime(2020, 7, 1, tzinfo=UTC)
    assert row["metadata"] == {"doi": "10.1234/x.5", "keywords": "one", "language": "en"}
    assert "Smithson" not in str(row)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("a <choice><sic>wrod</sic><corr>word</corr></choice> of", "a word of"),
        ("<choice><reg>use</reg><orig>vse</orig></choice> and <choice><abbr>Dr</abbr><expan>Doctor</expan></choice>",
         "use and Doctor"),
        ("the <app><lem>cat</lem><rdg>rat</rdg></app> <del>sat</del><add>slept</add>", "the cat slept"),
        ("im<lb break='no'/>portant, un-\n<lb break='no' n='2'/>til", "important, until"),
        ("impor-<lb/>tant, Jean-<lb/>Paul, two<lb/>lines", "important, Jean-Paul, two lines"),
        ("mid-<pb n='5'/><lb break='no'/>way", "midway"),
        ("a<note place='foot'>Not here.</note> b<fw>Page 5</fw>", "a b"),
        ("known [<ref type='bibr'>1</ref>, <ref type='bibr'>2</ref>], and <ref type='bibr'>(Ray, 2008)</ref>.",
         "known, and (Ray, 2008)."),
        ("known <ref type='bibr'>[1,</ref><ref type='bibr'>2]</ref>.", "known."),
        ("in Figure <ref type='figure'>1</ref><ref type='foot'>2</ref>", "in Figure 1"),
        ("10<hi rend='superscript'>6</hi> <hi rend='italic'>E. coli</hi>", "10^6 E. coli"),
        ("<s>One.</s><s>Two.</s>", "One. Two."),
        ("so <formula notation='TeX'>a^2</formula> is", "so $a^2$ is"),
    ],
)  # fmt: skip
def test_words_in_a_line(tmp_path: Path, markup: str, expected: str) -> None:
    assert text(tmp_path, f"<p>{markup}</p>") == expected


def test_the_original_readings_are_a_choice(tmp_path: Path) -> None:
    body = "<p><choice><sic>wrod</sic><corr>word</corr></choice> <choice><orig>vse</orig><reg>use</reg></choice></p>"

    assert text(tmp_path, body, Tei(readings="original")) == "wrod vse"


def test_blocks_are_lists_verse_speeches_and_quotations(tmp_path: Path) -> None:
    body = (
        "<p>Before <list><item>One</item><label>1.</label><item>Two</item></list> after</p>"
        "<list type='gloss'><label>Rain</label><item>water</item></list>"
        "<sp><speaker>HAMLET</speaker><l>To be,</l><l>or not</l></sp>"
        "<lg><l>A</l><l>B</l></lg><lg><l>C</l></lg>"
        "<p>He said <q>yes</q>.</p><quote><p>Long.</p></quote>"
    )

    assert text(tmp_path, body) == (
        "Before\n\n- One\n- Two\n\nafter\n\n- Rain: water\n\nHAMLET\n\nTo be,\nor not\n\nA\nB\n\nC\n\nHe said yes."
        "\n\nLong."
    )


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ([], "P."),
        (["tables"], "P.\n\nDrug | mg\nA | 5"),
        (["captions"], "P.\n\nTable 1\n\nDoses."),
        (["formulas"], "P.\n\n$$x^2$$"),
        (["footnotes"], "P.\n\nA note.\n\nAt the foot."),
        (["references"], "P.\n\nRay. Rain. 2008.\n\nMay. Snow."),
        (["acknowledgments"], "P.\n\nThanks."),
    ],
)
def test_optional_parts(tmp_path: Path, keep: list[str], expected: str) -> None:
    body = (
        "<p>P.<note>A note.</note></p><formula notation='TeX'>x^2<label>(1)</label></formula>"
        "<figure type='table'><head>Table 1</head><label>1</label><figDesc>Doses.</figDesc><table><row><cell>Drug"
        "</cell><cell>mg</cell></row><row><cell>A</cell><cell>5</cell></row></table></figure>"
        "<note place='foot'>At the foot.</note>"
    )
    back = (
        "<back><div type='acknowledgement'><p>Thanks.</p></div><div type='references'><listBibl><biblStruct><analytic>"
        "<title>Rain</title></analytic><note type='raw_reference'>Ray. Rain. 2008.</note></biblStruct><bibl>May. Snow."
        "</bibl></listBibl></div></back>"
    )

    assert text(tmp_path, body, Tei(keep=keep), more=back) == expected


@pytest.mark.parametrize(
    ("availability", "license"),
    [
        ("<availability><p>Published under CC BY-SA 3.0.</p></availability>", "CC-BY-SA-3.0"),
        ("<availability><licence>Creative Commons Attribution 4.0 International License</licence></availability>",
         "CC-BY-4.0"),
        ("<availability><p>See https://creativecommons.org/publicdomain/zero/1.0/.</p></availability>", "CC0-1.0"),
        ("<availability status='unknown'><licence/></availability>", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_license_is_that_of_the_file(tmp_path: Path, availability: str, license: str | None) -> None:
    body = "<p>By https://creativecommons.org/licenses/by-nd/4.0/</p>"

    (row,) = read(tmp_path, tei(body, publication=availability))

    assert row["license"] == license


def test_a_corpus_has_many_texts_and_a_broken_one_does_not_affect_its_neighbors(tmp_path: Path) -> None:
    header = f"<teiHeader><fileDesc><publicationStmt>{AVAILABLE}</publicationStmt></fileDesc></teiHeader>"
    members = (
        tei("<p x:a='1'>One.</p>", root="", publication=""), tei("<p>open", root=""),
        tei("<div>" * 100_000, root=""), tei("<p>Four.</p>", root=""),
    )  # fmt: skip
    corpus = f'<teiCorpus {NAMESPACE} xmlns:x="http://example.org/x">{header}{"".join(members)}</teiCorpus>'

    found = read(tmp_path, corpus)

    assert [row["rule"] for row in found] == [None, "error.not_xml", "error.not_xml", None]
    assert [row["source_id"] for row in found] == [f"paper.tei.xml#{number}" for number in (1, 2, 3, 4)]
    assert [found[0]["text"], found[3]["text"]] == ["One.", "Four."]
    assert found[0]["license"] == "CC-BY-4.0"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("<html><p>no</p></html>", "error.wrong_format"),
        (tei()[:-20], "error.truncated"),
        ("<!DOCTYPE TEI [<!ENTITY a 'aa'>]>" + tei("<p>&a;</p>"), "error.entities"),
    ],
)
def test_what_is_no_whole_text_is_set_aside(tmp_path: Path, content: str, rule: str) -> None:
    (row,) = read(tmp_path, content)

    assert row["rule"] == rule
    assert row["message"].startswith("paper.tei.xml: ")


def test_notes_on_verse_follow_their_stanza(tmp_path: Path) -> None:
    body = "<lg><l>A<note>On A.</note></l>\n<l>B</l></lg><lg><l>C</l></lg>"

    assert text(tmp_path, body, Tei(keep=["footnotes"])) == "A\nB\n\nOn A.\n\nC"


def test_many_line_breaks_take_linear_time(tmp_path: Path) -> None:
    breaks = "<lb/>" * 100_000

    assert text(tmp_path, f"<p>a<lb break='no'/>b{breaks}c</p>") == "ab c"


def test_a_text_without_words_is_set_aside(tmp_path: Path) -> None:
    (row,) = read(tmp_path, tei("<pb/>"))

    assert row["rule"] == "error.no_text"


def test_the_samples_are_read_without_notes_and_names() -> None:
    papers = [rows(Tei(), path, name=path.name)[0] for path in samples("tei", "*.xml")]

    assert [row["title"] for row in papers] == [
        "SPECTER: Document-level Representation Learning using Citation-informed Transformers",
        "Construction of the Literature Graph in Semantic Scholar",
    ]
    for row in papers:
        assert row["license"] is None
        assert "\n\nIntroduction\n\n" in row["text"]
        assert "armanc@allenai.org" not in row["text"]
        for trace in ("()", "[]", "</", "\ue0f0", "\ue0f1", "\ue0f2"):
            assert trace not in row["text"], trace
    assert "SPECTER | 84.2 88.4 91.5 36.9 80.0" in papers[0]["text"]


def test_parts_of_entries_and_casts_are_words_of_their_own(tmp_path: Path) -> None:
    """A dictionary prints them apart by fonts; entries and members of a cast stand alone."""
    entries = (
        "<div><entry><form><orth>rain</orth><pron>rein</pron></form><gramGrp><pos>n.</pos></gramGrp>"
        "<sense n='1'><def>water falling</def></sense></entry><entry><form><orth>sun</orth></form>"
        "<sense><def>a star</def></sense></entry></div>"
    )
    cast = "<castList><castItem><role>Ham</role><roleDesc>a prince</roleDesc></castItem></castList>"

    assert text(tmp_path, entries + cast) == "rain rein n. water falling\n\nsun a star\n\nHam a prince"
