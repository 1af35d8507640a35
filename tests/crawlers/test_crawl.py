"""A crawl follows robots.txt, respects its limits, and archives the responses unchanged."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace

import brotli
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from warcio.checker import Checker

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.job import Limits
from corpusmill.crawlers.loaders.warc import Warc
from corpusmill.schemas.errors import DamagedFileError, SourceError, UnfinishedError, WorkError
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import file_lock
from tests.crawlers.loaders.reading import rows
from tests.crawlers.sites import QUICK, SITE_FILES, Answer, Site, archived, ledger, page, pages, serve, source_of

ROBOTS = Answer("User-agent: *\nDisallow: /private/\n", headers={"Content-Type": "text/plain"})


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


def _crawl(site: Site, raw_dir: Path, *paths: str, limits: Limits = QUICK, **options: object) -> RawManifest:
    return crawl(source_of(site, *paths, **options), raw_dir, limits=limits)


def _is_valid(raw_dir: Path) -> bool:
    """Check the archives with warcio, like `warcio check`."""
    checker = Checker(SimpleNamespace(inputs=[str(path) for path in raw_dir.glob("*.warc.gz")], verbose=False))
    with redirect_stdout(io.StringIO()):
        return checker.process_all() == 0


def test_a_page_that_robots_forbids_is_in_the_ledger_and_not_in_the_archive(raw_dir: Path) -> None:
    """Owners of a site check this first."""
    with serve({"/robots.txt": ROBOTS, "/": page("/a", "/private/b"), "/a": page()}) as site:
        manifest = _crawl(site, raw_dir)

    assert pages(raw_dir) == ["/", "/a"]
    assert ledger(raw_dir, manifest) == {"/private/b": "robots.disallowed"}
    assert "/private/b" not in site.paths
    assert manifest.finished
    assert manifest.counts["pages"] == 2
    assert manifest.counts["robots"] == len(SITE_FILES) == 3
    assert manifest.counts["refused.robots.disallowed"] == 1
    assert manifest.counts["responses"] == manifest.counts["requests"] == len(archived(raw_dir)) == 5
    assert all(file.sha256 == file_sha256(raw_dir / file.path) for file in manifest.files)
    assert all("+mailto:crawl@example.org" in headers["User-Agent"] for headers in site.headers)
    assert _is_valid(raw_dir)


@pytest.mark.parametrize(
    "robots",
    [
        Answer("", status=500),
        Answer("", status=503),
        Answer("slow down", status=429),
        Answer("User-agent: *", length=500),
        Answer("", hold_s=1.0),
        Answer("", headers={"Content-Length": "\u00b2"}, length=None),
    ],
    ids=["500", "503", "429", "short", "timeout", "framing"],
)
def test_nothing_is_fetched_when_robots_txt_cannot_be_had(robots: Answer, raw_dir: Path) -> None:
    """RFC 9309 §2.3.1.4: if robots.txt is unreachable, everything is disallowed."""
    limits = Limits(timeout_s=0.3, retries=0, backoff_s=0.01)
    with serve({"/robots.txt": robots, "/": page()}) as site, pytest.raises(UnfinishedError, match="robots"):
        _crawl(site, raw_dir, limits=limits)

    time.sleep(robots.hold_s)
    assert set(site.paths) == {"/robots.txt"}


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_missing_robots_txt_allows_everything(status: int, raw_dir: Path) -> None:
    """RFC 9309 §2.3.1.3."""
    with serve({"/robots.txt": Answer("no", status=status), "/": page()}) as site:
        assert _crawl(site, raw_dir).counts["pages"] == 1


def test_robots_txt_is_followed_over_redirects_and_asked_for_the_target_of_a_page(raw_dir: Path) -> None:
    """Neither a redirect of a page nor one of robots.txt may bypass robots.txt."""
    answers = {
        "/robots.txt": Answer(status=301, headers={"Location": "/real-robots.txt"}),
        "/real-robots.txt": ROBOTS,
        "/": page("/moved"),
        "/moved": Answer(status=302, headers={"Location": "/private/b"}),
        "/private/b": page(),
    }
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir)

    assert "/private/b" not in site.paths
    assert ledger(raw_dir, manifest) == {"/private/b": "robots.disallowed"}
    assert manifest.counts["redirects"] == 1
    assert manifest.counts["robots"] == 1 + len(SITE_FILES)


def test_a_recipe_without_a_contact_is_refused() -> None:
    """Owners of a site must be able to contact the user."""
    with pytest.raises(ValidationError, match="contact"):
        source_of(Site("http://example.org", {}), contact="")


def test_requests_to_one_host_never_overlap_and_keep_the_delay(raw_dir: Path) -> None:
    """This includes requests for the files of a site and retries."""
    names = [f"/{number}" for number in range(4)]
    answers = {"/": page(*names), **{name: Answer("x", hold_s=0.02) for name in names}, "/3": Answer(status=503)}
    with serve(answers) as site:
        _crawl(site, raw_dir, delay=0.15)

    times = sorted((began, ended) for _, began, ended in site.seen)
    pairs = list(pairwise(times))
    assert len(times) == 9
    assert all(following[0] >= ended for (_, ended), following in pairs)
    assert all(following[0] - began >= 0.15 for (began, _), following in pairs)


def test_the_delay_that_a_site_asks_for_is_kept(raw_dir: Path) -> None:
    """`Crawl-delay` applies if it is longer than the recipe's delay."""
    robots = Answer("User-agent: corpusmill\nCrawl-delay: 0.2\n")
    with serve({"/robots.txt": robots, "/": page("/a"), "/a": page()}) as site:
        _crawl(site, raw_dir)

    began = [began for _, began, _ in site.seen]
    assert began[2] - began[1] >= 0.2


