"""The queue returns each URL once, even if its process is killed."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from string import ascii_lowercase

from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.crawlers.frontier.entries import Entry, Link, Settled, State
from corpusmill.crawlers.frontier.robots import RobotsPolicy
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.frontier.traps import PATTERN_BUDGET, text_sketch

NAMES = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=10, unique=True)
STEPS = st.lists(st.sampled_from(("page", "refuse", "kill")), max_size=40)


def _link(name: str, *, depth: int = 0, rule: str | None = None) -> Link:
    url = f"http://{name}.example/"
    return Link(url, url, depth, rule=rule)


@settings(max_examples=25, deadline=None)
@given(names=NAMES, later=NAMES, steps=STEPS)
def test_each_url_is_settled_once_over_any_number_of_kills(
    names: list[str], later: list[str], steps: list[str]
) -> None:
    """A kill leaves one URL in flight, and only this URL is taken again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queue.db"
        frontier = Frontier(path)
        frontier.seed(map(_link, names))
        settled: list[str] = []
        links = tuple(map(_link, later))

        for step in [*steps, *["page"] * 20]:
            entry = frontier.take()
            if entry is None:
                break
            if step == "kill":
                frontier.close()
                frontier = Frontier(path)
                continue
            settled.append(entry.key)
            state = State.PAGE if step == "page" else State.REFUSED
            frontier.settle(entry, Settled(state, rule=None if step == "page" else "x", links=links), file=0, end=1)

        assert not frontier.has_work()
        assert sorted(settled) == sorted({link.key for link in (*map(_link, names), *links)})
        frontier.close()


def test_a_host_has_one_url_in_flight_and_hosts_take_turns(tmp_path: Path) -> None:
    """The queue must not allow parallel requests to a host."""
    frontier = Frontier(tmp_path / "queue.db")
    urls = [f"http://{host}.example/{number}" for host in "ab" for number in range(2)]
    frontier.seed(Link(url, url, 0) for url in urls)

    first, second = frontier.take(), frontier.take()
    none = frontier.take()
    assert first is not None
    assert second is not None
    frontier.settle(first, Settled(State.PAGE), file=0, end=1)
    third = frontier.take()

    assert {first.host, second.host} == {"a.example", "b.example"}
    assert none is None
    assert third is not None
    assert third.host == first.host
    frontier.close()


def test_a_refused_link_that_is_followed_from_elsewhere_leaves_the_ledger(tmp_path: Path) -> None:
    """The ledger lists pages that were not archived, not links that were not followed."""
    frontier = Frontier(tmp_path / "queue.db")
    frontier.seed([_link("a"), _link("b", rule="budget.depth"), _link("c", rule="robots.nofollow")])
    frontier.seed([_link("b")])

    rules = {url: rule for url, _, _, rule, _, _ in frontier.ledger()}

    assert rules["http://c.example/"] == "robots.nofollow"
    assert rules["http://b.example/"] == "budget.pages"
    frontier.close()


def _settle(frontier: Frontier, entry: Entry | None, *links: str, text: str = "") -> None:
    assert entry is not None
    followed = tuple(Link(url, url, entry.depth + 1) for url in links)
    sketch = text_sketch(text, url=entry.url)
    frontier.settle(entry, Settled(State.PAGE, links=followed, sketch=sketch), file=0, end=1)


def test_a_url_that_is_queued_after_a_trap_was_refused_is_taken(tmp_path: Path) -> None:
    """SQLite reuses the number of the row that the refusal deleted."""
    frontier = Frontier(tmp_path / "queue.db")
    frontier.seed(Link(url, url, 0) for url in ("http://a/", "http://b/calendar/0"))
    slow = frontier.take()
    month = 0
    while (entry := frontier.take()) is not None:
        month += 1
        _settle(frontier, entry, f"http://b/calendar/{month}", text="no events")

    _settle(frontier, slow, "http://b/about", text="welcome")

    entry = frontier.take()
    assert entry is not None
    assert entry.key == "http://b/about"
    assert frontier.refused == {"trap.same_text": 1}
    frontier.close()


def test_a_redirect_gives_a_queued_page_its_smaller_depth(tmp_path: Path) -> None:
    """The page is taken before deeper ones, and its links count from there."""
    frontier = Frontier(tmp_path / "queue.db")
    frontier.seed(Link(url, url, 0) for url in ("http://a/0", "http://a/moved"))
    _settle(frontier, frontier.take(), "http://a/1", "http://a/2")
    moved = frontier.take()
    assert moved is not None
    target = Link("http://a/2", "http://a/2", moved.depth, redirects=1)

    frontier.settle(moved, Settled(State.REDIRECT, links=(target,)), file=0, end=1)

    entry = frontier.take()
    assert entry is not None
    assert (entry.key, entry.depth) == ("http://a/2", 0)
    frontier.close()


def _redundant_lists(path: Path, *, settle_next: Callable[[Iterable[str]], str]) -> list[str]:
    """Crawl lists of items on another host; return the refused addresses."""
    frontier = Frontier(path)
    frontier.seed(Link(url, url, 0) for url in ("http://a/list/0", "http://b/item/0"))
    in_flight: dict[str, Entry] = {}
    while True:
        while (entry := frontier.take()) is not None:
            in_flight[entry.host] = entry
        if not in_flight:
            break
        entry = in_flight.pop(settle_next(in_flight))
        number = int(entry.key.rpartition("/")[2])
        links = [f"http://b/item/{number + 1}"]
        links += [f"http://a/list/{number + 1}"] if number < 3 * PATTERN_BUDGET else []
        if entry.host == "a":
            _settle(frontier, entry, *links, text="a list")
        else:
            _settle(frontier, entry, text=" ".join(random.Random(number).choices(ascii_lowercase, k=40)))
    refused = [url for url, _, _, rule, _, _ in frontier.ledger() if rule == "trap.same_text"]
    frontier.close()
    return refused


def test_the_speed_of_hosts_does_not_decide_what_is_a_trap(tmp_path: Path) -> None:
    """How many pages of another host were fetched depends on the time that it takes to answer."""
    slow_first = _redundant_lists(tmp_path / "one.db", settle_next=max)
    fast_first = _redundant_lists(tmp_path / "two.db", settle_next=min)

    assert slow_first == fast_first
    assert len(slow_first) == 1


def test_a_robots_txt_is_read_for_our_name() -> None:
    """The most specific group applies, and its longest rule (RFC 9309 §2.2.1, §2.2.2)."""
    text = b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n\nUser-Agent: CorpusMill\nDisallow: /a\nAllow: /a/b\n"
    policy = RobotsPolicy.of(200, text)

    allowed = [path for path in ("/", "/a", "/a/b", "/c") if policy.allows(f"http://example.org{path}")]

    assert allowed == ["/", "/a/b", "/c"]
