"""Dumps of MediaWiki: documents, columns, counts, slices, and broken files."""

from __future__ import annotations

import bz2
import gzip
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from corpusmill.crawlers.loaders.bzip2_streams import Bzip2Streams
from corpusmill.crawlers.loaders.wikipedia import Wikipedia
from tests.crawlers.loaders.reading import in_slices, rows, samples
from tests.crawlers.loaders.wikipedia.dumps import dump, head, multistream, page

ARTICLE = "'''Orte''' is {{convert|10|mi|km}} from [[Rome]].{{citation needed}}<ref>x</ref>\n[[Category:Towns]]"


def write(folder: Path, data: str | bytes, name: str = "dump.xml") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def counts_of(loader: Wikipedia, path: Path) -> Counter[str]:
    """Return what is counted in a file."""
    counts: Counter[str] = Counter()
    list(loader.read(str(path), name="name", counts=counts))
    return counts


def test_a_page_fills_the_columns(tmp_path: Path) -> None:
    """The contract of the format; names of authors are not in the metadata."""
    path = write(tmp_path, dump([page(12, ARTICLE, title="Orte & co")]))

    [row] = rows(Wikipedia(), path)

    assert row["text"] == "Orte is 10 miles (16 km) from Rome."
    assert (row["source_id"], row["title"]) == ("12", "Orte & co")
    assert row["url"] == "https://en.wikipedia.org/wiki/Orte_%26_co"
    assert (row["license"], row["license_source"]) == ("CC-BY-SA-4.0", "mediawiki:siteinfo")
    assert row["published_at"] == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert row["metadata"] == {
        "categories": "Towns",
        "language": "en",
        "links": "1",
        "published_at_source": "revision:timestamp",
        "revision": "1012",
    }
    assert path.read_bytes()[row["offset"] :].startswith(b"<page>")


def test_other_pages_are_counted(tmp_path: Path) -> None:
    """Nothing is lost silently: each page is a document, a row of the ledger, or counted."""
    path = write(
        tmp_path,
        dump(
            [
                page(1, "Text."),
                page(2, "#REDIRECT [[Page 1]]"),
                page(3, "x", extra='<redirect title="Page 1" />'),
                page(4, "Talk.", namespace=1),
                page(5, "{}", model="json"),
                page(6, "One.\n{{disambiguation}}"),
                page(7, "{{Infobox|a=b}}"),
            ]
        ),
    )
    loader = Wikipedia(disambiguation="drop")

    read = rows(loader, path)

    assert [(row["source_id"], row["rule"]) for row in read] == [("1", None), ("7", "error.no_text")]
    assert counts_of(loader, path) == {
        "redirect": 2,
        "other_namespace": 1,
        "other_model": 1,
        "disambiguation": 1,
        "ids.given": 1,
    }
    assert len(rows(Wikipedia(namespaces=(0, 1)), path)) == 4


def test_the_last_revision_is_the_document(tmp_path: Path) -> None:
    """Histories have all revisions of a page, in any order."""
    revisions = "".join(
        f"<revision><id>{at}</id><timestamp>20{at}-01-01T00:00:00Z</timestamp><text>{at}.</text></revision>"
        for at in (10, 12, 11)
    )
    path = write(tmp_path, f"{head()}<page><title>A</title><id>5</id>{revisions}</page></mediawiki>")

    [row] = rows(Wikipedia(), path)

    assert (row["text"], row["metadata"]["revision"]) == ("12.", "12")


@pytest.mark.parametrize(
    ("generator", "changed", "license"),
    [
        ("MediaWiki 1.27.0-wmf.22", "2016-01-01T00:00:00Z", "CC-BY-SA-3.0"),
        ("MediaWiki 1.41.0-wmf.11", "2016-01-01T00:00:00Z", "CC-BY-SA-3.0"),
        ("MediaWiki 1.41.0-wmf.12", "2016-01-01T00:00:00Z", "CC-BY-SA-4.0"),
        ("", "2023-06-07T00:00:00Z", "CC-BY-SA-4.0"),
    ],
)
def test_the_license_is_that_of_the_time_of_the_dump(
    tmp_path: Path, generator: str, changed: str, license: str
) -> None:
    """Wikimedia changed the version of its license in June 2023."""
    path = write(tmp_path, dump([page(1, "A.", timestamp=changed)], generator=generator))

    assert rows(Wikipedia(), path)[0]["license"] == license


