"""Budgets bound a crawl, in all and per host; what they cut is in the ledger, and a higher budget continues there."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.frontier.entries import Entry, Link, Settled, State
from corpusmill.crawlers.frontier.limits import Limits
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.schemas.budgets import CrawlBudgets, HostBudgets
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.sites import QUICK, SITE_FILES, page, pages, serve, source_of


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


def _link(url: str, depth: int = 0) -> Link:
    return Link(url, url, depth)


def _rows(raw_dir: Path, manifest: RawManifest) -> list[dict[str, Any]]:
    return [row for name in manifest.ledger for row in pq.read_table(raw_dir / name).to_pylist()]


def test_a_budget_per_host_cuts_each_host_and_a_higher_one_continues(raw_dir: Path) -> None:
    """The crawl is finished, says which host used its budget, and requests no page twice."""
    names = [f"/{number}" for number in range(4)]
    answers = {"/": page(*names), **{name: page() for name in names}}
    with serve(answers) as one, serve(answers, host="127.0.0.2") as two:
        options = {"start_urls": (f"{one.url}/", f"{two.url}/")}
        small, large = (CrawlBudgets(per_host=HostBudgets(pages=count)) for count in (3, 4))
        first = crawl(source_of(one, budgets=small, **options), raw_dir, limits=QUICK)
        cut = _rows(raw_dir, first)
        second = crawl(source_of(one, budgets=large, **options), raw_dir, limits=QUICK, extend=True)
        third = crawl(source_of(one, **options), raw_dir, limits=QUICK, extend=True)

    assert first.finished
    assert first.counts["pages"] == 6
    assert first.counts["refused.budget.pages"] == first.counts["refused"] == 4
    assert [(row["url"].rpartition("/")[2], row["message"]) for row in cut] == [
        (name, f"host {host} used its budget of 3 pages") for host in ("127.0.0.1", "127.0.0.2") for name in "23"
    ]
    assert second.counts["pages"] == 8
    assert third.counts["pages"] == 10
    assert _rows(raw_dir, third) == []
    for site in (one, two):
        assert sorted(path for path in site.paths if path not in SITE_FILES) == ["/", *names]


def test_a_budget_of_bytes_ends_the_crawl_after_the_page_that_reaches_it(raw_dir: Path) -> None:
    """The page is kept: it was paid for."""
    answers = {"/": page("/a", "/b", "/c"), "/a": page(text="x" * 5000), "/b": page(), "/c": page()}
    with serve(answers) as site:
        manifest = crawl(source_of(site, budgets=CrawlBudgets(bytes=5000)), raw_dir, limits=QUICK)

    assert pages(raw_dir) == ["/", "/a"]
    assert {row["rule"]: row["message"] for row in _rows(raw_dir, manifest)} == {
        "budget.bytes": "the crawl used its budget of 5,000 bytes"
    }
    assert manifest.counts["refused.budget.bytes"] == 2


def test_seconds_are_counted_over_interruptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a crawl that is restarted each night would never end."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limits = Limits(seconds=60, host_seconds=40)
    frontier = Frontier(tmp_path / "queue.db", limits=limits)
    frontier.seed(_link(f"http://{host}.example/{number}") for host in "ab" for number in range(3))
    taken: list[str] = []
    for at in range(3):
        if at:
            frontier.close()
            frontier = Frontier(tmp_path / "queue.db", limits=limits)
        entry = frontier.take()
        if entry is None:
            break
        taken.append(entry.key)
        now += 45.0 if at == 0 else 30.0
        frontier.settle(entry, Settled(State.PAGE), file=0, end=at)

    rules = {url: (rule, message) for url, _, _, rule, message, _ in frontier.ledger()}

    assert taken == ["http://a.example/0", "http://b.example/0"]
    assert not frontier.has_work()
    assert frontier.seconds == 75.0
    assert rules["http://a.example/1"] == ("budget.seconds", "host a.example used its budget of 40 seconds")
    assert rules["http://b.example/1"] == ("budget.seconds", "the crawl used its budget of 60 seconds")
    frontier.close()


def _drained(frontier: Frontier) -> list[str]:
    keys: list[str] = []
    while (entry := frontier.take()) is not None:
        keys.append(entry.key)
        frontier.settle(entry, Settled(State.PAGE), file=0, end=len(keys))
    return keys


def test_what_does_not_fit_into_the_queue_is_in_the_ledger_until_the_budget_is_raised(tmp_path: Path) -> None:
    """The budget counts waiting URLs, in all and per host."""
    path = tmp_path / "queue.db"
    names = [*(f"http://a.example/{number}" for number in range(5)), *(f"http://b.example/{number}" for number in "01")]
    frontier = Frontier(path, limits=Limits(queued=4, host_queued=3))
    frontier.seed(map(_link, names))
    cut = {url: (rule, message) for url, _, _, rule, message, _ in frontier.ledger() if message}
    queued = frontier.queued
    first = _drained(frontier)
    frontier.close()

    frontier = Frontier(path, limits=Limits(queued=4))
    frontier.retry_cut()
    second = _drained(frontier)

    assert queued == 4
    assert cut == {
        "http://a.example/3": ("budget.queued", "host a.example used its budget of 3 queued addresses"),
        "http://a.example/4": ("budget.queued", "host a.example used its budget of 3 queued addresses"),
        "http://b.example/1": ("budget.queued", "the crawl used its budget of 4 queued addresses"),
    }
    assert sorted((*first, *second)) == names
    assert frontier.counts()["refused"] == 0
    frontier.close()


def _pages_within(path: Path, settle_next: Callable[[Iterable[str]], str]) -> list[str]:
    """Crawl three hosts that link to each other, with a budget per host; return the pages."""
    frontier = Frontier(path, limits=Limits(host_pages=9), in_levels=True)
    frontier.seed(_link(f"http://{host}/0") for host in "abc")
    in_flight: dict[str, Entry] = {}
    settled: list[str] = []
    while True:
        while (entry := frontier.take()) is not None:
            in_flight[entry.host] = entry
        if not in_flight:
            break
        entry = in_flight.pop(settle_next(in_flight))
        number = int(entry.key.rpartition("/")[2])
        own = [f"http://{entry.host}/{3 * number + step}" for step in (3, 1, 2)]
        others = [f"http://{host}/{7 * number + ord(entry.host) + 100}" for host in "abc" if host != entry.host]
        links = tuple(_link(url, entry.depth + 1) for url in (*others, *own))
        settled.append(entry.key)
        frontier.settle(entry, Settled(State.PAGE, links=links), file=0, end=len(settled))
    frontier.close()
    return sorted(settled)


def test_the_speed_of_hosts_does_not_decide_which_pages_fit(tmp_path: Path) -> None:
    """Links from other hosts arrive when these answer, so their order must not count."""
    slow_first = _pages_within(tmp_path / "one.db", max)
    fast_first = _pages_within(tmp_path / "two.db", min)

    assert slow_first == fast_first
    assert len(slow_first) == 27


def test_memory_does_not_depend_on_the_number_of_hosts(tmp_path: Path) -> None:
    """Wide crawls have a million hosts; each of 10,000 hosts has a turn before any has a second one."""
    count, frontier = 10_000, Frontier(tmp_path / "queue.db")
    tracemalloc.start()
    for number in range(2):
        for first in range(0, count, 1000):
            frontier.seed(_link(f"http://h{host}.example/{number}") for host in range(first, first + 1000))
    flights = [frontier.take() for _ in range(16)]
    for end, entry in enumerate(flights):
        assert entry is not None
        frontier.settle(entry, Settled(State.PAGE), file=0, end=end)
    hosts = {entry.host for _ in range(500) if (entry := frontier.take()) is not None}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(hosts | {entry.host for entry in flights if entry is not None}) == 516
    assert frontier.queued == 2 * count - 516
    assert peak < 10_000_000
    frontier.close()


def test_a_page_with_very_many_links_is_settled_in_bounded_time_and_memory(tmp_path: Path) -> None:
    """A hostile page must not stop the crawl. Pages with more than 16 M characters of links are refused before."""
    frontier = Frontier(tmp_path / "queue.db")
    frontier.seed([_link("http://a.example/")])
    entry = frontier.take()
    assert entry is not None
    links = tuple(_link(f"http://a.example/{number}", 1) for number in range(100_000))
    began = time.process_time()
    frontier.settle(entry, Settled(State.PAGE, links=links), file=0, end=1)
    cpu_s = time.process_time() - began

    assert frontier.queued == len(links)
    assert cpu_s < 10
    assert (following := frontier.take()) is not None
    assert following.key == "http://a.example/0"
    frontier.close()


def test_links_that_did_not_fit_keep_their_page_when_the_budget_is_raised(tmp_path: Path) -> None:
    """The ledger names the page on which a URL was found."""
    path = tmp_path / "queue.db"
    frontier = Frontier(path, limits=Limits(queued=1))
    frontier.seed([_link("http://a.example/")])
    entry = frontier.take()
    assert entry is not None
    links = tuple(_link(f"http://a.example/{number}", 1) for number in range(3))
    frontier.settle(entry, Settled(State.PAGE, links=links), file=0, end=1)
    frontier.close()

    frontier = Frontier(path, limits=Limits(pages=1))
    frontier.retry_cut()

    assert [(url, referrer) for url, referrer, *_ in frontier.ledger()] == [(link.url, entry.url) for link in links]
    assert frontier.queued == 3
    frontier.close()
