"""Citations of MEDLINE and PubMed: which are documents, their texts, dates and revisions, and broken files."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders.base import MIN_SLICE_BYTES
from corpusmill.crawlers.loaders.medline import Medline
from tests.crawlers.loaders.reading import Row, in_slices, rows, samples

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet SYSTEM "pubmed_190101.dtd">\n'
ABSTRACT = "<Abstract><AbstractText>It rains.</AbstractText></Abstract>"
DAY = "<PubDate><Year>2018</Year><Month>May</Month><Day>17</Day></PubDate>"


def citation(
    pmid: int = 1,
    *,
    abstract: str = ABSTRACT,
    title: str = "On rain.",
    date: str = DAY,
    article: str = "",
    more: str = "",
) -> str:
    return (
        f'<MedlineCitation Status="MEDLINE"><PMID Version="1">{pmid}</PMID><DateCompleted><Year>2018</Year><Month>05'
        f"</Month><Day>24</Day></DateCompleted><Article><Journal><JournalIssue>{date}</JournalIssue><Title>Rain</Title>"
        f'</Journal><ArticleTitle>{title}</ArticleTitle><ELocationID EIdType="doi">10.1/r</ELocationID>{abstract}'
        "<AuthorList><Author><LastName>Smithson</LastName><AffiliationInfo><Affiliation>Elm Street</Affiliation>"
        f"</AffiliationInfo></Author></AuthorList><Language>eng</Language>{article}</Article>{more}</MedlineCitation>"
    )


def record(pmid: int = 1, **parts: str) -> str:
    data = '<PubmedData><ArticleIdList><ArticleId IdType="pmc">PMC9</ArticleId></ArticleIdList></PubmedData>'
    return f"<PubmedArticle>{citation(pmid, **parts)}{data}</PubmedArticle>\n"


def as_set(*records: str) -> str:
    return f"{HEAD}<PubmedArticleSet>\n{''.join(records)}</PubmedArticleSet>"


def read(folder: Path, content: str, loader: Medline | None = None) -> list[Row]:
    path = folder / "pubmed24n0001.xml"
    path.write_text(content)
    return rows(loader or Medline(), path, name=path.name)


def test_a_citation_has_its_abstract_and_facts(tmp_path: Path) -> None:
    headings = (
        "<MeshHeadingList><MeshHeading><DescriptorName>Rain</DescriptorName><QualifierName>methods</QualifierName>"
        "</MeshHeading><MeshHeading><DescriptorName>Humans</DescriptorName></MeshHeading></MeshHeadingList>"
        "<DateRevised><Year>2022</Year><Month>04</Month><Day>10</Day></DateRevised>"
    )

    (row,) = read(tmp_path, as_set(record(29, more=headings)))

    assert (row["source_id"], row["title"], row["text"]) == ("29", "On rain.", "It rains.")
    assert row["url"] == "https://pubmed.ncbi.nlm.nih.gov/29/"
    assert row["published_at"] == datetime(2018, 5, 17, tzinfo=UTC)
    assert row["fetched_at"] == datetime(2022, 4, 10, tzinfo=UTC)
    assert row["license"] is None
    assert row["metadata"] == {
        "doi": "10.1/r", "pmc": "PMC9", "journal": "Rain", "language": "eng", "mesh": "Rain/methods; Humans",
    }  # fmt: skip
    assert "Smithson" not in str(row)
    assert "Elm" not in str(row)


@pytest.mark.parametrize(
    ("abstract", "expected"),
    [
        ('<AbstractText Label="AIM">Why.</AbstractText><AbstractText Label="RESULTS:">What.</AbstractText>',
         "AIM: Why.\n\nRESULTS: What."),
        ('<AbstractText Label="UNLABELLED">Only this.</AbstractText>', "Only this."),
        ("<AbstractText>One.</AbstractText><CopyrightInformation>© 2018 P.</CopyrightInformation>", "One."),
        ("<AbstractText>One. Copyright © 2010 A. B. Ltd. All rights reserved.</AbstractText>", "One."),
        ("<AbstractText>The copyright of 1994 is old.</AbstractText>", "The copyright of 1994 is old."),
        ("<AbstractText>One. (ABSTRACT TRUNCATED AT 250 WORDS)</AbstractText>", "One."),
        ("<AbstractText>10<sup>6</sup> H<sub>2</sub>O, <i>E. coli</i>, Ca<sup>2+</sup>, P&lt;0.05</AbstractText>",
         "10^6 H2O, E. coli, Ca2+, P<0.05"),
        ("<AbstractText>acting β\n\t\t<sub>2</sub>-agonist</AbstractText>", "acting β2-agonist"),
        ('<AbstractText>So <m:math xmlns:m="http://www.w3.org/1998/Math/MathML"><m:msup><m:mi>x</m:mi><m:mn>2</m:mn>'
         "</m:msup></m:math>.</AbstractText>", "So $x^{2}$."),
    ],
)  # fmt: skip
def test_the_text_is_the_sections_without_copyright(tmp_path: Path, abstract: str, expected: str) -> None:
    (row,) = read(tmp_path, as_set(record(abstract=f"<Abstract>{abstract}</Abstract>")))

    assert row["text"] == expected


@pytest.mark.parametrize(
    ("title", "vernacular", "expected"),
    [
        ("[A study of rain].", "Eine Studie.", "A study of rain."),
        ("[Does it rain?]", "", "Does it rain?"),
        ("[18F]FDG and [11C]choline.", "", "[18F]FDG and [11C]choline."),
        ("[A] or [B]", "", "[A] or [B]"),
        ("[Not Available].", "Über Regen.", "Über Regen."),
    ],
)
def test_the_brackets_of_a_translated_title_are_removed(
    tmp_path: Path, title: str, vernacular: str, expected: str
) -> None:
    (row,) = read(tmp_path, as_set(record(title=title, article=f"<VernacularTitle>{vernacular}</VernacularTitle>")))

    assert row["title"] == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("<PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate>", (1998, 12, 1)),
        ("<PubDate><MedlineDate>2000 Nov 15-30</MedlineDate></PubDate>", (2000, 11, 15)),
        ("<PubDate><MedlineDate>Spring 2001</MedlineDate></PubDate>", (2001, 3, 1)),
        ("<PubDate><MedlineDate>1975-1976</MedlineDate></PubDate>", (1975, 1, 1)),
        ("<PubDate><Year>1999</Year><Season>Fall</Season></PubDate>", (1999, 9, 1)),
        ("<PubDate><Year>1999</Year></PubDate>", (1999, 1, 1)),
        (f"<PubDate><Year>{'9' * 20}</Year></PubDate>", None),
        ("<PubDate><MedlineDate>unknown</MedlineDate></PubDate>", None),
    ],
)
def test_dates_of_issues_are_read(tmp_path: Path, date: str, expected: tuple[int, int, int] | None) -> None:
    (row,) = read(tmp_path, as_set(record(date=date)))

    assert row["published_at"] == (datetime(*expected, tzinfo=UTC) if expected else None)


def test_the_day_of_the_electronic_article_is_better_than_a_month(tmp_path: Path) -> None:
    electronic = "<ArticleDate><Year>2017</Year><Month>11</Month><Day>03</Day></ArticleDate>"

    (row,) = read(tmp_path, as_set(record(date="<PubDate><Year>2018</Year></PubDate>", article=electronic)))

    assert row["published_at"] == datetime(2017, 11, 3, tzinfo=UTC)


def test_deletions_and_citations_without_abstract_are_counted(tmp_path: Path) -> None:
    other = '<OtherAbstract Language="spa"><AbstractText>Llueve.</AbstractText></OtherAbstract>'
    deleted = "<DeleteCitation><PMID Version='1'>7</PMID><PMID Version='1'>8</PMID></DeleteCitation>"
    path = tmp_path / "update.xml.gz"
    path.write_bytes(gzip.compress(as_set(record(1), record(2, abstract="", more=other), deleted).encode()))
    counts: Counter[str] = Counter()

    found = [row for batch in Medline().read(str(path), name="u", counts=counts) for row in batch.to_pylist()]

    assert [row["source_id"] for row in found] == ["1"]
    assert (counts["without_abstract"], counts["deletions"]) == (1, 2)
    assert [row["text"] for row in rows(Medline(keep=["other_abstracts"]), path)] == ["It rains.", "Llueve."]


def test_old_sets_and_books_are_read(tmp_path: Path) -> None:
    book = (
        "<PubmedBookArticle><BookDocument><PMID>5</PMID><Book><BookTitle>Genes</BookTitle></Book><ArticleTitle>"
        f"A chapter</ArticleTitle>{ABSTRACT}</BookDocument></PubmedBookArticle>"
    )
    old = f"<MedlineCitationSet>{citation(3)}{citation(4)}</MedlineCitationSet>"

    assert [row["source_id"] for row in read(tmp_path, old)] == ["3", "4"]
    assert [(row["source_id"], row["title"]) for row in read(tmp_path, as_set(book))] == [("5", "A chapter")]


def test_slices_give_each_citation_once(tmp_path: Path) -> None:
    path = tmp_path / "set.xml"
    path.write_text(as_set(*(record(number) for number in range(100))))
    size = path.stat().st_size

    found = in_slices(Medline(), path, [0, 9_000, 9_001, size // 2, size])

    assert [row["source_id"] for row in found] == [str(number) for number in range(100)]
    with path.open("ab") as file:
        file.truncate(2 * MIN_SLICE_BYTES)
    assert len(Medline().slices(str(path))) == 2


def test_a_broken_citation_does_not_affect_its_neighbors(tmp_path: Path) -> None:
    content = as_set(record(1), record(2, title="<i>open"), record(3, more="<x>" * 100_000), record(4))

    found = read(tmp_path, content)

    assert [row["rule"] for row in found] == [None, "error.not_xml", "error.not_xml", None]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("<html><p>no</p></html>", "error.wrong_format"),
        ('<!DOCTYPE PubmedArticleSet [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + as_set(record()), "error.entities"),
    ],
)
def test_what_is_no_set_is_set_aside_with_the_name_of_the_file(tmp_path: Path, content: str, rule: str) -> None:
    (row,) = read(tmp_path, content)

    assert row["rule"] == rule
    assert row["message"].startswith("pubmed24n0001.xml: ")


def test_a_truncated_file_keeps_the_citations_before_its_end(tmp_path: Path) -> None:
    content = as_set(record(1), record(2))[:-100]
    path = tmp_path / "cut.xml.gz"
    path.write_bytes(gzip.compress(as_set(*(record(number) for number in range(3000))).encode())[:-2000])

    assert [row["rule"] for row in read(tmp_path, content)] == [None, "error.truncated"]
    packed = rows(Medline(), path)
    assert {row["rule"] for row in packed[:-1]} == {None}
    assert packed[-1]["rule"] == "error.truncated"


def test_the_sample_is_read_as_pubmed_shows_it() -> None:
    (path,) = samples("medline", "*.xml")

    (row,) = rows(Medline(), path)

    assert row["source_id"] == "29768149"
    assert row["title"] == "Inhaled Combined Budesonide-Formoterol as Needed in Mild Asthma."
    assert [line.split(":")[0] for line in row["text"].split("\n\n")] == [
        "BACKGROUND", "METHODS", "RESULTS", "CONCLUSIONS",
    ]  # fmt: skip
    assert "fast-acting β2-agonist may be" in row["text"]
    assert row["published_at"] == datetime(2018, 5, 17, tzinfo=UTC)
    assert "Asthma/drug therapy" in row["metadata"]["mesh"]
    assert "Byrne" not in str(row)
