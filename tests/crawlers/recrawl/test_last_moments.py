"""Crawls that are killed between the publication of their manifest and the end of their queue."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.crawl_files import frontier_path
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import open_store
from corpusmill.schemas.storage.attempts import attempt_name
from tests.crawlers.recrawl.sites import Nights, articles, tagged
from tests.crawlers.sites import QUICK, Answer, Site, page, serve, source_of


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(articles("a", "b", "c")) as site:
        yield site


def killed(raw_dir: Path) -> None:
    """Bring the queue into the state after a kill right behind the publication of the manifest."""
    frontier = Frontier(frontier_path("site", raw_dir))
    frontier.remember(finished=0)
    frontier.close()


def sizes(raw_dir: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in raw_dir.glob("*.warc.gz")}


def test_a_recrawl_after_one_that_was_killed_in_its_last_moment_recrawls(site: Site, raw_dir: Path) -> None:
    """The killed one is published, so a night would be left out if the next one only finished it."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    second = nights.crawl()
    killed(raw_dir)
    site.answers["/a"] = tagged(page(text="Changed in the third night."))

    third = nights.crawl()

    assert nights.requests.keys() == {"/", "/a", "/b", "/c"}
    assert (second.generation, third.generation) == (1, 2)
    assert third.counts["changed"] == 1


def test_an_extended_crawl_that_was_killed_after_its_publication_does_not_change_its_archives(
    site: Site, raw_dir: Path
) -> None:
    """The hashes of its last archive are published too. One that was killed before its publication goes on."""
    site.answers["/b"] = Answer("cut", length=1_000)  # the connection ends before the body
    crawl(source_of(site, max_pages=1), raw_dir, limits=QUICK)
    more = source_of(site, max_pages=9)
    extended = crawl(more, raw_dir, limits=QUICK, extend=True)
    killed(raw_dir)
    before, asked = sizes(raw_dir), len(site.seen)

    again = crawl(more, raw_dir, limits=QUICK)

    assert again == extended
    assert sizes(raw_dir) == before
    assert len(before) == 2
    assert len(site.seen) == asked


def test_an_extended_crawl_that_was_killed_before_its_publication_goes_on(site: Site, raw_dir: Path) -> None:
    """The published manifest is that of the crawl before it was extended."""
    crawl(source_of(site, max_pages=1), raw_dir, limits=QUICK)
    published = (raw_dir / "manifest.json").read_bytes()
    more = source_of(site, max_pages=9)
    crawl(more, raw_dir, limits=QUICK, extend=True)
    (raw_dir / "manifest.json").write_bytes(published)
    killed(raw_dir)

    again = crawl(more, raw_dir, limits=QUICK)

    assert again.counts["pages"] == 4
    assert RawManifest.model_validate_json((raw_dir / "manifest.json").read_bytes()) == again


def test_the_next_crawl_removes_what_a_killed_one_left_on_a_store_in_a_folder(
    site: Site, raw_dir: Path, tmp_path: Path
) -> None:
    """A draft in a folder has no reader, and nothing else removes it. That of a running process stays."""
    place = tmp_path / "store" / "raw" / "site"
    store = open_store(f"file://{place}")
    crawl(source_of(site, "/a"), raw_dir, store=store, limits=QUICK)
    mine = place / f"site-00009.warc.gz.{attempt_name()}.tmp"
    dead = place / mine.name.replace(f"-{os.getpid()}-", "-999999999-")
    for draft in (mine, dead):
        draft.write_bytes(b"half an archive")
    killed(raw_dir)

    crawl(source_of(site, "/a"), raw_dir, store=store, limits=QUICK)

    assert (mine.exists(), dead.exists()) == (True, False)
    assert list(raw_dir.iterdir()) == []
