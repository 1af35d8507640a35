"""A real web server on 127.0.0.1 with the pages of a test, and helpers to crawl it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType

from corpusmill.crawlers.job import Limits
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.optouts import SITE_PATHS
from corpusmill.schemas.raw import RawManifest

CONTACT = "mailto:crawl@example.org"
QUICK = Limits(timeout_s=5.0, max_bytes=200_000, retries=1, backoff_s=0.01, max_wait_s=0.05)


@dataclass
class Answer:
    """A response, sent after `hold_s` seconds. Without `length`, the end of the connection ends the body.

    If the client has the `ETag` or `Last-Modified` of its headers, the server sends 304, with the body `not_modified`.
    """

    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/html; charset=utf-8"})
    hold_s: float = 0.0
    length: int | None = -1
    chunked: bool = False
    not_modified: bytes = b""


SITE_FILES = frozenset(SITE_PATHS)
"""Files that are requested once per crawl of a site, besides its pages."""
MISSING = Answer("not here", status=404)

_NOTED_S = 0.5
"""Time in which a request is noted after its response, also on a loaded machine."""


@dataclass
class Site:
    """A running server: `answers` by path, `seen` requests as (path, start, end) in seconds, and their headers.

    `generate` returns the responses for other paths.
    """

    url: str
    answers: dict[str, Answer]
    seen: list[tuple[str, float, float]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    before: Callable[[str], None] | None = None
    generate: Callable[[str], Answer | None] | None = None
    pending: int = 0

    @property
    def paths(self) -> list[str]:
        """The requested paths. A request is noted after its response, so those that are being answered are awaited."""
        end = time.monotonic() + _NOTED_S
        while self.pending and time.monotonic() < end:
            time.sleep(0.001)
        return [path for path, _, _ in self.seen]

    def answer(self, path: str) -> Answer:
        """Return the response for *path*."""
        return self.answers.get(path) or (self.generate and self.generate(path)) or MISSING


def page(*links: str, text: str = "a page", head: str = "") -> Answer:
    """Return a page with *links*."""
    anchors = "".join(f'<a href="{link}">{link}</a> ' for link in links)
    return Answer(f"<!doctype html><title>t</title>{head}<p>{text} {anchors}")


class _Handler(BaseHTTPRequestHandler):
    """Sends the answers of `site`; `serve` makes a class with it for each server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    site: Site
    lock: Lock

    def do_GET(self) -> None:
        began = time.monotonic()
        with self.lock:
            self.site.pending += 1
        try:
            self._answer(began)
        finally:
            with self.lock:
                self.site.pending -= 1

    def _answer(self, began: float) -> None:
        if self.site.before is not None:
            self.site.before(self.path)
        answer = self.site.answer(self.path)
        time.sleep(answer.hold_s)
        if self._has_validator_of(answer):
            answer = replace(answer, status=304, body=answer.not_modified, length=-1)
        try:
            self._say(answer)
        except ConnectionError:
            self.close_connection = True
        with self.lock:
            self.site.seen.append((self.path, began, time.monotonic()))
            self.site.headers.append(dict(self.headers.items()))

    def _has_validator_of(self, answer: Answer) -> bool:
        """Evaluate `If-None-Match` and, without it, `If-Modified-Since` (RFC 9110 §13.2.2)."""
        etag, date = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
        wanted = self.headers.get("If-None-Match")
        if answer.status != 200 or (wanted is None and date is None):
            return False
        return etag == wanted if wanted is not None else date == self.headers.get("If-Modified-Since")

    def _say(self, answer: Answer) -> None:
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = _in_chunks(body)
        elif answer.length is not None:
            self.send_header("Content-Length", str(len(body) if answer.length < 0 else answer.length))
        self.close_connection |= not answer.chunked and (answer.length is None or answer.length > len(body))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *args: Any) -> None:
        return


def _in_chunks(body: bytes) -> bytes:
    parts = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@contextmanager
def serve(
    answers: dict[str, Answer], *, host: str = "127.0.0.1", generate: Callable[[str], Answer | None] | None = None
) -> Iterator[Site]:
    """Serve *answers*, and the results of *generate* for other paths; the rest is 404."""
    site = Site("", answers, generate=generate)
    server = ThreadingHTTPServer((host, 0), type("Handler", (_Handler,), {"site": site, "lock": Lock()}))
    server.daemon_threads = True
    site.url = f"http://{host}:{server.server_port}"
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def source_of(site: Site, *paths: str, **options: Any) -> CrawlSource:
    """Return a source that starts at *paths* of *site*."""
    starts = tuple(site.url + path for path in paths or ("/",))
    defaults = {"name": "site", "contact": CONTACT, "delay": 0.0, "allow_private": True, "start_urls": starts}
    return CrawlSource(**{**defaults, **options})


def archived(raw_dir: Path) -> list[tuple[str, int, bytes]]:
    """Return URL, status and body of each response in the archives, in order."""
    responses: list[tuple[str, int, bytes]] = []
    for path in sorted(raw_dir.glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response):
                url = record.headers["WARC-Target-URI"]
                responses.append((url, record.http_headers.status_code, record.reader.read()))
    return responses


def pages(raw_dir: Path) -> list[str]:
    """Return the sorted paths of the pages in the archives, without `SITE_FILES` and redirects."""
    paths = ("/" + url.split("/", 3)[3] for url, status, _ in archived(raw_dir) if status == 200)
    return sorted(path for path in paths if path not in SITE_FILES)


def ledger(raw_dir: Path, manifest: RawManifest) -> dict[str, str]:
    """Return the rule of each refused page by its path, or by its URL on another host."""
    names = ("start_urls", "sitemaps", "feeds")
    start = next(manifest.definition[name][0] for name in names if manifest.definition[name]).split("/", 3)
    rows = [row for name in manifest.ledger for row in pq.read_table(raw_dir / name).to_pylist()]
    home = "/".join(start[:3])
    rules = {row["url"].removeprefix(home): row["rule"] for row in rows}
    assert len(rules) == len(rows), "a page occurs once in the ledger"
    return rules
