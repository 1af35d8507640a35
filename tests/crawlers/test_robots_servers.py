"""What RFC 9309 says about each way in which a server may answer `GET /robots.txt`."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.frontier.robots import RobotsPolicy
from corpusmill.crawlers.job import Limits
from corpusmill.schemas.crawl_source import CrawlSource
from tests.crawlers.raw_servers import Send, hang, page, repeating, reset, response, sending, serve_raw
from tests.crawlers.sites import CONTACT, archived

UNREACHABLE = "robots.unreachable"
DISALLOWED = "robots.disallowed"
FETCHED = None
NO = "User-agent: *\nDisallow: /page\n"
YES = "User-agent: *\nDisallow: /other\n"
LIMITS = Limits(timeout_s=5.0, silence_s=2.5, max_bytes=1_000_000, retries=1, backoff_s=0.01, max_wait_s=0.05)
LONG = "# comment\n" * 51_200
"""500 KiB of comments."""


class Case(NamedTuple):
    """An answer, and the rule under which the page is refused; None if it is fetched."""

    robots: bytes | Send
    rule: str | None


def _status(*statuses: str, rule: str | None, body: str = NO) -> dict[str, Case]:
    return {status: Case(response(body, status=status), rule) for status in statuses}


def _encoded(*codecs: str, rule: str = DISALLOWED) -> dict[str, Case]:
    return {codec: Case(response(NO.encode(codec)), rule) for codec in codecs}


CASES = {
    **_status("200 OK", rule=DISALLOWED),
    "allowed": Case(response(YES), FETCHED),
    "empty": Case(response(), FETCHED),
    **_status("204 No Content", rule=FETCHED, body=""),
    **_status("400 Bad", "401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone", "451 Legal", rule=FETCHED),
    **_status("429 Slow Down", "500 Error", "502 Error", "503 Error", "504 Error", "599 Error", rule=UNREACHABLE),
    **_status("304 Not Modified", "301 No Location", rule=UNREACHABLE),
    "redirects: 5": Case(response(status="302 Found", Location="/hop4"), DISALLOWED),
    "redirects: 6": Case(response(status="302 Found", Location="/hop5"), FETCHED),
    "redirects: loop": Case(response(status="301 Moved", Location="/robots.txt"), FETCHED),
    "redirects: other host": Case(response(status="301 Moved", Location="http://127.0.0.10:{port}/other"), DISALLOWED),
    "redirects: to a file": Case(response(status="301 Moved", Location="file:///etc/hosts"), UNREACHABLE),
    "redirects: to an error": Case(response(status="301 Moved", Location="/error"), UNREACHABLE),
    "redirects: to nothing": Case(response(status="301 Moved", Location="/nothing"), FETCHED),
    "silent": Case(hang, UNREACHABLE),
    "a byte at a time": Case(repeating(b"HTTP/1.1 200 OK\r\n\r\n", b"#", every_s=0.05), UNREACHABLE),
    "reset": Case(reset, UNREACHABLE),
    "closed": Case(sending(b"", closes=True), UNREACHABLE),
    "not HTTP": Case(sending(b"SSH-2.0-OpenSSH_9.2\r\n", closes=True), UNREACHABLE),
    "endless headers": Case(repeating(b"HTTP/1.1 200 OK\r\n", b"A: " + b"a" * 8000 + b"\r\n"), UNREACHABLE),
    "endless interim responses": Case(repeating(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), UNREACHABLE),
    "body is short": Case(sending(response(YES, Content_Length="500"), closes=True), UNREACHABLE),
    "Content-Length is too small": Case(response(f"{YES}Disallow: /page", Content_Length=str(len(YES))), UNREACHABLE),
    "Content-Length is not a number": Case(response(YES, Content_Length="many"), UNREACHABLE),
    "chunked": Case(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\n%s\r\n0\r\n\r\n" % NO.encode(), DISALLOWED
    ),
    "chunks are broken": Case(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", UNREACHABLE),
    "chunks end early": Case(
        sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nUser-\r\n", closes=True), UNREACHABLE
    ),
    "endless trailers": Case(
        repeating(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: " + b"a" * 8000 + b"\r\n"),
        UNREACHABLE,
    ),
    "rule within 500 KiB": Case(response(NO + LONG), DISALLOWED),
    "rule after 500 KiB": Case(response(LONG + NO), FETCHED),
    "cut in a rule": Case(
        response("User-agent: *\nDisallow: /p\n" + LONG[: 512_000 - 40] + "\nAllow: /page-of-another-name\n"),
        DISALLOWED,
    ),
    "CR line ends": Case(response(NO.replace("\n", "\r")), DISALLOWED),
    "HTML": Case(response("<!doctype html><p>welcome</p>", Content_Type="text/html"), FETCHED),
    "binary": Case(response(bytes(range(256)) * 4), UNREACHABLE),
    "null bytes": Case(response(f"\0\0{NO}\0"), DISALLOWED),
    **_encoded("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"),
    "UTF-16 that is declared as UTF-8": Case(
        response(NO.encode("utf-16"), Content_Type="text/plain; charset=utf-8"), DISALLOWED
    ),
    "UTF-8 that is declared as UTF-16": Case(response(NO, Content_Type="text/plain; charset=utf-16"), DISALLOWED),
    "UTF-16 in gzip": Case(response(gzip.compress(NO.encode("utf-16")), Content_Encoding="gzip"), DISALLOWED),
    "gzip that is not": Case(response(NO, Content_Encoding="gzip"), DISALLOWED),
    "UTF-16 in gzip that is not": Case(response(NO.encode("utf-16"), Content_Encoding="gzip"), DISALLOWED),
    "gzip that is not declared": Case(response(gzip.compress(NO.encode())), DISALLOWED),
    "gzip that breaks off": Case(response(gzip.compress(YES.encode())[:-20], Content_Encoding="gzip"), UNREACHABLE),
    "gzip bomb": Case(response(gzip.compress(bytes(5_000_000)), Content_Encoding="gzip"), UNREACHABLE),
    "unknown coding": Case(response(NO, Content_Encoding="zip"), DISALLOWED),
    "unknown coding of bytes": Case(response(b"PK\x03\x04\0\0", Content_Encoding="zip"), UNREACHABLE),
    "Crawl-delay: 61": Case(response("User-agent: *\nCrawl-delay: 61\n"), "robots.crawl_delay"),
    "Crawl-delay: 1e9": Case(response("User-agent: *\nCrawl-delay: 1e9\n"), "robots.crawl_delay"),
    "Crawl-delay of another": Case(response("User-agent: other\nCrawl-delay: 61\n"), FETCHED),
    "Crawl-delay: nan": Case(response("User-agent: *\nCrawl-delay: nan\n"), FETCHED),
}
"""Each case by its name."""


def _hosts() -> dict[str, str]:
    return {name: f"127.0.0.{number}" for number, name in enumerate(CASES, 11)}


def _answers(robots: bytes | Send, port: Callable[[], int]) -> dict[str, Send]:
    async def send(writer: object) -> None:
        data = robots.replace(b"{port}", str(port()).encode()) if isinstance(robots, bytes) else b""
        await (sending(data) if isinstance(robots, bytes) else robots)(writer)  # type: ignore[arg-type]

    hops = {f"/hop{left}": sending(response(status="302 Found", Location=f"/hop{left - 1}")) for left in range(1, 6)}
    return {
        **hops,
        "/hop0": sending(response(NO)),
        "/error": sending(response(status="500 Error")),
        "/robots.txt": send,
        "/page": sending(page()),
    }


class Result(NamedTuple):
    """What the server saw, and the rule of each page that was refused, by host."""

    seen: list[tuple[str, str]]
    rules: dict[str, str]
    responses: int
    records: int


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Crawl a page of each server, all in one crawl."""
    raw_dir = tmp_path_factory.mktemp("robots") / "raw" / "site"
    hosts = _hosts()
    answers = {hosts[name]: _answers(case.robots, lambda: server.port) for name, case in CASES.items()}
    with serve_raw({"127.0.0.10": {"/other": sending(response(NO))}, **answers}) as server:
        starts = tuple(f"http://{host}:{server.port}/page" for host in hosts.values())
        source = CrawlSource(name="site", contact=CONTACT, delay=0.0, allow_private=True, start_urls=starts)
        manifest = crawl(source, raw_dir, limits=LIMITS)
    rows = [row for name in manifest.ledger for row in pq.read_table(raw_dir / name).to_pylist()]
    rules = {row["url"].split("/")[2].split(":")[0]: row["rule"] for row in rows}
    return Result(server.seen, rules, manifest.counts["responses"], len(archived(raw_dir)))


@pytest.mark.parametrize("name", CASES)
def test_a_page_is_fetched_if_its_robots_txt_permits_it(name: str, result: Result) -> None:
    """The log of the server says what was fetched, and the ledger why not."""
    host = _hosts()[name]

    assert ((host, "/page") in result.seen) is (CASES[name].rule is None)
    assert result.rules.get(host) == CASES[name].rule


def test_each_archived_response_is_counted_once(result: Result) -> None:
    """Of the tries for a robots.txt, only the last one is archived."""
    assert result.responses == result.records > len(CASES) / 2
    assert result.seen.count((_hosts()["503 Error"], "/robots.txt")) == 1 + LIMITS.retries


def test_real_files_are_parsed() -> None:
    """A file of a real site is never an exception, and each has the verdict of a reader that knows its encoding."""
    folder = Path(os.environ.get("CORPUSMILL_SHARED", "../shared")) / "data/samples/robots"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not on this machine")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}

    policies = {name: RobotsPolicy.of(200, body) for name, body in files.items()}

    assert len(files) == 173
    assert {name for name, policy in policies.items() if policy.unreachable} == {"www.pch.com"}  # an icon
    assert not policies["store.usps.com"].allows("https://store.usps.com/store/cart/cart.jsp")  # UTF-16
