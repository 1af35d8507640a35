"""A recrawl reads sitemaps, feeds and lists of URLs again, and asks for the pages in them only if they are due."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastwarc.warc import WarcRecordType

from corpusmill.crawlers.crawl import crawl
from corpusmill.schemas.crawled_pages import read_crawled_pages
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import open_store
from tests.crawlers.recrawl.sites import Nights, articles, records, tagged
from tests.crawlers.sites import QUICK, Answer, ledger, page, serve, source_of

FEED = '<link rel="alternate" type="application/rss+xml" href="/feed">'


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


def sitemap(*paths: str) -> Answer:
    entries = "".join(f"<url><loc>{path}</loc></url>" for path in paths)
    return tagged(Answer(f"<urlset>{entries}</urlset>", headers={"Content-Type": "application/xml"}))


def feed(*paths: str) -> Answer:
    items = "".join(f"<item><link>{path}</link></item>" for path in paths)
    return Answer(f"<rss><channel>{items}</channel></rss>", headers={"Content-Type": "application/rss+xml"})


def table(raw_dir: Path, manifest: RawManifest) -> set[str]:
    """Return the paths of the addresses in the table of pages, without the files of sites."""
    rows = [row for name in manifest.pages for row in read_crawled_pages(open_store(raw_dir), name)]
    return {"/" + row.url.split("/", 3)[3] for row in rows if row.kind != "site"}


def test_a_sitemap_is_read_again_and_its_known_pages_are_asked_for_on_condition(raw_dir: Path) -> None:
    """New pages of a site without links are found there, and a sitemap is never a page."""
    answers = articles("a", "b", "c")
    with serve({**answers, "/s.xml": sitemap("/a", "/b"), "/moved.xml": Answer(status=301)}) as site:
        site.answers["/moved.xml"] = Answer(status=301, headers={"Location": "/s.xml"})
        nights = Nights(site, raw_dir, start_urls=(), sitemaps=(site.url + "/moved.xml",))
        first = table(raw_dir, nights.crawl(recrawl=False))
        site.answers["/s.xml"] = sitemap("/a", "/b", "/c")

        second = nights.crawl()

    conditions = {f"/{name}": {"If-None-Match": answers[f"/{name}"].headers["ETag"]} for name in "ab"}
    assert nights.requests == {**conditions, "/moved.xml": {}, "/s.xml": {}, "/c": {}}
    assert first == {"/a", "/b"}
    assert table(raw_dir, second) == {"/a", "/b", "/c"}
    assert (second.counts["pages"], second.counts["new"], second.counts["revisits"]) == (3, 1, 2)
    assert second.counts["listings"] == 1
    assert ledger(raw_dir, second) == {}
    assert second.statistics is not None
    assert second.statistics.requests == second.counts["requests"]
    assert second.statistics.bytes == second.counts["bytes"]


def test_listings_that_failed_or_have_mistakes_stay_listings_in_a_recrawl(raw_dir: Path) -> None:
    """They must not be asked for as pages, and their rows are those of the latest night."""
    with serve({**articles("a"), "/s.xml": sitemap("/a", "http://[bad"), "/down.xml": Answer(status=503)}) as site:
        nights = Nights(site, raw_dir, start_urls=(), sitemaps=(site.url + "/s.xml", site.url + "/down.xml"))
        first = nights.crawl(recrawl=False)
        second = nights.crawl()
        site.answers |= {"/s.xml": sitemap("/a"), "/down.xml": sitemap("/a")}

        third = nights.crawl()

    assert ledger(raw_dir, third) == {}
    assert [night.counts.get("refused.sitemap.invalid", 0) for night in (first, second, third)] == [1, 1, 0]
    assert [night.counts.get("refused.http.503", 0) for night in (first, second, third)] == [1, 1, 0]
    assert list(nights.requests) == ["/a", "/s.xml", "/down.xml"]


def test_the_feed_of_an_unchanged_start_page_is_read_again(raw_dir: Path) -> None:
    """A 304 would not say which feeds a page announces. The page is not stored twice all the same."""
    start = tagged(page(head=FEED, text="home"))
    with serve({**articles("a", "b"), "/": start, "/feed": feed("/a")}) as site:
        nights = Nights(site, raw_dir, feeds=True)
        nights.crawl(recrawl=False)
        site.answers["/feed"] = feed("/b", "/a")

        second = nights.crawl()

    assert nights.requests["/"] == nights.requests["/feed"] == nights.requests["/b"] == {}
    assert nights.requests["/a"].keys() == {"If-None-Match"}
    stored = [record["WARC-Target-URI"] for record in records(raw_dir, WarcRecordType.response, number=1)]
    assert [url.rpartition("/")[2] for url in stored] == ["feed", "b"]
    assert (second.counts["pages"], second.counts["revisits"]) == (3, 2)


def test_a_recrawl_reads_the_lists_of_urls_again(tmp_path: Path, raw_dir: Path) -> None:
    """A line that was added or corrected takes effect, on a new host too, and pages that are not due stay held."""
    day = {"min_interval": "3d", "max_interval": "9d"}
    with serve(articles("a", "b")) as site, serve(articles("c"), host="127.0.0.2") as other:
        (tmp_path / "list.txt").write_text(f"{site.url}/a\nhttp://[bad\n")
        source = source_of(site, start_urls=(), urls="list.txt", recrawl=day)
        first = crawl(source, raw_dir, limits=QUICK, base=tmp_path)
        asked = len(site.paths)
        (tmp_path / "list.txt").write_text(f"{site.url}/a\n{site.url}/b\n{other.url}/c\n")

        second = crawl(source, raw_dir, limits=QUICK, base=tmp_path, recrawl=True)

    assert first.counts["refused.urls.invalid"] == 1
    assert [path for path in site.paths[asked:] if path in ("/a", "/b")] == ["/b"]
    assert "/c" in other.paths
    assert (second.counts["pages"], second.counts["carried"], second.counts["refused"]) == (3, 1, 0)


def test_links_that_are_no_addresses_stay_in_the_ledger(raw_dir: Path) -> None:
    """The page that has them is not read again, so the row is carried over as it is."""
    start = tagged(page("http://[bad", "/a"))
    with serve({**articles("a"), "/": start}) as site:
        nights = Nights(site, raw_dir)
        nights.crawl(recrawl=False)
        second = nights.crawl()

    assert second.counts["refused.link.invalid"] == 1
