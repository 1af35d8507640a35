"""Articles in JATS: what is in the text and what is not, licenses, dates, ids, and broken files."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders.jats import Jats
from tests.crawlers.loaders.reading import Row, rows, samples

DOCTYPE = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE article PUBLIC "-//NLM//DTD JATS v1.2//EN" "j.dtd">\n'
SPACES = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML"'
IDS = '<article-id pub-id-type="pmid">21</article-id><article-id pub-id-type="pmc">PMC7</article-id>'
ALI = 'xmlns:ali="http://www.niso.org/schemas/ali/1.0/"'


def article(body: str = "<p>Body.</p>", *, meta: str = IDS, front: str = "", back: str = "", more: str = "") -> str:
    return (
        f'<article {SPACES} article-type="research-article" xml:lang="en"><front><journal-meta><journal-title-group>'
        f"<journal-title>Journal of Tests</journal-title></journal-title-group></journal-meta><article-meta>{meta}"
        "<title-group><article-title>On <italic>E. coli</italic><xref ref-type='fn'>*</xref></article-title>"
        "</title-group><contrib-group><contrib><name><surname>Smithson</surname></name></contrib></contrib-group>"
        f"{front}</article-meta></front><body>{body}</body><back>{back}</back>{more}</article>"
    )


def read(folder: Path, content: str | bytes, loader: Jats | None = None) -> list[Row]:
    path = folder / "paper.nxml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return rows(loader or Jats(), path, name=path.name)


def text(folder: Path, body: str, loader: Jats | None = None, **parts: str) -> str:
    (row,) = read(folder, DOCTYPE + article(body, **parts), loader)
    assert row["rule"] is None, row["message"]
    return str(row["text"])


def test_an_article_has_its_abstract_body_and_facts(tmp_path: Path) -> None:
    abstract = "<abstract><sec><title>Aim</title><p>Why.</p></sec></abstract>"
    toc = '<abstract abstract-type="toc"><p>A teaser.</p></abstract>'
    keywords = "<kwd-group><title>Keywords</title><kwd>one</kwd><kwd>two</kwd></kwd-group>"
    body = "<sec><label>1.</label><title>First</title><p>A.</p></sec><sec><title>Second</title><p>B&nbsp;C.</p></sec>"
    doi = '<article-id pub-id-type="doi">10.1/x</article-id>'

    (row,) = read(tmp_path, DOCTYPE + article(body, meta=IDS + doi, front=abstract + toc + keywords))

    assert row["text"] == "Aim\n\nWhy.\n\nFirst\n\nA.\n\nSecond\n\nB C."
    assert (row["source_id"], row["title"]) == ("PMC7", "On E. coli")
    assert row["url"] == "https://pmc.ncbi.nlm.nih.gov/articles/PMC7/"
    assert row["metadata"] == {
        "journal": "Journal of Tests", "doi": "10.1/x", "pmid": "21", "article_type": "research-article",
        "language": "en", "keywords": "one; two",
    }  # fmt: skip
    assert "Smithson" not in str(row)


@pytest.mark.parametrize(
    ("ids", "source_id"),
    [
        ('<article-id pub-id-type="pmcid">PMC5</article-id>', "PMC5"),
        ('<article-id pub-id-type="pmc">5</article-id>', "PMC5"),
        ('<article-id pub-id-type="pmid">21</article-id>', "21"),
        ('<article-id pub-id-type="doi">10.1/x</article-id>', "10.1/x"),
        ('<article-id pub-id-type="publisher-id">j-5</article-id>', "paper.nxml"),
    ],
)
def test_the_id_is_of_pmc_pubmed_a_doi_or_the_file(tmp_path: Path, ids: str, source_id: str) -> None:
    (row,) = read(tmp_path, article(meta=ids))

    assert row["source_id"] == source_id


@pytest.mark.parametrize(
    ("permissions", "license"),
    [
        ('<license xlink:href="http://creativecommons.org/licenses/by/4.0/"/>', "CC-BY-4.0"),
        (f"<license><ali:license_ref {ALI}>https://creativecommons.org/licenses/by-nc/3.0/</ali:license_ref></license>",
         "CC-BY-NC-3.0"),
        (f"<ali:license_ref {ALI}>https://creativecommons.org/publicdomain/zero/1.0/</ali:license_ref>", "CC0-1.0"),
        ('<license><license-p>See <ext-link xlink:href="https://creativecommons.org/licenses/by-nd/4.0">'
         "this</ext-link></license-p></license>", "CC-BY-ND-4.0"),
        ("<license><p>Creative Commons Attribution-NonCommercial License, which permits</p></license>",
         "LicenseRef-CC-BY-NC"),
        ("<license><license-p>Published under CC BY-NC-ND 4.0.</license-p></license>", "CC-BY-NC-ND-4.0"),
        ("<license><license-p>This article is in the public domain.</license-p></license>",
         "LicenseRef-Public-Domain"),
        ("<license><license-p>All rights reserved.</license-p></license>", None),
        ("<copyright-statement>A name</copyright-statement>", None),
    ],
)  # fmt: skip
def test_the_license_is_that_of_the_permissions(tmp_path: Path, permissions: str, license: str | None) -> None:
    (row,) = read(tmp_path, article(front=f"<permissions>{permissions}</permissions>"))

    assert row["license"] == license
    assert (row["license_source"] is None) == (license is None)


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ('<pub-date pub-type="collection"><year>2011</year></pub-date><pub-date pub-type="epub"><day>2</day>'
         "<month>8</month><year>2012</year></pub-date>", (2012, 8, 2)),
        ("<pub-date><month>Mar</month><year>2010</year></pub-date>", (2010, 3, 1)),
        ('<pub-date pub-type="pmc-release"><day>1</day><month>1</month><year>2009</year></pub-date>'
         "<pub-date><season>Spring</season><year>2008</year></pub-date>", (2008, 1, 1)),
        (f"<pub-date><year>{'9' * 20}</year></pub-date>", None),
        ("<pub-date><day>31</day><month>2</month><year>2008</year></pub-date>", None),
    ],
)  # fmt: skip
def test_the_date_is_the_earliest_complete_one(
    tmp_path: Path, dates: str, expected: tuple[int, int, int] | None
) -> None:
    (row,) = read(tmp_path, article(front=dates))

    assert row["published_at"] == (datetime(*expected, tzinfo=UTC) if expected else None)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("Seen [<xref ref-type='bibr'>1</xref>, <xref ref-type='bibr'>2</xref>].", "Seen."),
        ("Seen <xref ref-type='bibr'>[1]</xref>,<xref ref-type='bibr'>[2]</xref>, too", "Seen, too"),
        ("Seen [<xref ref-type='bibr'>1</xref>]–[<xref ref-type='bibr'>3</xref>] twice", "Seen twice"),
        ("Seen [<xref ref-type='bibr'>1</xref>, p. 5].", "Seen [p. 5]."),
        ("Seen<sup><xref ref-type='bibr'>1</xref>–<xref ref-type='bibr'>3</xref></sup>.", "Seen."),
        ("By (<xref ref-type='bibr'>Ray 2008</xref>, <xref ref-type='bibr'>2009</xref>).", "By (Ray 2008, 2009)."),
        ("In <xref ref-type='fig'>Fig. 1</xref> (a)", "In Fig. 1 (a)"),
        ("A mass<sup><xref ref-type='table-fn'>a</xref></sup> of", "A mass of"),
        ("10<sup>6</sup> H<sub>2</sub>O Ca<sup>2+</sup> m<sup>−2</sup>", "10^6 H2O Ca2+ m^−2"),
        ("<bold>P</bold>ro<italic>tein</italic><break/>Next <!-- a note --><?pi x?>one", "Protein Next one"),
    ],
)
def test_words_and_marks_in_a_line(tmp_path: Path, markup: str, expected: str) -> None:
    assert text(tmp_path, f"<p>{markup}</p>") == expected


def test_blocks_are_lists_tables_quotes_and_boxes(tmp_path: Path) -> None:
    body = (
        "<p>Before:<list><list-item><label>1</label><p>One</p></list-item><list-item><p>Two</p></list-item></list>"
        "after.</p><def-list><def-item><term>pH</term><def><p>acidity</p></def></def-item></def-list>"
        "<boxed-text><label>Box 1</label><caption><title>In short</title></caption><p>Boxed.</p></boxed-text>"
        "<statement><label>Theorem 1.</label><p>All.</p></statement><disp-quote><p>Said.</p></disp-quote>"
        "<preformat>a\n  b</preformat>"
    )

    assert text(tmp_path, body) == (
        "Before:\n\n- One\n- Two\n\nafter.\n\npH: acidity\n\nBox 1\n\nIn short\n\nBoxed.\n\nTheorem 1.\n\nAll.\n\nSaid."
        "\n\na\n  b"
    )


TABLE = (
    "<table-wrap><label>Table 1</label><caption><p>Doses.</p></caption><alternatives><graphic xlink:href='t.tif'/>"
    "<table><thead><tr><th>Drug</th><th>mg</th></tr></thead><tbody><tr><td>A<break/>B</td><td>5</td></tr></tbody>"
    "</table></alternatives><table-wrap-foot><fn><p>Note.</p></fn></table-wrap-foot></table-wrap>"
)
FORMULAS = (
    "<p>So <inline-formula><alternatives><tex-math>\\documentclass{x}\\begin{document}$$a^2$$\\end{document}"
    "</tex-math><graphic xlink:href='f.gif'/></alternatives></inline-formula> and "
    "<inline-formula><mml:math><mml:mfrac><mml:mi>a</mml:mi><mml:mi>b</mml:mi></mml:mfrac></mml:math>"
    "</inline-formula>.</p><disp-formula><label>(1)</label><mml:math><mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn>"
    "</mml:msup></mml:math></disp-formula>"
)
REFERENCES = (
    "<ref-list><title>References</title><ref><mixed-citation>Ray. Rain. 2008.</mixed-citation></ref></ref-list>"
)
FIGURE = "<fig><label>Figure 1</label><caption><title>Rain.</title><p>By day.</p></caption><graphic/></fig>"


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ([], "P."),
        (["tables"], "P.\n\nDrug | mg\nA B | 5"),
        (["tables", "captions"], "P.\n\nTable 1\n\nDoses.\n\nDrug | mg\nA B | 5\n\nFigure 1\n\nRain.\n\nBy day."),
        (["references"], "P.\n\nReferences\n\nRay. Rain. 2008."),
        (["footnotes", "acknowledgments"], "P.\n\nThanks.\n\nA footnote."),
        (["back_sections"], "P.\n\nFunding\n\nA fund paid."),
    ],
)
def test_optional_parts(tmp_path: Path, keep: list[str], expected: str) -> None:
    funding = "<sec><title>Funding</title><p>A fund paid.</p></sec>"
    back = f"<ack><p>Thanks.</p></ack>{funding}<fn-group><fn><p>A footnote.</p></fn></fn-group>{REFERENCES}"

    assert text(tmp_path, f"<p>P.</p>{TABLE}{FIGURE}", Jats(keep=keep), back=back) == expected


def test_formulas_are_tex_without_preamble(tmp_path: Path) -> None:
    assert text(tmp_path, FORMULAS) == "So $a^2$ and $\\frac{a}{b}$.\n\n$$x^{2}$$"
    assert text(tmp_path, FORMULAS, Jats(keep=[])) == "So and."


def test_sub_articles_are_counted_or_documents_of_their_own(tmp_path: Path) -> None:
    review = (
        '<sub-article id="r1"><front-stub><title-group><article-title>Review</article-title></title-group></front-stub>'
        "<body><p>Major.</p></body></sub-article><response><body><p>Thank you.</p></body></response>"
    )
    path = tmp_path / "a.xml"
    path.write_text(article(more=review))
    counts: Counter[str] = Counter()

    assert [row.to_pylist()[0]["text"] for row in Jats().read(str(path), name="a.xml", counts=counts)] == ["Body."]
    assert counts["sub_articles"] == 2
    assert [(row["source_id"], row["title"], row["text"]) for row in rows(Jats(sub_articles=True), path)] == [
        ("PMC7", "On E. coli", "Body."), ("PMC7#r1", "Review", "Major."), ("PMC7#2", None, "Thank you."),
    ]  # fmt: skip


def test_a_set_has_many_articles_and_a_broken_one_does_not_affect_its_neighbors(tmp_path: Path) -> None:
    other = article("<p>Other.</p>", meta=IDS.replace("PMC7", "PMC8"))
    deep = article("<sec>" * 100_000)

    found = read(tmp_path, f"<pmc-articleset>{article()}{article('<p>open')}{deep}{other}</pmc-articleset>")

    assert [row["rule"] for row in found] == [None, "error.not_xml", "error.not_xml", None]
    assert [found[0]["source_id"], found[3]["source_id"]] == ["PMC7", "PMC8"]


def test_a_default_namespace_is_ignored(tmp_path: Path) -> None:
    """OAI-PMH of PubMed Central adds one."""
    content = article().replace("<article ", '<article xmlns="https://jats.nlm.nih.gov/ns/archiving/1.4/" ', 1)

    (row,) = read(tmp_path, content)

    assert (row["source_id"], row["text"]) == ("PMC7", "Body.")


def test_encodings_are_those_of_the_declaration(tmp_path: Path) -> None:
    content = '<?xml version="1.0" encoding="ISO-8859-1"?>' + article("<p>Café &eacute;.</p>")

    (row,) = read(tmp_path, content.encode("latin-1"))

    assert row["text"] == "Café é."


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("not XML", "error.wrong_format"),
        ("<html><body><p>x</p></body></html>", "error.wrong_format"),
        (article()[:-20], "error.truncated"),
        (article("").replace("<title-group>", "<!-- --><title-group>"), "error.no_text"),
        ("<!DOCTYPE article [<!ENTITY a 'aa'>]>" + article("<p>&a;</p>"), "error.entities"),
    ],
)
def test_what_is_no_whole_article_is_set_aside(tmp_path: Path, content: str, rule: str) -> None:
    (row,) = read(tmp_path, content)

    assert row["rule"] == rule
    assert rule == "error.no_text" or row["message"].startswith("paper.nxml: ")


def test_the_samples_have_licenses_and_no_traces_of_markup() -> None:
    found = [rows(Jats(), path, name=path.name)[0] for path in samples("jats", "*.nxml")]

    assert len(found) == 11
    assert sum(row["license"] is not None for row in found) == 9
    for row in found:
        assert row["source_id"].startswith("PMC")
        for trace in ("()", "[]", "[,", "(,", ",,", "</", "\\documentclass", "\ue0f0"):
            assert trace not in row["text"], trace
        assert len(row["text"]) > 15_000