def test_max_pages_bounds_the_archive_and_the_rest_is_in_the_ledger(raw_dir: Path) -> None:
    """Redirects and missing pages do not use up the budget."""
    answers = {
        "/": page("/gone", "/moved", "/a", "/b", "/c"),
        "/moved": Answer(status=301, headers={"Location": "/a"}),
        **{name: page() for name in ("/a", "/b", "/c")},
    }
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir, max_pages=3)

    assert pages(raw_dir) == ["/", "/a", "/b"]
    assert ledger(raw_dir, manifest) == {"/gone": "http.404", "/c": "budget.pages"}


def test_max_depth_counts_links_from_a_start_page(raw_dir: Path) -> None:
    """A start page has depth 0; redirects do not count."""
    answers = {
        "/": page("/one"),
        "/one": Answer(status=301, headers={"Location": "/1"}),
        "/1": page("/2", "/"),
        "/2": page(),
    }
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir, max_depth=1)

    assert pages(raw_dir) == ["/", "/1"]
    assert ledger(raw_dir, manifest) == {"/2": "budget.depth"}


@pytest.mark.parametrize("slow", ["127.0.0.1", "localhost"])
def test_the_depth_of_a_page_does_not_depend_on_the_speed_of_hosts(raw_dir: Path, slow: str) -> None:
    """A page counts with its shortest distance from a start page, also if a longer way was faster."""
    with serve({}) as site:
        other = site.url.replace("127.0.0.1", "localhost")
        targets = {"/a0": "/a1", "/a1": "/a2", "/a2": "/a3", "/a3": other + "/x0", "/x0": "/x1", "/x1": "/x2"}
        site.answers.update({path: page(target) for path, target in targets.items()})
        site.answers |= {"/b0": page("/b1"), "/b1": page("/x0"), "/x2": page("/x3"), "/x3": page()}
        for path, answer in site.answers.items():
            answer.hold_s = 0.05 if (slow == "localhost") == (path[1] in "bx") else 0.0
        source = source_of(site, "/a0", start_urls=(site.url + "/a0", other + "/b0"), max_depth=4)
        manifest = crawl(source, raw_dir, limits=QUICK)

    assert pages(raw_dir) == ["/a0", "/a1", "/a2", "/a3", "/b0", "/b1", "/x0", "/x1", "/x2"]
    assert list(ledger(raw_dir, manifest).values()) == ["budget.depth"]


def test_scope_is_the_hosts_of_the_start_pages_and_the_patterns(raw_dir: Path) -> None:
    """Links out of scope are in the ledger once and are never requested."""
    answers = {"/": page("/in/a", "/in/old", "/out", "http://other.example/x", "//other.example/x"), "/in/a": page()}
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir, allow=("/in/",), deny=("old$",))

    assert pages(raw_dir) == ["/", "/in/a"]
    assert ledger(raw_dir, manifest) == {
        "/in/old": "scope.denied",
        "/out": "scope.not_allowed",
        "http://other.example/x": "scope.offsite",
    }


