"""Files as the loader offers them: metadata, licenses, and files that cannot be read."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders.pdf import Pdf
from corpusmill.crawlers.readers.pdf.process import Reader
from corpusmill.schemas.errors import DataError
from tests.crawlers.loaders.pdf.making import LINE, column, pdf
from tests.crawlers.loaders.reading import Row, rows, samples

BODY = column([LINE] * 4)
ENCRYPT = f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'41' * 32}> /U <{'42' * 32}> >> /ID [<00> <00>]"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description><xmpRights:WebStatement>'
    b"https://creativecommons.org/licenses/by/4.0/</xmpRights:WebStatement></rdf:Description></rdf:RDF></x:xmpmeta>"
)
IMAGE = b"q 100 0 0 100 72 600 cm BI /W 1 /H 1 /BPC 8 /CS /G ID \x80 EI Q"


def row_of(tmp_path: Path, data: bytes) -> Row:
    path = tmp_path / "report.pdf"
    path.write_bytes(data)
    [row] = rows(Pdf(), path, name="folder/report.pdf")
    return row


def test_a_file_is_a_document_with_its_metadata(tmp_path: Path) -> None:
    """The license is the one in the XMP packet; authors are not read."""
    info = "/Title (Of Rivers) /CreationDate (D:20180412093000+02'00') /Producer (writer 1) /Author (Ann Example)"

    row = row_of(tmp_path, pdf([BODY], info=info, xmp=XMP, catalog="/Lang (en-GB)"))

    assert row["source_id"] == "folder/report.pdf"
    assert row["title"] == "Of Rivers"
    assert row["published_at"] == datetime(2018, 4, 12, 7, 30, tzinfo=UTC)
    assert (row["license"], row["license_source"]) == ("CC-BY-4.0", "xmp:xmpRights:WebStatement")
    assert row["metadata"] == {"language": "en-GB", "pages": "1", "producer": "writer 1"}
    assert LINE in row["text"]


def test_a_title_that_is_a_file_name_gives_way_to_the_largest_text(tmp_path: Path) -> None:
    """Word processors write the name of the file as title."""
    data = pdf([[(72, 800, 18, "Sand in rivers"), *BODY]], info="/Title (Microsoft Word - draft3.doc)")

    assert row_of(tmp_path, data)["title"] == "Sand in rivers"


def test_pages_without_text_are_counted_and_blank_ones_are_not(tmp_path: Path) -> None:
    """A scanned page between others is reported, not guessed."""
    assert row_of(tmp_path, pdf([BODY, IMAGE, b""]))["metadata"]["pages_without_text"] == "1"


def test_attachments_and_scripts_are_not_read(tmp_path: Path) -> None:
    """A script that runs when the file opens is data that no one looks at."""
    data = pdf([BODY], catalog="/OpenAction << /S /JavaScript /JS (while(1){}) >>")

    assert row_of(tmp_path, data)["text"].startswith("The river")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (pdf([IMAGE]), "error.no_text_layer"),
        (pdf([BODY], trailer=ENCRYPT), "error.encrypted"),
        (pdf([BODY] * 9)[:3000], "error.truncated"),
        (b"<html><p>404 Not Found", "error.wrong_format"),
        (b"%PDF-1.7\n" + b"garbage " * 100 + b"%%EOF", "error.unreadable"),
        (b"", "error.empty"),
    ],
    ids=["scan", "encrypted", "truncated", "html", "garbage", "empty"],
)
def test_files_that_cannot_be_read_are_set_aside(tmp_path: Path, data: bytes, rule: str) -> None:
    """Each has a rule and a message."""
    row = row_of(tmp_path, data)

    assert (row["rule"], row["text"]) == (rule, None)


def test_a_wrong_table_of_objects_and_a_tree_of_pages_that_loops_are_read(tmp_path: Path) -> None:
    """The library rebuilds the table; a page tree that names itself ends."""
    good = pdf([BODY])
    wrong = good[: good.rindex(b"startxref")] + b"startxref\n7\n%%EOF\n"

    assert LINE in row_of(tmp_path, wrong)["text"]
    assert row_of(tmp_path, good.replace(b"/Kids [5 0 R]", b"/Kids [2 0 R]"))["rule"] == "error.unreadable"


def test_a_file_that_takes_too_long_ends_alone() -> None:
    """The process ends, and the next file is read by another one."""
    reader = Reader(cpu_s=1)
    many = pdf([column([LINE] * 60)] * 400)
    start = time.monotonic()

    with pytest.raises(DataError) as raised:
        reader.read(many)

    assert raised.value.kind == "too_complex"
    assert time.monotonic() - start < 60
    assert reader.read(pdf([BODY]))["pages"] == 1
    reader.close()


def test_a_crash_of_the_library_ends_one_file() -> None:
    """A process that was killed between two files, or during one, is started again."""
    reader = Reader()
    reader.read(pdf([BODY]))
    assert reader._process is not None
    reader._process.kill()

    assert reader.read(pdf([BODY]))["pages"] == 1
    reader.close()


def test_real_papers_in_two_columns() -> None:
    """Sentences that cross columns, lines and ligatures are whole; the footer of the first page is gone."""
    paper, _ = (next(iter(rows(Pdf(), path))) for path in samples("pdf", "*.pdf"))

    assert paper["title"].startswith("SPECTER: Document-level Representation Learning")
    assert "Representation learning is a critical ingredient for natural language processing systems." in paper["text"]
    assert "separated by the [SEP] token" in paper["text"]
    assert "July 5 - 10, 2020" not in paper["text"]
