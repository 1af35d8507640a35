"""Visits and known pages come before all other URLs, and a budget of pages does not cut them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from corpusmill.crawlers.frontier.entries import Entry, Link, Settled, State
from corpusmill.crawlers.frontier.first import is_visit, visit_key
from corpusmill.crawlers.frontier.limits import Limits
from corpusmill.crawlers.frontier.store import Frontier

PAGE = Settled(State.PAGE)


def link(url: str, *, is_known: bool = False) -> Link:
    return Link(url, url, depth=0, is_known=is_known)


def taken(frontier: Frontier) -> Iterator[Entry]:
    """Take and settle URLs until there are none to take."""
    while (entry := frontier.take()) is not None:
        yield entry
        frontier.settle(entry, Settled(State.VISITED) if is_visit(entry.key) else PAGE, file=0, end=1)


@pytest.mark.parametrize("limits", [Limits(pages=2), Limits(host_pages=1), Limits()], ids=["all", "host", "none"])
def test_they_are_taken_whatever_the_budget_of_pages(tmp_path: Path, limits: Limits) -> None:
    """New pages need a place in the budget, and held pages use it."""
    frontier = Frontier(tmp_path / "queue.db", limits=limits, in_levels=limits.cuts_hosts)
    frontier.seed([link("http://a/new"), link("http://b/new")])
    frontier.hold([link("http://a/held"), link("http://b/held")])
    frontier.seed(link(f"http://{host}/{name}", is_known=True) for host in "ab" for name in (1, 2))
    frontier.visit(["http://a", "http://b"])

    urls = [entry.key for entry in taken(frontier)]

    first, then = urls[:2], urls[2:6]
    assert set(first) == {visit_key("http://a"), visit_key("http://b")}
    assert set(then) == {f"http://{host}/{name}" for host in "ab" for name in (1, 2)}
    assert set(urls[6:]) == (set() if limits != Limits() else {"http://a/new", "http://b/new"})
    assert not frontier.has_work()
    frontier.close()


def test_a_host_that_is_no_longer_available_does_not_keep_a_crawl_waiting(tmp_path: Path) -> None:
    """Its known pages stay queued, and nothing can be taken."""
    frontier = Frontier(tmp_path / "queue.db", limits=Limits(pages=1))
    frontier.seed(link(f"http://a/{number}", is_known=True) for number in range(3))
    for result in (PAGE, Settled(State.REFUSED, rule="robots.unreachable")):
        entry = frontier.take()
        assert entry is not None
        frontier.settle(entry, result, file=0, end=1)

    assert frontier.take() is None
    assert not frontier.has_work()
    assert frontier.queued == 2
    frontier.close()


def test_pages_that_are_withdrawn_leave_room_and_stay_so_after_a_kill(tmp_path: Path) -> None:
    """They are refused, and no other site is touched, whose name begins in the same way."""
    urls = ["http://a/", "http://a/1", "http://a.b/1", "http://a:8/1", "http://a0/1"]
    frontier = Frontier(tmp_path / "queue.db", limits=Limits(pages=len(urls)))
    frontier.hold(map(link, urls))
    for batch in frontier.held("http://a"):
        frontier.withdraw([key for key, _ in batch], rule="robots.disallowed", message="why")
    frontier.close()

    frontier = Frontier(tmp_path / "queue.db", limits=Limits(pages=len(urls)))

    assert (frontier.pages, dict(frontier.refused)) == (3, {"robots.disallowed": 2})
    assert [row[0] for row in frontier.ledger()] == ["http://a/", "http://a/1"]
    frontier.close()


def test_a_url_is_postponed_once_behind_the_others_and_a_kill_does_not_change_this(tmp_path: Path) -> None:
    """Otherwise a busy server could hold up a crawl for ever."""
    frontier = Frontier(tmp_path / "queue.db")
    frontier.seed([link("http://a/1"), link("http://a/2")])
    entry = frontier.take()
    assert entry is not None
    assert frontier.postpone(entry)
    frontier.close()
    frontier = Frontier(tmp_path / "queue.db")

    second = frontier.take()
    assert second is not None
    frontier.settle(second, PAGE, file=0, end=1)
    third = frontier.take()

    assert third is not None
    assert (second.key, third.key) == ("http://a/2", "http://a/1")
    assert not frontier.postpone(third)
    frontier.close()