def test_robots_directives_of_a_page_are_followed(raw_dir: Path) -> None:
    """`noindex` pages are not archived and `nofollow` links not followed, in markup and in headers."""
    html = {"Content-Type": "text/html"}
    answers = {
        "/": Answer('<a href="/a">a</a><a href="/b">b</a><a rel="external NoFollow" href="/c">c</a><a href=/d>d</a>'),
        "/a": page("/e", head='<meta name="Robots" content="noindex">'),
        "/b": Answer("<a href=/f>f</a>", headers={**html, "X-Robots-Tag": "none"}),
        "/c": page(),
        "/d": Answer("d", headers={**html, "X-Robots-Tag": "otherbot: noindex"}),
        "/e": page("/g"),
        "/f": page(),
        "/g": Answer("g", headers={**html, "X-Robots-Tag": "otherbot: nofollow", "x-robots-tag": "noindex"}),
    }
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir)

    assert pages(raw_dir) == ["/", "/d", "/e"]
    assert ledger(raw_dir, manifest) == {
        "/a": "robots.noindex",
        "/b": "robots.noindex",
        "/c": "robots.nofollow",
        "/f": "robots.nofollow",
        "/g": "robots.noindex",
    }
    messages = {row["url"][-2:]: row["message"] for row in pq.read_table(raw_dir / manifest.ledger[0]).to_pylist()}
    assert messages["/a"].startswith("the page asks not to be kept: meta robots: noindex (2")
    assert messages["/b"].startswith("the page asks not to be kept: header X-Robots-Tag: none (2")
    assert not any(b'content="noindex"' in body for _, _, body in archived(raw_dir))


def test_one_page_is_fetched_once_however_its_url_is_spelled(raw_dir: Path) -> None:
    """The canonical URL identifies a page."""
    answers = {"/": page("/a?x=1&y=2#top", "/a?y=2&x=1", "/b/../a?x=1&y=2&utm_source=z"), "/a?x=1&y=2": page()}
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir)

    assert manifest.counts["pages"] == 2
    assert ledger(raw_dir, manifest) == {}


def test_what_is_archived_is_what_the_server_sent(raw_dir: Path) -> None:
    """Bodies stay compressed, and headers keep their order and spelling; only chunks are joined."""
    body = gzip.compress(b'<a href="/b">b</a>' * 200)
    headers = {"x-ODD": "1", "Content-Encoding": "gzip", "Content-Type": "text/html", "X-odd": "2"}
    answers = {
        "/": Answer(body, headers=headers),
        "/b": Answer("<p>" + "long " * 1000 + "<a href=/c>c</a>", chunked=True),
        "/c": Answer("to the end", length=None),
    }
    with serve(answers) as site:
        _crawl(site, raw_dir)

    bodies = {url.removeprefix(site.url): content for url, _, content in archived(raw_dir)}
    assert bodies["/"] == body
    assert bodies["/b"] == answers["/b"].body.encode()
    assert bodies["/c"] == b"to the end"
    raw = gzip.decompress((raw_dir / "site-00000.warc.gz").read_bytes())
    assert b"x-ODD: 1\r\nContent-Encoding: gzip\r\nContent-Type: text/html\r\nX-odd: 2\r\n" in raw
    assert b"X-Crawler-Transfer-Encoding: chunked\r\n" in raw
    assert _is_valid(raw_dir)


