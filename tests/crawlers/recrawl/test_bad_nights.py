"""Nights on which a site is broken, forbidden or moved, or the crawl is killed: nothing is lost without a reason."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.crawl_files import frontier_path
from corpusmill.crawlers.frontier.entries import Entry, Settled, State
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.recrawl.captures import Capture
from corpusmill.crawlers.recrawl.known import KnownPages
from corpusmill.schemas.crawl_source import Recrawl
from tests.crawlers.recrawl.sites import Nights, articles, gone, tagged
from tests.crawlers.sites import Answer, Site, page, serve

FORBIDDEN = Answer("User-agent: *\nDisallow: /\n", headers={"Content-Type": "text/plain"})


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(articles(*"abcdef")) as site:
        yield site


def test_a_page_that_is_missing_once_leaves_room_for_a_new_one_and_no_history_is_lost(
    site: Site, raw_dir: Path
) -> None:
    """With the page that is carried, a recrawl has more pages than `max_pages`. It is the same crawl all the same."""
    nights = Nights(site, raw_dir, max_pages=4)
    nights.crawl(recrawl=False)
    del site.answers["/b"]
    nights.crawl()

    manifest = nights.crawl()

    assert manifest.generation == 2
    assert nights.requests["/a"].keys() == {"If-None-Match"}
    assert gone(raw_dir, manifest) == {"/b": "gone.404"}


def test_a_crawl_that_was_killed_after_its_publication_does_not_change_its_archives(site: Site, raw_dir: Path) -> None:
    """The manifest has the hashes of the archives, and a reader may open them."""
    site.answers["/a"] = Answer("cut", length=1_000)  # the connection ends before the body
    nights = Nights(site, raw_dir)
    first = nights.crawl(recrawl=False)
    frontier = Frontier(frontier_path("site", raw_dir))
    frontier.remember(finished=0)  # the state after a kill between the manifest and the end of the queue
    frontier.close()

    second = nights.crawl(recrawl=False)

    assert nights.requests == {}
    assert second.files == first.files
    assert [(raw_dir / file.path).stat().st_size for file in second.files] == [file.size for file in second.files]


def test_a_site_that_forbids_all_of_its_pages_has_none_in_the_next_version(site: Site, raw_dir: Path) -> None:
    """This is what the owner says, not a failure of the site."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    site.answers["/robots.txt"] = FORBIDDEN

    manifest = nights.crawl()

    assert gone(raw_dir, manifest) == dict.fromkeys(articles(*"abcdef"), "gone.disallowed")
    assert nights.requests == {}


def test_the_missing_target_of_a_redirect_that_is_not_due_stays_in_the_ledger(raw_dir: Path, tmp_path: Path) -> None:
    """Nothing is asked that could find it again."""
    answers = articles("a") | {"/r": Answer(status=302, headers={"Location": "/t"})}
    with serve(answers) as site:
        (tmp_path / "urls.txt").write_text(f"{site.url}/a\n{site.url}/r\n")
        nights = Nights(site, raw_dir, start_urls=(), urls=str(tmp_path / "urls.txt"), recrawl=Recrawl())
        nights.crawl(recrawl=False)

        manifest = nights.crawl(nights=0)

    rows = [row for name in manifest.ledger for row in pq.read_table(raw_dir / name).to_pylist()]
    assert nights.requests == {}
    assert [(row["url"], row["rule"]) for row in rows] == [(f"{site.url}/t", "http.404")]


def test_new_links_of_a_page_with_noindex_are_found(site: Site, raw_dir: Path) -> None:
    """Lists of posts often say `noindex, follow`."""
    hub = '<meta name="robots" content="noindex, follow">'
    site.answers["/a"] = tagged(page("/x", head=hub))
    site.answers["/x"] = tagged(page(text="The first post."))
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    site.answers["/a"] = tagged(page("/x", "/y", head=hub))
    site.answers["/y"] = tagged(page(text="The second post."))

    manifest = nights.crawl()

    assert "/y" in nights.requests
    assert manifest.counts["new"] == 1


def test_the_files_of_a_site_are_counted_for_each_try_of_an_address() -> None:
    """After a failure, the address settles again, and the files of its site are archived again before it."""
    entry = Entry(id=1, key="http://a/", url="http://a/", host="a", depth=0, redirects=0)
    again = Capture("site", 304, None, None, None, None, None, None, is_stored=False)
    known = KnownPages()
    db = sqlite3.connect(":memory:")
    known.create(db)
    for names in (["robots.txt", "ai.txt"], ["robots.txt"]):
        for name in names:
            known.note_site(f"http://a/{name}", again)
        known.settle(db, entry, Settled(State.REFUSED, rule="error.connection"))

    assert known.revisits() == 3
