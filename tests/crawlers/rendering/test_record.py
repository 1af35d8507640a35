"""The records of a rendered page: the response unchanged, and a conversion that is read in its place."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from corpusmill.crawlers.loaders.warc import Warc
from corpusmill.crawlers.rendering.record import rendered_exchange, with_declarations
from corpusmill.crawlers.warc import RENDERED_AS, Exchange, WarcWriter
from tests.crawlers.loaders.reading import in_slices, rows

URL = "https://example.org/a"
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n"
    b"X-Robots-Tag: noai\r\nETag: x\r\nX-Crawler-Transfer-Encoding: chunked\r\n\r\n"
)
HEADERS = {"content-type": "text/html; charset=iso-8859-1", "content-encoding": "gzip", "x-robots-tag": "noai"}
AT = datetime(2026, 11, 30, tzinfo=UTC)
EXCHANGE = Exchange(URL, b"GET /a HTTP/1.1\r\n\r\n", 200, HEAD, HEADERS, b"as it came", "192.0.2.1", AT)
MARKUP = "<html><head></head><body><p>Grüße, \ud800.</body></html>"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    writer = WarcWriter(tmp_path, "site", number=0, end=0, max_bytes=10**6, description={"software": "test"})
    writer.write(EXCHANGE, rendered_exchange(EXCHANGE, MARKUP))
    writer.write(replace(EXCHANGE, url=f"{URL}/plain", head=b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"))
    writer.close()
    return tmp_path / "site-00000.warc.gz"


def test_the_rendered_page_is_read_in_place_of_the_response(archive: Path) -> None:
    """With the response's headers, so that its opt-outs count, and the coding of the rendered markup."""
    rendered, plain = rows(Warc(), archive)

    assert (rendered["url"], plain["url"]) == (URL, f"{URL}/plain")
    assert rendered["content"].decode() == MARKUP.replace("\ud800", "?")
    assert rendered["media_type"] == "text/html; charset=utf-8"
    assert rendered["fetched_at"] == AT
    assert [signal["kind"] for signal in rendered["optouts"]] == ["noai"]
    assert plain["content"] == b"as it came"


def test_the_response_is_counted_and_slices_change_nothing(archive: Path) -> None:
    """Each record is read by one slice, wherever a file is cut."""
    counts: Counter[str] = Counter()
    list(Warc().read(str(archive), name="", counts=counts))
    size = archive.stat().st_size

    assert counts == {"warcinfo": 1, "rendered": 1, "request": 2}
    for edge in range(0, size, 97):
        assert in_slices(Warc(), archive, [0, edge, size]) == rows(Warc(), archive)


def test_other_tools_find_the_response_and_its_conversion(archive: Path) -> None:
    """The archive is valid, and the response is byte for byte what the server sent."""
    checker = Checker(SimpleNamespace(inputs=[str(archive)], verbose=False))
    with redirect_stdout(io.StringIO()):
        assert checker.process_all() == 0
    with archive.open("rb") as file:
        records = [(record.rec_headers, record.content_stream().read()) for record in ArchiveIterator(file)]
    _, (response, body), _, (conversion, block), *_ = records

    assert response["WARC-Type"] == "response"
    assert body == b"as it came"
    assert conversion["WARC-Type"] == "conversion"
    assert conversion["WARC-Refers-To"] == response["WARC-Record-ID"]
    assert response[RENDERED_AS] == conversion["WARC-Record-ID"]
    head, _, page = block.partition(b"\r\n\r\n")
    assert head == b"HTTP/1.1 200 OK\r\nX-Robots-Tag: noai\r\nContent-Type: text/html; charset=utf-8"
    assert page.startswith(b"<html>")


def test_declarations_that_scripts_removed_are_put_back() -> None:
    """An opt-out in the markup that was sent counts, whatever the scripts of the page do."""
    noai, license_ = "<meta name='robots' content='noai'>", '<link rel="license" href="/l">'
    original = f"<!doctype html><head>{noai}{license_}<meta charset=latin1></head><p>old"

    markup = with_declarations(f"<!DOCTYPE html>\n<html lang='en'><head>{license_}</head><p>new", original)

    assert markup == f"<!DOCTYPE html>\n<html lang='en'><head>{noai}<meta charset=latin1>{license_}</head><p>new"
    assert with_declarations("<p>new", noai) == f"{noai}<p>new"
    assert with_declarations("", "") == ""
