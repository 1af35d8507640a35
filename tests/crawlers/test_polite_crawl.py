"""A crawl waits when a server asks for it, and leaves a server alone that asks for too much."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastwarc.warc import WarcRecordType

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.crawl_definition import definition, stored_definition
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import SourceError, UnfinishedError
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.recrawl.sites import records
from tests.crawlers.sites import QUICK, Answer, Site, archived, ledger, page, pages, serve, source_of


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


def _crawl(site: Site, raw_dir: Path, **options: object) -> RawManifest:
    return crawl(source_of(site, **options), raw_dir, limits=replace(QUICK, max_retry_after_s=2.0))


def _busy_once(site: Site, path: str, status: int, retry_after: str) -> None:
    """Let the first request for *path* fail."""
    good = site.answers[path]
    site.answers[path] = Answer("busy", status=status, headers={"Retry-After": retry_after})

    def recover(asked: str) -> None:
        if site.paths.count(path):
            site.answers[path] = good

    site.before = recover


@pytest.mark.parametrize("path", ["/robots.txt", "/a"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_page_is_fetched_again_when_the_pause_is_over(raw_dir: Path, path: str, status: int) -> None:
    """The pause holds for the whole host, and costs no page."""
    with serve({"/robots.txt": Answer(""), "/": page("/a", "/b"), "/a": page(), "/b": page()}) as site:
        _busy_once(site, path, status, "1")
        manifest = _crawl(site, raw_dir)

    times = [began for asked, began, _ in site.seen if asked == path]
    busy = site.paths.index(path)
    assert pages(raw_dir) == ["/", "/a", "/b"]
    assert ledger(raw_dir, manifest) == {}
    assert times[1] - times[0] >= 1
    assert site.paths[busy + 1] == path
    assert manifest.counts["responses"] == len(archived(raw_dir))


@pytest.mark.parametrize("busy", [2, 99], ids=["for a while", "for ever"])
def test_a_page_of_a_busy_server_is_asked_for_again_behind_the_others(raw_dir: Path, busy: int) -> None:
    """The server names a time at which it answers, so the page is not lost; but it cannot hold up a crawl for ever."""
    with serve({"/": page("/a", "/b"), "/a": page(), "/b": page()}) as site:
        good, answer = site.answers["/a"], Answer("busy", status=429, headers={"Retry-After": "1"})
        site.before = lambda _: site.answers.update({"/a": answer if site.paths.count("/a") < busy else good})

        manifest = _crawl(site, raw_dir)

    asked = [path for path in site.paths if path in ("/a", "/b")]
    rows = [row for name in manifest.ledger for row in pq.read_table(raw_dir / name).to_pylist()]
    tries = QUICK.retries + 1
    assert asked[:4] == ["/a"] * tries + ["/b", "/a"]
    assert asked.count("/a") == (busy + 1 if busy < 9 else 2 * tries)
    assert [(row["rule"], row["message"]) for row in rows] == (
        [] if busy < 9 else [("http.429", "HTTP/1.1 429 Too Many Requests; Retry-After: 1 s")]
    )


def test_a_host_that_asks_for_a_long_pause_is_crawled_another_time(raw_dir: Path) -> None:
    """Its other pages stay queued, and the same command goes on after the pause."""
    answers = {"/": page("/a", "/b", "/c"), "/a": page(), "/b": page(), "/c": page()}
    with serve({**answers}) as site:
        _busy_once(site, "/b", 429, "3600")
        site.before = None
        with pytest.raises(UnfinishedError, match="stopped answering"):
            _crawl(site, raw_dir)
        first = site.paths
        site.answers.update(answers)
        manifest = _crawl(site, raw_dir)

    assert first.count("/b") == 1
    assert "/c" not in first
    assert site.paths.count("/a") == 1
    assert pages(raw_dir) == ["/", "/a", "/b", "/c"]
    assert ledger(raw_dir, manifest) == {}
    assert manifest.counts["responses"] == len(archived(raw_dir))


def test_a_host_that_asks_for_a_long_pause_at_once_can_be_crawled_later(raw_dir: Path) -> None:
    """No page was fetched, so the error names the rule."""
    with serve({"/": Answer("busy", status=503, headers={"Retry-After": "3600"})}) as site:
        with pytest.raises(UnfinishedError, match=r"host\.suspended: .* \(Retry-After: 3600 s are left"):
            _crawl(site, raw_dir)
        site.answers["/"] = page()
        assert _crawl(site, raw_dir).counts["pages"] == 1


def test_a_site_with_a_long_crawl_delay_is_not_crawled(raw_dir: Path) -> None:
    """A shorter delay would be against the will of its owner."""
    robots = Answer("User-agent: *\nCrawl-delay: 90\n")
    message = r"robots\.crawl_delay: .*asks for 90 s.*; the limit is 60 s"
    with serve({"/robots.txt": robots, "/": page()}) as site, pytest.raises(SourceError, match=message) as refused:
        _crawl(site, raw_dir)

    assert site.paths == ["/robots.txt"]
    hint = "ask the owner of the site for a shorter Crawl-delay, or choose other addresses in `start_urls`"
    assert refused.value.hint == hint


def test_each_archived_robots_txt_is_counted_when_a_crawl_goes_on(raw_dir: Path) -> None:
    """Each process asks for robots.txt again, and an equal response is a revisit."""
    answers = {"/": page("/a", "/b"), "/a": page(), "/b": page()}
    with serve({**answers}) as site, serve({"/robots.txt": Answer("", status=500)}, host="127.0.0.2") as down:
        _busy_once(site, "/b", 429, "3600")
        site.before = None
        starts = (f"{site.url}/", f"{down.url}/")
        with pytest.raises(UnfinishedError, match="stopped answering"):
            _crawl(site, raw_dir, start_urls=starts)
        site.answers.update(answers)
        manifest = _crawl(site, raw_dir, start_urls=starts)

    assert manifest.counts["refused.robots.unreachable"] == 1
    revisits = records(raw_dir, WarcRecordType.revisit, number=0)
    assert len(revisits) == 4
    assert manifest.counts["responses"] == len(archived(raw_dir))
    assert manifest.counts["requests"] == len(archived(raw_dir)) + len(revisits)


def test_a_crawl_from_before_cookies_existed_goes_on(tmp_path: Path) -> None:
    """A new field must not discard the pages of an unfinished crawl."""
    source = source_of(Site("http://127.0.0.1", {}))
    fields = json.loads(definition(source))
    frontier = Frontier(tmp_path / "site.db")
    frontier.remember(definition=json.dumps({name: value for name, value in fields.items() if name != "cookies"}))

    same, other = (
        stored_definition(frontier) == json.loads(definition(one)) for one in (source, _with_cookies(source))
    )

    frontier.close()
    assert (same, other) == (True, False)


def _with_cookies(source: CrawlSource) -> CrawlSource:
    return source.model_copy(update={"cookies": True})