def test_pages_that_cannot_be_kept_are_in_the_ledger_with_their_reason(raw_dir: Path) -> None:
    """Bad pages must not stop a crawl; the ledger has the reason for each."""
    html = {"Content-Type": "text/html"}
    bad = ["/large", "/bomb", "/endless", "/image", "/untyped", "/broken", "/short", "/late", "/loop", "/nowhere"]
    answers = {
        "/": page(*bad, "/ok"),
        "/large": Answer(b"x" * 300_000),
        "/bomb": Answer(gzip.compress(b"x" * 300_000), headers={**html, "Content-Encoding": "gzip"}),
        "/endless": Answer(b"x" * 300_000, length=None),
        "/image": Answer(b"\x89PNG\0", headers={"Content-Type": "image/png"}),
        "/untyped": Answer(b"\x89PNG\0\0", headers={}),
        "/broken": Answer(b"not gzip", headers={**html, "Content-Encoding": "gzip"}),
        "/short": Answer("half", length=1000),
        "/late": Answer("late", hold_s=1.0),
        "/loop": Answer(status=302, headers={"Location": "/loop#again"}),
        "/nowhere": Answer(status=302, headers={}),
        "/ok": page(),
    }
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir, limits=Limits(timeout_s=0.5, max_bytes=200_000, retries=0, backoff_s=0.01))

    assert pages(raw_dir) == ["/", "/ok"]
    assert ledger(raw_dir, manifest) == {
        "/large": "error.too_large",
        "/bomb": "error.too_large",
        "/endless": "error.too_large",
        "/image": "content.not_html",
        "/untyped": "content.not_html",
        "/broken": "error.encoding",
        "/short": "error.connection",
        "/late": "error.timeout",
        "/loop": "error.redirect_loop",
        "/nowhere": "http.302",
    }
    assert _is_valid(raw_dir)


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("Content-Length: \u00b2", b"abc"),
        ("Content-Length: " + "9" * 5000, b"abc"),
        ("Content-Length: -5", b"abc"),
        ("Transfer-Encoding: chunked", b"3\r\nabc" + b"x" * 200_000),
        ("Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\nA: " + b"x" * 200_000 + b"\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"x" * 200_000),
        ("Transfer-Encoding: chunked", b"-3\r\nabc\r\n0\r\n\r\n"),
    ],
    ids=["superscript", "huge", "negative", "chunk", "trailer", "long-size", "size"],
)
def test_a_body_with_invalid_framing_is_refused(field: str, body: bytes, raw_dir: Path) -> None:
    """A hostile response must not end the crawl."""
    name, _, value = field.partition(": ")
    bad = Answer(body, headers={"Content-Type": "text/html", name: value}, length=None)
    with serve({"/robots.txt": ROBOTS, "/": page("/bad", "/ok"), "/bad": bad, "/ok": page()}) as site:
        manifest = _crawl(site, raw_dir)

    assert pages(raw_dir) == ["/", "/ok"]
    assert ledger(raw_dir, manifest) == {"/bad": "error.bad_response"}


def test_compressed_answers_are_whole_pages_or_say_why_not(raw_dir: Path) -> None:
    """Servers send several members, and omit trailers and wrappers. Half a page must not be archived as a page."""
    body = b'<a href="/found">found</a>' + b"<p>words</p>" * 200
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    bodies = {
        "/members": ("gzip", gzip.compress(body[:9]) + gzip.compress(body[9:])),
        "/no-trailer": ("gzip", gzip.compress(body)[:-8]),
        "/raw-deflate": ("deflate", raw.compress(body) + raw.flush()),
        "/chain": ("gzip, br", brotli.compress(gzip.compress(body))),
        "/cut": ("gzip", gzip.compress(body)[:-12]),
        "/unknown": ("dcb", brotli.compress(body)),
    }
    answers = {"/": page(*bodies), "/found": page()} | {
        path: Answer(data, headers={"Content-Type": "text/html", "Content-Encoding": coding})
        for path, (coding, data) in bodies.items()
    }
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir)

    assert sorted(pages(raw_dir)) == ["/", "/chain", "/found", "/members", "/no-trailer", "/raw-deflate"]
    assert ledger(raw_dir, manifest) == {"/cut": "error.truncated", "/unknown": "error.encoding"}
    documents = [row for file in manifest.files for row in rows(Warc(), raw_dir / file.path)]
    assert [row["content"] for row in documents if row["url"].endswith(tuple(bodies))] == [body] * 4


def test_a_failure_that_passes_costs_no_page(raw_dir: Path) -> None:
    """Temporary failures are retried."""
    with serve({"/": page("/a"), "/a": Answer(status=503)}) as site:
        site.before = lambda path: site.answers.update({"/a": page()}) if path in site.paths else None
        _crawl(site, raw_dir)

    assert site.paths.count("/a") == 2
    assert pages(raw_dir) == ["/", "/a"]


def test_a_private_address_is_refused_unless_the_recipe_allows_it(raw_dir: Path) -> None:
    """A hostile link must not reach into the user's network."""
    with serve({"/": page()}) as site, pytest.raises(SourceError, match=r"address\.private") as caught:
        _crawl(site, raw_dir, allow_private=False)

    assert "allow_private" in (caught.value.hint or "")
    assert site.seen == []