def test_another_wiki_has_no_license_of_its_own(tmp_path: Path) -> None:
    """Its dumps do not name one; a recipe can."""
    text = dump([page(1, "A.")]).replace("https://en.wikipedia.org/wiki/", "https://wiki.example/index.php?title=")

    [row] = rows(Wikipedia(), write(tmp_path, text))

    assert (row["license"], row["url"]) == (None, "https://wiki.example/index.php?title=Page_1")


def test_the_language_of_the_wiki_chooses_the_templates(tmp_path: Path) -> None:
    """The same template has another text in another wiki; the recipe can name the language."""
    path = write(tmp_path, dump([page(1, "{{formatnum:12345.5}} {{Box}} {{my|a}}")], language="de"))

    assert rows(Wikipedia(), path)[0]["text"] == "12.345,5 a"
    assert rows(Wikipedia(language="en", templates={"My": "«{1}»"}), path)[0]["text"] == "12,345.5 «a»"
    with pytest.raises(ValidationError, match="keep"):
        Wikipedia(keep=("boxes",))  # type: ignore[arg-type]


PAGES = [page(number, f"Text {number}. " + "word " * number) for number in range(1, 60)]


@pytest.mark.parametrize("packing", ["plain", "bz2", "multistream", "gz", "utf-16"])
def test_every_form_of_a_dump_has_the_same_documents(tmp_path: Path, packing: str) -> None:
    """Plain, compressed, in many streams, in UTF-16."""
    text = dump(PAGES)
    forms = {
        "plain": text.encode(),
        "bz2": bz2.compress(text.encode()),
        "multistream": multistream(PAGES),
        "gz": gzip.compress(text.encode()),
        "utf-16": text.encode("utf-16"),
    }
    path = write(tmp_path, forms[packing])
    loader = Wikipedia()

    read = [row for start, end in loader.slices(str(path)) for row in rows(loader, path, start=start, end=end)]

    assert [row["source_id"] for row in read] == [str(number) for number in range(1, 60)]
    assert read[58]["text"] == "Text 59. " + " ".join(["word"] * 59)


