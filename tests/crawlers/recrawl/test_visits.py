"""A recrawl compares the pages that are not due with the robots.txt of now, and no budget leaves this out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from corpusmill.schemas.crawl_source import Recrawl
from tests.crawlers.recrawl.sites import Nights, articles, gone, tagged
from tests.crawlers.sites import Answer, Site, ledger, page, serve

DAYS = Recrawl.model_validate({"min_interval": "3d", "max_interval": "9d"})
PLAIN = {"Content-Type": "text/plain"}


def robots(*paths: str, more: str = "") -> Answer:
    """Return a robots.txt that disallows *paths*."""
    lines = "".join(f"Disallow: {path}\n" for path in paths)
    return Answer(f"User-agent: *\n{lines}{more}", headers=PLAIN)


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(articles(*"abc")) as site:
        yield site


def test_a_page_that_is_not_due_leaves_when_robots_txt_forbids_it_and_comes_back_when_it_does_not(
    site: Site, raw_dir: Path
) -> None:
    """What an owner forbids must not stay published until a page is due. No request is sent to it."""
    nights = Nights(site, raw_dir, recrawl=DAYS)
    nights.crawl(recrawl=False)
    site.answers["/robots.txt"] = robots("/a", "/b")

    second = nights.crawl()

    assert gone(raw_dir, second) == {"/a": "gone.disallowed", "/b": "gone.disallowed"}
    assert ledger(raw_dir, second) == {"/a": "robots.disallowed", "/b": "robots.disallowed"}
    assert (second.counts["pages"], second.counts["carried"], second.counts["gone"]) == (2, 1, 2)
    assert nights.requests.keys() == {"/"}
    assert second.statistics is not None
    assert second.statistics.requests == second.counts["requests"]
    site.answers["/robots.txt"] = robots("/b")

    third = nights.crawl()

    assert nights.requests.keys() == {"/", "/a"}
    assert gone(raw_dir, third) == {"/b": "gone.disallowed"}
    assert (third.counts["pages"], third.counts["new"], third.counts["carried"]) == (3, 1, 1)


def test_a_robots_txt_that_fails_leaves_pages_that_are_not_due_as_they_are(raw_dir: Path) -> None:
    """A failure says nothing about a page. It is in the ledger, and the next night decides."""
    start = tagged(page("http://127.0.0.2:1/", text="All pages."))
    with serve({"/": start}) as site, serve(articles("c"), host="127.0.0.2") as other:
        urls = raw_dir.parent.parent.parent / "urls.txt"
        urls.write_text(f"{site.url}/\n{other.url}/c\n")
        nights = Nights(site, raw_dir, start_urls=(site.url + "/",), urls=str(urls), recrawl=DAYS)
        nights.crawl(recrawl=False)
        other.answers["/robots.txt"] = Answer(status=503)

        second = nights.crawl()

        assert (second.counts["pages"], second.counts["carried"]) == (2, 1)
        assert ledger(raw_dir, second)[f"{other.url}/robots.txt"] == "robots.unreachable"
        other.answers["/robots.txt"] = robots("/c")
        third = nights.crawl()

    assert gone(raw_dir, third) == {"/c": "gone.disallowed"}
    assert f"{other.url}/robots.txt" not in ledger(raw_dir, third)
    assert [path for path in other.paths if path == "/c"] == ["/c"]


def test_a_site_that_asks_for_a_long_delay_can_forbid_pages_all_the_same(site: Site, raw_dir: Path) -> None:
    """The delay leads to no requests, and the pages would stay published."""
    nights = Nights(site, raw_dir, recrawl=DAYS)
    nights.crawl(recrawl=False)
    site.answers["/robots.txt"] = robots("/a", "/$", more="Crawl-delay: 600\n")

    second = nights.crawl()

    assert gone(raw_dir, second) == {"/": "gone.disallowed", "/a": "gone.disallowed"}
    assert nights.requests == {}


def test_known_pages_are_asked_for_although_there_are_more_than_max_pages(site: Site, raw_dir: Path) -> None:
    """With a page that is carried, a recrawl has more pages than `max_pages`, and new ones do not fit."""
    nights = Nights(site, raw_dir, max_pages=4)
    nights.crawl(recrawl=False)
    site.answers |= articles("d") | {"/": tagged(page("/a", "/b", "/c", "/d", text="More.")), "/a": Answer(status=404)}
    nights.options["recrawl"] = DAYS
    second = nights.crawl()
    site.answers["/"] = tagged(page("/a", "/b", "/c", "/d", "/e", text="Even more pages."))

    third = nights.crawl()

    assert (second.counts["pages"], third.counts["pages"], third.counts["carried"]) == (5, 5, 4)
    assert nights.requests.keys() == {"/"}
    assert ledger(raw_dir, third) == {"/e": "budget.pages"}


def test_a_site_with_too_many_pages_is_visited_all_the_same(site: Site, raw_dir: Path) -> None:
    """A budget must not keep forbidden pages in the corpus."""
    nights = Nights(site, raw_dir, recrawl=DAYS, budgets={"per_host": {"pages": 4}}, max_pages=4)
    nights.crawl(recrawl=False)
    site.answers["/robots.txt"] = robots("/b")

    second = nights.crawl()

    assert gone(raw_dir, second) == {"/b": "gone.disallowed"}
    assert "/" in nights.requests


def test_the_target_of_a_start_page_that_redirects_is_due_with_it(raw_dir: Path) -> None:
    """New pages are linked there, also behind two redirects."""
    answers = articles("a", "b")
    moved = {path: Answer(status=302, headers={"Location": to}) for path, to in (("/", "/en"), ("/en", "/h"))}
    with serve({**answers, **moved, "/h": tagged(page("/a", "/b", text="All pages."))}) as site:
        nights = Nights(site, raw_dir, recrawl=DAYS)
        nights.crawl(recrawl=False)
        site.answers["/h"] = tagged(page("/a", "/b", "/c", text="One more page."))
        site.answers |= {path: answer for path, answer in articles("c").items() if path != "/"}
        second = nights.crawl()
        asked = set(nights.requests)
        site.answers["/en"] = Answer(status=302, headers={"Location": "/b"})

        third = nights.crawl()

    assert asked == {"/", "/en", "/h", "/c"}
    assert nights.requests.keys() == {"/", "/en", "/h", "/b"}
    assert (third.counts["pages"], third.counts["revisits"], third.counts["carried"]) == (4, 2, 2)
    assert (second.counts["new"], second.counts["changed"], second.counts["carried"]) == (1, 1, 2)