def test_an_unreachable_site_can_be_crawled_later(raw_dir: Path) -> None:
    """Exit code 5 says that the same command can succeed later."""
    with serve({"/": page()}) as site:
        url, answers = site.url, site.answers
    source = source_of(Site(url, answers))
    with pytest.raises(UnfinishedError, match=r"error\.connection"):
        crawl(source, raw_dir, limits=QUICK)

    assert not RawManifest.model_validate_json((raw_dir / "manifest.json").read_bytes()).finished


@pytest.mark.parametrize(
    ("content", "problem"), [("{", "the file: Invalid JSON"), ('{"source": "site"}', "kind: Field required")]
)
def test_a_damaged_manifest_is_named_and_nothing_is_lost(raw_dir: Path, content: str, problem: str) -> None:
    """Only the manifest says which archives are valid, so the user must decide."""
    with serve({"/": page()}) as site:
        _crawl(site, raw_dir)
        manifest = raw_dir / "manifest.json"
        manifest.write_text(content)
        before, asked = {path.name for path in raw_dir.iterdir()}, len(site.seen)

        with pytest.raises(DamagedFileError, match=f"not a raw manifest: {problem}") as refused:
            _crawl(site, raw_dir)

        assert refused.value.file == str(manifest)
        assert refused.value.hint == "remove the file, then crawl or load the source `site` again"
        assert ({path.name for path in raw_dir.iterdir()}, len(site.seen)) == (before, asked)
        manifest.unlink()
        assert _crawl(site, raw_dir).counts["pages"] == 1


def test_a_site_that_goes_away_half_way_is_finished_later(raw_dir: Path) -> None:
    """Queued pages must not be refused because a host was down."""
    names = [f"/{number}" for number in range(20)]
    answers = {"/": page(*names), **{name: page() for name in names}}
    down = dict.fromkeys(answers, Answer("", length=10))
    with serve({**answers}) as site:
        site.before = lambda path: site.answers.update(down) if path == "/5" else None
        with pytest.raises(UnfinishedError, match="stopped answering"):
            _crawl(site, raw_dir, limits=Limits(retries=0, backoff_s=0.01))
        site.before, site.answers = None, answers
        manifest = _crawl(site, raw_dir)

    assert pages(raw_dir) == sorted(["/", *names])
    assert manifest.finished
    assert ledger(raw_dir, manifest) == {}
    assert site.paths.count("/0") == 1


@pytest.mark.parametrize("count", [5, 13])
def test_dead_pages_in_a_row_do_not_stop_a_crawl(raw_dir: Path, count: int) -> None:
    """A page that was archived before still answers, so the host is available."""
    dead = [f"/dead{number}" for number in range(count)]
    answers = {"/": page(*dead, "/good"), "/good": page(*dead[:1])}
    with serve({**answers, **dict.fromkeys(dead, Answer("", length=10))}) as site:
        manifest = _crawl(site, raw_dir, limits=Limits(retries=0, backoff_s=0.01))

    assert pages(raw_dir) == ["/", "/good"]
    assert ledger(raw_dir, manifest) == dict.fromkeys(dead, "error.connection")
    assert site.paths.count("/") == 1 + count // 5
    assert manifest.counts["responses"] == len(archived(raw_dir)) == 2 + len(SITE_FILES)


def test_a_full_disk_stops_the_crawl_and_the_next_one_goes_on(raw_dir: Path) -> None:
    """Half-written records must not count. A limit on the file size simulates the full disk."""
    names = [f"/{number}" for number in range(30)]
    answers = {"/": page(*names), **{name: Answer(os.urandom(6000).hex()) for name in names}}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serve(answers) as site:
        resource.setrlimit(resource.RLIMIT_FSIZE, (160_000, hard))
        try:
            with pytest.raises(UnfinishedError):
                _crawl(site, raw_dir)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not RawManifest.model_validate_json((raw_dir / "manifest.json").read_bytes()).finished
        _crawl(site, raw_dir)

    assert pages(raw_dir) == sorted(["/", *names])
    assert _is_valid(raw_dir)


def test_an_error_of_the_queue_ends_the_crawl(raw_dir: Path) -> None:
    """Scrapy only logs the errors of its scheduler, so the crawl waited for ever."""
    queue = raw_dir.parent.parent / "frontier" / "site.db"

    def break_queue(path: str) -> None:
        if path == "/":
            with sqlite3.connect(queue, timeout=10) as db:
                db.execute("CREATE TRIGGER damage AFTER INSERT ON urls BEGIN UPDATE urls SET other_url = ''; END")

    with serve({"/robots.txt": ROBOTS, "/": page("/a"), "/a": page()}) as site:
        site.before = break_queue
        with pytest.raises(WorkError, match="url"):
            _crawl(site, raw_dir)


