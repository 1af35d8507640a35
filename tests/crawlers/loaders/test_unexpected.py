"""Damaged and hostile files: what no reader expects is an error of the record, and never ends the run."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.load import loader_of
from corpusmill.crawlers.loaders.arrow import Arrow
from corpusmill.crawlers.loaders.files import OneDocument
from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed
from corpusmill.schemas.errors import DataError, UnfinishedError
from tests.crawlers.loaders.books.packages import epub
from tests.crawlers.loaders.hl7.test_hl7 import message
from tests.crawlers.loaders.news.test_reuters import STORY
from tests.crawlers.loaders.papers.test_medline import DAY, as_set, record
from tests.crawlers.loaders.reading import rows
from tests.crawlers.loaders.social.test_stackexchange import dump, post
from tests.crawlers.loaders.wikipedia import dumps
from tests.crawlers.test_load import source

DIGITS = "9" * 5_000
"""More digits than Python reads as a number by default."""
BAD_NAME = b"\xe9\xff"


class Lines(Streamed):
    """Lines, with a mistake in the reader of numbers."""

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        for line in stream:
            yield Record(native=line, text=str(int(line)), source_id=None)


class Number(OneDocument):
    """A number, with the same mistake, and the error of a store."""

    def offer(self, data: bytes) -> dict[str, Any]:
        if data == b"store":
            raise UnfinishedError("the store does not respond")
        return {"text": str(int(data))}


def test_a_mistake_in_a_reader_of_dumps_is_an_error_of_the_file(tmp_path: Path) -> None:
    """The records before it are published, and the run goes on with the other files."""
    path = tmp_path / "a"
    path.write_bytes(b"1\n2\nthree\n4\n")

    offered = rows(Lines(), path, name="a.txt")

    assert [(row["text"], row["rule"]) for row in offered] == [("1", None), ("2", None), (None, "error.unexpected")]
    assert offered[-1]["message"].startswith("a.txt: ValueError: invalid literal")


def test_a_mistake_in_a_reader_of_files_is_an_error_of_the_file(tmp_path: Path) -> None:
    """The message names the exception, so that it can be reported."""
    (tmp_path / "a").write_bytes(b"one")

    [row] = rows(Number(), tmp_path / "a")

    assert (row["rule"], row["source_id"]) == ("error.unexpected", "name")
    assert row["message"].startswith("ValueError: invalid literal")


def test_errors_of_the_machine_still_stop_the_run(tmp_path: Path) -> None:
    """A store that does not respond says nothing about the record; the same command resumes."""
    (tmp_path / "a").write_bytes(b"store")

    with pytest.raises(UnfinishedError, match="the store"):
        rows(Number(), tmp_path / "a")


CASES: dict[str, tuple[str, str, int]] = {
    "reuters": ("reuters", STORY.replace("BAHIA", f"&#{DIGITS};"), 1),
    "stackexchange": ("stackexchange", dump(post(1, "<p>a</p>")).decode().replace('Id="1"', f'Id="{DIGITS}"'), 0),
    "year": ("medline", as_set(record(1, date=DAY.replace("2018", DIGITS))), 1),
    "month": ("medline", as_set(record(1, date=DAY.replace("17", DIGITS))), 1),
    "namespace": ("wikipedia", dumps.dump([dumps.page(1, "A text.")]).replace('key="14"', f'key="{DIGITS}"'), 1),
    "number": ("wikipedia", dumps.dump([dumps.page(1, "A text.").replace("<ns>0<", f"<ns>{DIGITS}<")]), 1),
    "reference": ("wikipedia", dumps.dump([dumps.page(1, f"A <nowiki>&#{DIGITS};</nowiki> text.")]), 1),
    "spaces": ("hl7", message("OBX|1|FT|A||words\\.sp\u00b2\\next"), 1),
    "lines": ("hl7", message(f"OBX|1|FT|A||words\\.sp{DIGITS}\\next"), 1),
    "markdown": ("markdown", f"A <b>&#{DIGITS};</b> text.\n\n<p>&#{DIGITS};</p>\n", 1),
    "feed": ("feed", f"<rss><channel><item><title>a &amp;#{DIGITS};</title></item></channel></rss>", 0),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_numbers_of_any_length_are_read(case: str, tmp_path: Path) -> None:
    """Python refuses numbers of more than 4,300 digits, and digits that are not decimal."""
    form, content, documents = CASES[case]
    path = tmp_path / "file"
    path.write_text(content)

    offered = rows(loader_of(source("x", form)), path)

    assert [row["rule"] for row in offered if row["rule"] == "error.unexpected"] == []
    assert len([row for row in offered if row["rule"] is None]) == documents


@pytest.mark.parametrize("head", [b"<?xml version='1.0'?>\n<feed></feed>", b"<html>", "<posts>".encode("utf-16")])
def test_a_file_without_posts_is_reported(head: bytes, tmp_path: Path) -> None:
    """Otherwise a file of another format under the right name is lost silently."""
    (tmp_path / "Posts.xml").write_bytes(head)

    [row] = rows(loader_of(source("x", "stackexchange")), tmp_path / "Posts.xml")

    assert row["rule"] == "error.wrong_format"


def test_a_table_that_ends_in_its_header_is_set_aside(tmp_path: Path) -> None:
    """Half of a character of UTF-16 is no header."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xff\xfei\x00d")
    loader = loader_of(source("x", "csv"))

    loader.check(str(path))
    offered = rows(loader, path)

    assert all(row["rule"] for row in offered)
    assert offered