@pytest.mark.parametrize("packing", ["plain", "multistream", "torn"])
def test_slices_anywhere_have_each_page_once(tmp_path: Path, packing: str) -> None:
    """Also if the streams of bzip2 end within a page, as parallel compressors write them."""
    text = dump(PAGES).encode()
    torn = b"".join(bz2.compress(text[at : at + 1700]) for at in range(0, len(text), 1700))
    path = write(tmp_path, {"plain": text, "multistream": multistream(PAGES), "torn": torn}[packing])
    size = path.stat().st_size
    whole = rows(Wikipedia(), path, end=size)

    for count in (2, 5, 40):
        edges = [size * at // count for at in range(count + 1)]
        assert in_slices(Wikipedia(), path, edges) == whole
    assert len(whole) == 59


def test_a_slice_reads_only_its_streams(tmp_path: Path) -> None:
    """Otherwise, two workers would not be faster than one."""
    data = multistream(PAGES)
    path = write(tmp_path, data)
    starts = [at for at in range(len(data)) if data.startswith(b"BZh91AY&SY", at)]

    with Bzip2Streams(str(path), start=starts[3] - 5, end=starts[4]) as stream:
        first = stream.read(10**6)
        second = stream.read(10**6)

    assert first == bz2.decompress(data[starts[3] : starts[4]])
    assert second == bz2.decompress(data[starts[4] : starts[5]])
    assert (stream.is_past(len(first) - 1), stream.is_past(len(first))) == (False, True)


def test_the_index_of_a_dump_has_no_documents(tmp_path: Path) -> None:
    """It lies beside the dump and has its suffix."""
    path = write(tmp_path, bz2.compress(b"552:10:Orte\n552:12:Rome\n"), "multistream-index.txt.bz2")

    assert rows(Wikipedia(), path) == []
    assert counts_of(Wikipedia(), path) == {"index": 1}


@pytest.mark.parametrize(
    ("data", "rules"),
    [
        (dump([page(1, "A.")])[:-300].encode(), ["error.truncated"]),
        (multistream(PAGES[:6])[:-100], [None] * 3 + ["error.truncated"]),
        (b"<html><body>x</body></html>", ["error.wrong_format"]),
        (b'{"text": "x"}', ["error.wrong_format"]),
        (bz2.compress(b"%PDF-1.7"), ["error.wrong_format"]),
        (dump([page(1, "A."), "<page><id>2</page>", page(3, "B.")]).encode(), [None, "error.not_xml", None]),
        (
            dump([page(1, "A."), f"<page>{'<a>' * 100_000}</page>", page(3, "B.")]).encode(),
            [None, "error.not_xml", None],
        ),
        (dump([page(1, "A.\x08"), page(3, "B.")]).encode(), ["error.not_xml", None]),
        (
            dump([page(1, "A."), "<page><!DOCTYPE a [<!ENTITY b 'c'>]>&b;</page>"]).encode(),
            [None, "error.entities"],
        ),
    ],
    ids=["cut", "cut bz2", "html", "json", "pdf", "broken", "deep", "control", "entities"],
)
def test_bad_input_is_set_aside(tmp_path: Path, data: bytes, rules: list[str | None]) -> None:
    """With the name of the file, and without its neighbors."""
    read = rows(Wikipedia(), write(tmp_path, data), name="wiki/dump.xml")

    assert [row["rule"] for row in read] == rules
    assert all("wiki/dump.xml" in row["message"] for row in read if row["rule"])


def test_a_bomb_in_bzip2_stays_within_the_limit(tmp_path: Path) -> None:
    """100 MB of one page in 200 bytes are one row, and memory is that of the limit."""
    text = head().encode() + b"<page><title>A</title><text>" + b"a" * 70_000_000 + b"</text></page>"
    path = write(tmp_path, bz2.compress(text) + bz2.compress((page(2, "B.") + "</mediawiki>").encode()))

    read = rows(Wikipedia(), path)

    assert [row["rule"] for row in read] == ["error.too_large", None]


def test_the_articles_of_the_sample_have_text_without_markup() -> None:
    """106 real articles: every one is read, and nothing of the markup is left in 450,000 words."""
    path = next(path for path in samples("wikipedia") if path.name.startswith("enwiki-latest"))
    loader = Wikipedia()

    read = [row for start, end in loader.slices(str(path)) for row in rows(loader, path, start=start, end=end)]

    text = "\n".join(row["text"] for row in read)
    outside_of_formulas = "".join(text.split("$")[::2])
    left = {mark: outside_of_formulas.count(mark) for mark in ("[[", "{{", "''", "<ref", "()", "( ", "|-", "style=")}
    assert len(read) == 106
    assert sum(left.values()) * 10_000 < len(text.split()), left
    assert left["()"] == 0
    assert "2,100 km" in text


def test_the_other_samples_are_read() -> None:
    """UTF-16, and a dump without the facts about its wiki."""
    numbers = {path.name.partition("-")[0]: len(rows(Wikipedia(), path)) for path in samples("wikipedia", "*.bz2")}

    assert numbers["bgwiki"] == 1
    assert numbers["testcorpus.xml.bz2"] == 9


def test_all_edges_of_a_small_file_give_the_same_documents(tmp_path: Path) -> None:
    """An edge can be within a tag or a character."""
    path = write(tmp_path, dump([page(1, "Ä."), page(2, "Ö.")]))
    size = path.stat().st_size
    whole = [row["source_id"] for row in rows(Wikipedia(), path)]

    for edge in range(1, size, 7):
        edges = [0, edge, size]
        read = [row for start, end in pairwise(edges) for row in rows(Wikipedia(), path, start=start, end=end)]
        assert [row["source_id"] for row in read] == whole