def test_archives_rotate_at_their_size(raw_dir: Path) -> None:
    """Each file has its own warcinfo record and can be read alone."""
    names = [f"/{number}" for number in range(6)]
    answers = {"/": page(*names), **{name: Answer(os.urandom(3000).hex()) for name in names}}
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir, limits=Limits(archive_bytes=8000))

    assert len(manifest.files) > 2
    assert pages(raw_dir) == sorted(["/", *names])
    assert all(gzip.decompress((raw_dir / file.path).read_bytes()).count(b"warcinfo") == 1 for file in manifest.files)
    assert _is_valid(raw_dir)


def test_a_second_crawl_replaces_the_first(raw_dir: Path) -> None:
    """The old files are removed after the new manifest is written."""
    with serve({"/": page("/a"), "/a": page()}) as site:
        first = _crawl(site, raw_dir)
        site.answers["/"] = page()
        second = _crawl(site, raw_dir)

    assert pages(raw_dir) == ["/"]
    assert {file.path for file in first.files}.isdisjoint(file.path for file in second.files)
    on_disk = {path.name for path in raw_dir.iterdir()}
    assert on_disk == {"manifest.json", *second.ledger, *second.pages, *(file.path for file in second.files)}


def test_a_source_is_crawled_by_one_process_at_a_time(raw_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two crawls of a source would write to the same files."""
    monkeypatch.setattr("corpusmill.crawlers.crawl._LOCK_PATIENCE_S", 0.1)
    with serve({"/": page("/a"), "/a": Answer("a", hold_s=3.0)}) as site:
        first = _start(site, raw_dir)
        _wait_for(site, "/")

        with pytest.raises(UnfinishedError, match=f"process {first.pid}"):
            _crawl(site, raw_dir)

        _kill(first)


CRAWL = """
import json, sys
from pathlib import Path
from corpusmill.crawlers.crawl import crawl
from corpusmill.schemas.crawl_source import CrawlSource
extend = "extend" in sys.argv[3:]
crawl(CrawlSource.model_validate_json(sys.argv[1], strict=True), Path(sys.argv[2]), extend=extend)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the children of a process in /proc")
@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1, 0.15, 0.2])
def test_an_interrupt_while_the_process_of_a_crawl_starts_prints_no_traceback(tmp_path: Path, after_s: float) -> None:
    """Ctrl-C also reaches the process while it imports Scrapy; only the command may report it."""
    recipe = tmp_path / "recipe.yaml"
    with serve({"/": page()}) as site:
        source = source_of(site).model_dump(mode="json", exclude_defaults=True)
        recipe.write_text(json.dumps({"dataset": "made", "sources": [{"crawl": source}], "stages": ["extract"]}))
        process = subprocess.Popen(
            [sys.executable, "-m", "corpusmill", "crawl", str(recipe), "--workspace", str(tmp_path / "corpus")],
            start_new_session=True,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text():
            time.sleep(0.002)
        time.sleep(after_s)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate()

    assert "Traceback" not in errors
    assert process.returncode == 130
    assert "error: interrupted" in errors


def _start(site: Site, raw_dir: Path, *, extend: bool = False, **options: object) -> subprocess.Popen[bytes]:
    source = json.dumps(source_of(site, **options).model_dump(mode="json"))
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", CRAWL, source, str(raw_dir), *(["extend"] if extend else [])],
        env=os.environ | {"PYTHONPATH": root},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )


def _wait_for(site: Site, path: str) -> None:
    deadline = time.monotonic() + 30
    while path not in site.paths and time.monotonic() < deadline:
        time.sleep(0.005)
    assert path in site.paths


def _kill(process: subprocess.Popen[bytes], *, group: bool = True) -> None:
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