def test_control_characters_in_a_chapter_with_links_are_left_out(tmp_path: Path) -> None:
    """A chapter that is no XML is read as HTML, which lets them pass."""
    note = '<p>Words <a epub:type="noteref" href="#a">1</a>bel\x07l <b>unclosed</p>'
    path = tmp_path / "a.epub"
    path.write_bytes(epub({"a.xhtml": note}))

    [row] = rows(loader_of(source("x", "epub")), path)

    assert row["rule"] is None
    assert "bell" in row["text"]


def _stream(*names: str) -> bytes:
    sink = io.BytesIO()
    table = pa.table({name: ["some words", "more words"] for name in names})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_names_of_columns_that_are_not_text_damage_a_parquet_file(tmp_path: Path) -> None:
    """As in a file of Arrow."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["some words"], "zz": [1]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"zz", BAD_NAME))
    loader = loader_of(source("x", "parquet"))

    loader.check(str(path))
    [row] = rows(loader, path)

    assert row["rule"] == "error.damaged"


def test_names_of_columns_that_are_not_text_damage_a_table(tmp_path: Path) -> None:
    """pyarrow decodes them only when they are used."""
    path = tmp_path / "a.arrow"
    path.write_bytes(_stream("text", "zz").replace(b"zz", BAD_NAME))

    Arrow().check(str(path))
    [row] = rows(Arrow(), path)

    assert row["rule"] == "error.damaged"


def test_damaged_offsets_are_found_before_values_are_read(tmp_path: Path) -> None:
    """pyarrow would read memory that is not its own, and crash `init --from`."""
    path = tmp_path / "a.arrow"
    data = _stream("text")
    offsets = (0).to_bytes(4, "little") + (10).to_bytes(4, "little") + (20).to_bytes(4, "little")
    assert data.count(offsets) == 1
    path.write_bytes(data.replace(offsets, offsets[:4] + b"\xff\xff\xff\x7f" + offsets[8:]))

    with pytest.raises(DataError, match="not a readable Arrow file"):
        Arrow.sample(str(path))


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.list_(pa.timestamp("us"))])
def test_years_that_python_does_not_have_are_numbers(kind: pa.DataType, tmp_path: Path) -> None:
    """Databases export infinity as such a date; the other rows keep theirs."""
    days = pa.array([0, 2**62], pa.int64())
    times = pa.array([[0], [2**62]], pa.list_(pa.int64())) if pa.types.is_list(kind) else days
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["some words", "more words"], "day": times.cast(kind)}), path)
    reference = tmp_path / "one.parquet"
    pq.write_table(pa.table({"text": ["some words"], "day": times.cast(kind).slice(0, 1)}), reference)
    loader = loader_of(source("x", "parquet"))

    offered = rows(loader, path)

    assert offered[0] == rows(loader, reference)[0] | {"offset": offered[0]["offset"], "length": offered[0]["length"]}
    assert str(2**62) in offered[1]["metadata"]["day"]


WHOLE: dict[str, tuple[bytes, bytes]] = {
    "wikipedia": (dumps.dump([dumps.page(1, "One."), dumps.page(2, "Two.")]).encode(), b"</page>"),
    "stackexchange": (dump(post(1, "<p>One.</p>"), post(2, "<p>Two.</p>")), b"/>"),
    "medline": (as_set(record(1), record(2)).encode(), b"</PubmedArticle>"),
    "feed": (b"<rss><channel><item><title>a</title><description>One.</description></item></channel></rss>", b"</item>"),
}


@pytest.mark.parametrize("form", WHOLE)
def test_a_file_that_ends_between_two_records_is_truncated(form: str, tmp_path: Path) -> None:
    """Otherwise the rest of an interrupted download is missing without an error."""
    whole, closing = WHOLE[form]
    path = tmp_path / "file"
    loader = loader_of(source("x", form))
    path.write_bytes(whole + b"\n<!-- made today -->\n")
    complete = rows(loader, path)
    path.write_bytes(whole[: whole.index(closing, whole.index(b"One." if b"One." in whole else b">1<")) + len(closing)])

    offered = rows(loader, path)

    assert [row["rule"] for row in complete] == [None] * len(complete)
    assert [row["rule"] for row in offered] == [None, "error.truncated"]
    assert offered[0]["text"] == complete[0]["text"]


def test_an_arc_file_of_which_no_header_can_be_read_is_reported(tmp_path: Path) -> None:
    """The lines after the header of the file are skipped up to the first record, which must not hide broken ones."""
    path = tmp_path / "a.arc"
    own = b"filedesc://a.arc 0.0.0.0 20240101000000 text/plain 76\n1 0 X\nURL IP-address Archive-date\n\n"
    path.write_bytes(own + b"http://a.org/ 127.0.0.1 -1 text/html 5\nwords\n")

    offered = rows(loader_of(source("x", "warc")), path)

    assert [row["rule"] for row in offered] == ["error.bad_header"]