@pytest.mark.parametrize("group", [True, False], ids=["whole-group", "only-the-parent"])
def test_a_killed_crawl_goes_on_and_archives_each_page_once(raw_dir: Path, group: bool) -> None:
    """After two kills with SIGKILL, no page is lost or archived twice, and at most one per kill is requested again."""
    names = [f"/{number}" for number in range(60)]
    answers = {"/": page(*names[:30]), "/7": page(*names[30:]), "/5": page("/private/b")}
    answers |= {name: replace(page(), hold_s=0.02) for name in names if name not in answers}
    with serve({"/robots.txt": ROBOTS, **answers}) as site:
        for milestone in ("/3", "/25"):
            process = _start(site, raw_dir)
            _wait_for(site, milestone)
            _kill(process, group=group)
        # Scrapy's process may write for a moment until it notices that its parent has ended.
        with (
            file_lock(raw_dir.parent.parent / "frontier" / "site.lock", subject="the crawl", wait_s=30),
            (raw_dir / "site-00000.warc.gz").open("ab") as archive,
        ):
            archive.write(b"\x1f\x8b\x08 torn")
        manifest = _crawl(site, raw_dir, limits=Limits())

    assert ledger(raw_dir, manifest) == {"/private/b": "robots.disallowed"}
    assert pages(raw_dir) == sorted(["/", *names])
    assert manifest.finished
    assert manifest.counts["pages"] == 61
    assert manifest.counts["responses"] == len(archived(raw_dir))
    runs = _by_run(site)
    assert len(runs) == 3
    assert all(len(run) == len(set(run)) for run in runs), runs
    assert len(set(runs[0]) & {*runs[1], *runs[2]}) <= 1, runs
    assert len(set(runs[1]) & set(runs[2])) <= 1, runs
    assert _is_valid(raw_dir)


def test_an_extended_crawl_that_is_killed_leaves_the_published_files_and_goes_on(raw_dir: Path) -> None:
    """Readers of the published archive must not see it grow, and each page is archived once."""
    names = [f"/{number}" for number in range(30)]
    with serve({"/": page(*names), **{name: replace(page(), hold_s=0.02) for name in names}}) as site:
        first = _crawl(site, raw_dir, max_pages=5)
        process = _start(site, raw_dir, extend=True, max_pages=25)
        _wait_for(site, "/12")
        _kill(process)
        published = RawManifest.model_validate_json((raw_dir / "manifest.json").read_text())
        intact = [file_sha256(raw_dir / file.path) for file in published.files]
        manifest = crawl(source_of(site, max_pages=25), raw_dir, extend=True)

    assert published == first
    assert intact == [file.sha256 for file in first.files]
    assert manifest.counts["pages"] == len(pages(raw_dir)) == len(set(pages(raw_dir))) == 25
    assert manifest.files[0] == first.files[0]
    assert manifest.counts["refused.budget.pages"] == 6
    assert _is_valid(raw_dir)


def test_a_finished_crawl_is_only_extended_within_its_definition(raw_dir: Path) -> None:
    """Otherwise pages that the new definition excludes would stay, or damaged archives would be published again."""
    with serve({"/": page("/a", "/b"), "/a": page(), "/b": page()}) as site:
        first = _crawl(site, raw_dir, max_pages=2)
        denied = crawl(source_of(site, max_pages=3, deny=("/a",)), raw_dir, extend=True, limits=QUICK)
        (raw_dir / denied.files[0].path).write_bytes(b"")
        repeated = crawl(source_of(site, max_pages=4, deny=("/a",)), raw_dir, extend=True, limits=QUICK)

    assert {file.path for file in first.files}.isdisjoint(file.path for file in denied.files)
    assert {file.path for file in denied.files}.isdisjoint(file.path for file in repeated.files)
    assert pages(raw_dir) == ["/", "/b"]


def _by_run(site: Site) -> list[list[str]]:
    """Return the pages that each process requested, in order; each requests the files of the site first."""
    runs: list[list[str]] = []
    for path, _, _ in sorted(site.seen, key=itemgetter(1)):
        if path == "/robots.txt":
            runs.append([])
        elif path not in SITE_FILES:
            runs[-1].append(path)
    return runs


def test_an_archive_that_lost_its_end_is_filled_up_again(raw_dir: Path) -> None:
    """After a power cut, the queue may have settled pages that are not on disk."""
    names = [f"/{number}" for number in range(20)]
    with serve({"/": page(*names), **{name: Answer(name * 400, hold_s=0.02) for name in names}}) as site:
        process = _start(site, raw_dir)
        _wait_for(site, "/12")
        _kill(process)
        archive = raw_dir / "site-00000.warc.gz"
        os.truncate(archive, archive.stat().st_size // 2)
        _crawl(site, raw_dir)

    assert pages(raw_dir) == sorted(["/", *names])
    assert _is_valid(raw_dir)
