"""A crawl ends on sites with endless addresses, and fetches ordinary sites completely."""

from __future__ import annotations

import random
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit
from zlib import crc32

import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.frontier.entries import Link, Settled, State
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.frontier.traps import (
    MIN_CHAIN,
    PATTERN_BUDGET,
    address_pattern,
    says_the_same,
    text_sketch,
    trap_of,
)
from tests.crawlers.sites import MISSING, Answer, ledger, page, serve, source_of

Maker = Callable[[str], Answer | None]
MONTHS = "January February March April May June July August September October November December".split()
WORDS = [first + last for first in "ba ke mi no ru sa te vi".split() for last in "ran sel tir lom pus".split()]

HOME = {"/robots.txt": MISSING}


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


def _article(number: int, *links: str) -> Answer:
    """Return an article of 40 words that depend on *number*."""
    return page(*links, text=" ".join(random.Random(number).choices(WORDS, k=40)))


def _with_prose(*links: str, title: str = "") -> Answer:
    """Return a page whose text only differs in its title."""
    return page(*links, text=f"{title}. These words are on each page of the site, and nothing else is in {title}.")


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("/?q=&q=&q=", "trap.repeated_parameter"),
        ("/?q=a&q=b&q=a&q=a", "trap.repeated_parameter"),
        ("/login?next=/login?next=/login?next=/login", "trap.repeated_parameter"),
        ("/login?next=%2Flogin%3Fnext%3D%252Flogin%253Fnext%253D%25252F", None),
        ("/login?next=%2Flogin%3Fnext%3D%252Flogin%253Fnext%253D%25252Flogin", "trap.repeated_parameter"),
        ("/?tag=a&tag=b&tag=c", None),
        ("/?x=0&y=0&z=0", None),
        ("/?q=a&q=a", None),
        ("/a/b/a/b/a/b", "trap.repeated_path"),
        ("/docs/x/x/x/y.html", "trap.repeated_path"),
        ("/a/b/a/b/", None),
        ("/2011/11/11/11/", None),
        ("/map?box=-1/-1.5/-1/-1.5/-1/-1.5", None),
        ("/cite?url=https://b.example/2024/01/01/01/01/01/01", None),
        ("/" + "/".join(map(str, range(20))), None),
        ("/" + "/".join(map(str, range(21))), "trap.deep_path"),
    ],
)
def test_an_address_that_repeats_itself_is_a_trap(url: str, rule: str | None) -> None:
    """A third repetition is a trap; similar ordinary addresses are not."""
    trap = trap_of(f"http://example.org{url}")

    assert (trap and trap[0]) == rule
    assert trap is None or trap[1].endswith(f"pattern {address_pattern(f'http://example.org{url}')}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/2026/11", "/2027/1/31"),
        ("/s/8f3a2b/about", "/s/77cc01/about"),
        ("/about;jsessionid=8F3A", "/about;jsessionid=77CC"),
        ("/shop?a=1&b=2", "/shop?a=x&b=y&b=z"),
        ("/x/a/b/", "/x/a/b/b/a/"),
        ("/list/1-2", "/list/1-2-3-4"),
    ],
)
def test_addresses_of_one_kind_share_a_pattern(one: str, other: str) -> None:
    """Digits, values and repeated segments are ignored."""
    assert address_pattern(f"http://example.org{one}") == address_pattern(f"http://example.org{other}")


def test_words_decide_whether_two_pages_say_the_same() -> None:
    """The order of words, numbers and the page's address are ignored."""
    url = "http://example.org/news/alpha"
    text = " ".join(WORDS)
    sketch = text_sketch(text, url=url)

    assert says_the_same(sketch, [text_sketch(f"alpha 17 {' '.join(reversed(WORDS))} 2026", url=url)])
    assert says_the_same(sketch, [text_sketch(text.upper() + " one", url=url)])
    assert not says_the_same(sketch, [text_sketch(text + " one two three four five", url=url)])
    assert not says_the_same(sketch, [text_sketch(text + " " + text, url=url)])
    assert says_the_same(text_sketch("", url=url), [text_sketch("2026", url=url)])


def test_long_runs_of_letters_and_digits_take_no_longer() -> None:
    """Hostile pages may exploit slow patterns; quadratic ones took minutes here."""
    began = time.process_time()

    text_sketch("7" * 200_000, url="")
    for piece in ("a" * 8000, "a-" * 4000, "1-" * 4000, "a/" * 4000, "q=&" * 2600):
        address_pattern(f"http://example.org/{piece}")
        trap_of(f"http://example.org/x?{piece}")

    assert time.process_time() - began < 5


def _repeated_query(path: str) -> Answer | None:
    return page(path + "&q=a", text="dup") if path.startswith("/trap?q=a") else None


def _calendar(path: str) -> Answer | None:
    hit = re.fullmatch(r"/trap/(\d+)/(\d+)", path)
    if hit is None:
        return None
    year, month = int(hit[1]), int(hit[2])
    following = f"/trap/{year + month // 12}/{month % 12 + 1}"
    return _with_prose(following, title=f"{MONTHS[month - 1]} {year}")


def _calendar_by_query(path: str) -> Answer | None:
    query = dict(parse_qsl(urlsplit(path).query))
    if "month" not in query:
        return None
    year, month = int(query["year"]), int(query["month"])
    before = f"/trap?month={(month - 2) % 12 + 1}&amp;year={year - (month == 1)}"
    return _with_prose(f"/trap?month={month % 12 + 1}&amp;year={year + month // 12}", before, title=MONTHS[month - 1])


def _days(path: str) -> Answer | None:
    """Return the 100,000 days of a calendar: each links to its neighbors and to its month, as a month to its days."""
    hit = re.fullmatch(r"/trap/day-(\d+)|/trap/month-(\d+)", path)
    if hit is None:
        return None
    if hit[2]:
        days = range(30 * int(hit[2]), 30 * int(hit[2]) + 30)
        months = [f"/trap/month-{int(hit[2]) + 1}"] if days[-1] + 1 < 100_000 else []
        return _with_prose(*months, *(f"/trap/day-{day}" for day in days), title=MONTHS[int(hit[2]) % 12])
    day = int(hit[1])
    near = [f"/trap/day-{one}" for one in (day - 1, day + 1) if 0 <= one < 100_000]
    return _with_prose(*near, f"/trap/month-{day // 30}", title=f"{day % 30 + 1} {MONTHS[day // 30 % 12]}")


def _session_in_the_path(path: str) -> Answer | None:
    if not path.startswith("/trap"):
        return None
    session = f"{crc32(path.encode()):x}0"
    return _with_prose(*(f"/trap/{session}/{name}" for name in ("home", "news")), title=path.rpartition("/")[2])


def _relative_links(path: str) -> Answer | None:
    return page("deeper/still/", text="deep") if path.startswith("/trap") else None


def _growing_path(path: str) -> Answer | None:
    if not path.startswith("/trap"):
        return None
    return page("left/", "right/", text="grows") if path.endswith("/") else None


def _page_numbers(path: str) -> Answer | None:
    hit = re.fullmatch(r"/trap\?page=(\d+)", path)
    return hit and page(f"/trap?page={int(hit[1]) + 1}", text=f"Nothing on page {hit[1]}")


def _filters(path: str) -> Answer | None:
    if not path.startswith("/trap"):
        return None
    chosen = set(filter(None, urlsplit(path).query.split("&")))
    more = [f"{name}=1" for name in WORDS[:12] if f"{name}=1" not in chosen]
    return _with_prose(*("/trap?" + "&amp;".join(sorted({*chosen, one})) for one in more), title="shop")


def _nested_return(path: str) -> Answer | None:
    return page(f"/trap?next={quote(path, safe='')}", text="log in") if path.startswith("/trap") else None


def _redirected(path: str) -> Answer | None:
    """Return the pages of a calendar that are linked by redirects, as `next.cgi` does."""
    hit = re.fullmatch(r"/trap/(next|month)/(\d+)", path)
    if hit and hit[1] == "next":
        return Answer(status=302, headers={"Location": f"/trap/month/{hit[2]}"})
    return hit and page(f"/trap/next/{int(hit[2]) + 1}", text="no events in this month")


def _letters(path: str) -> Answer | None:
    """Return pages at /trap/, /trap/a, /trap/b, ... /trap/aa, whose addresses have no digit."""
    if not re.fullmatch("/trap/[a-z]*", path):
        return None
    number = 0
    for letter in path[6:]:
        number = 26 * number + ord(letter) - ord("a") + 1
    following, name = number + 1, ""
    while following:
        following, letter_number = divmod(following - 1, 26)
        name = chr(ord("a") + letter_number) + name
    return page(f"/trap/{name}", text="no events in this month")


@pytest.mark.parametrize(
    ("first", "generate", "requests", "rule"),
    [
        ("/trap?q=a", _repeated_query, 2, "trap.repeated_parameter"),
        ("/trap/2026/11", _calendar, PATTERN_BUDGET + 12, "trap.same_text"),
        ("/trap?month=11&amp;year=2026", _calendar_by_query, PATTERN_BUDGET + 12, "trap.same_text"),
        ("/trap/day-0", _days, 15 * PATTERN_BUDGET, "trap.same_text"),
        ("/trap/0/home", _session_in_the_path, 3 * PATTERN_BUDGET, "trap.same_text"),
        ("/trap/", _relative_links, 3, "trap.repeated_path"),
        ("/trap/", _growing_path, 5 * PATTERN_BUDGET, "trap.same_text"),
        ("/trap?page=1", _page_numbers, PATTERN_BUDGET + 1, "trap.same_text"),
        ("/trap", _filters, 5 * PATTERN_BUDGET, "trap.same_text"),
        ("/trap/month/0", _redirected, 2 * PATTERN_BUDGET + 2, "trap.same_text"),
        ("/trap/", _letters, PATTERN_BUDGET + 12, "trap.same_text"),
        ("/trap?next=/", _nested_return, 3, "trap.repeated_parameter"),
    ],
)
def test_a_crawl_of_a_trap_ends(raw_dir: Path, first: str, generate: Maker, requests: int, rule: str) -> None:
    """The rest of the site is fetched, and the ledger has the rule and the pattern."""
    with serve({**HOME, "/": page(first, "/about"), "/about": page(text="about us")}, generate=generate) as site:
        manifest = crawl(source_of(site, max_pages=500), raw_dir)

    assert "/about" in site.paths
    assert sum(path.startswith("/trap") for path in site.paths) <= requests
    rows = [row for name in manifest.ledger for row in pq.read_table(raw_dir / name).to_pylist()]
    assert {row["rule"] for row in rows} <= {rule, "trap.repeated_path"}
    assert all(f"pattern {site.url.removeprefix('http://')}/trap" in row["message"] for row in rows)
    assert all(row["referrer"] for row in rows)
    assert len(rows) == manifest.counts["refused"] > 0


def _numbered(path: str) -> Answer | None:
    number = int(path.rpartition("/")[2])
    return _article(number, *([f"/archive/{number // 28}/{number + 1}"] if number < 300 else []))


def _numbered_lists(path: str) -> Answer | None:
    """Return similar lists of different articles."""
    name, _, number = path.rpartition("/")
    if name == "/article":
        return _article(int(number))
    at = int(number)
    links = [f"/article/{3 * at + step}" for step in range(3)] + ([f"/list/{at + 1}"] if at < 99 else [])
    return page(*links, text=f"List {at}")


def _print_versions(path: str) -> Answer | None:
    """Return pages that each have a copy with another parameter."""
    number = int(re.findall(r"\d+", path)[0])
    links = [f"/index.php?id={number}&amp;print=1"] + [f"/index.php?id={number + 1}"] * (number < 149)
    return _article(number, *links)


def _pagination(path: str) -> Answer | None:
    number = int(path.rpartition("=")[2])
    return page(*([f"/list?page={number + 1}"] if number < 30 else []), text=f"Page {number}")


def _forum(path: str) -> Answer | None:
    """Return short posts in a long layout, each linked from the one before only."""
    number = int(path.rpartition("=")[2])
    layout = " ".join(f"{first}{second}" for first in WORDS[:20] for second in WORDS[20:])
    post = " ".join(f"w{number}x{word}" for word in range(8))
    return page(*([f"/thread?page={number + 1}"] if number < 150 else []), text=f"{layout} {post}")


@pytest.mark.parametrize(
    ("first", "generate", "count"),
    [
        ("/archive/0/1", _numbered, 300),
        ("/list/0", _numbered_lists, 400),
        ("/index.php?id=0", _print_versions, 300),
        ("/list?page=1", _pagination, 30),
        ("/thread?page=1", _forum, 150),
    ],
)
def test_an_ordinary_site_is_fetched_whole(raw_dir: Path, first: str, generate: Maker, count: int) -> None:
    """Numbers in addresses are not a trap if the pages differ, or are few."""
    with serve({**HOME, "/": page(first)}, generate=generate) as site:
        manifest = crawl(source_of(site), raw_dir)

    assert ledger(raw_dir, manifest) == {}
    assert manifest.counts["pages"] == count + 1


def test_listed_pages_are_fetched_even_with_equal_texts(raw_dir: Path) -> None:
    """Only pages that keep generating links are endless."""
    names = [f"/{number}" for number in range(3 * PATTERN_BUDGET)]
    with serve({"/": page(*names), **{name: page(names[0], text="the same") for name in names}}) as site:
        manifest = crawl(source_of(site), raw_dir)

    assert manifest.counts["pages"] == 1 + len(names)


def test_words_of_pages_that_are_fetched_again_are_new_again(tmp_path: Path) -> None:
    """A power cut may lose pages of the archive, whose words then must not count as known."""
    frontier = Frontier(tmp_path / "one.db")
    layout = " ".join(WORDS * 8)
    db = sqlite3.connect(tmp_path / "one.db")
    spent = []
    for number in range(4):
        url = f"http://a.example/p/{number}"
        frontier.seed([Link(url, url, 0)])
        for _ in range(2):
            entry = frontier.take()
            assert entry is not None
            post = " ".join(f"post{number}x{word}" for word in range(8))
            sketch = text_sketch(f"{layout} {post}", url=url)
            frontier.settle(entry, Settled(State.PAGE, sketch=sketch), file=0, end=number + 1)
            spent.append(db.execute("SELECT spent FROM patterns").fetchone()[0])
            frontier.requeue(file=0, after=number)
        frontier.take()
        frontier.settle(entry, Settled(State.PAGE, sketch=sketch), file=0, end=number + 1)
    db.close()
    frontier.close()

    assert spent == [0, 0, 1, 1, 0, 0, 0, 0]


def test_another_spelling_of_an_archived_redirect_is_fetched(tmp_path: Path) -> None:
    """The ledger has each canonical URL once, so refusing the second spelling would leave no trace."""
    frontier = Frontier(tmp_path / "one.db")
    key = "http://a.example/p/{}?a&b"
    frontier.seed([Link(key.format(0), key.format(0), 0)])
    sketch = text_sketch("the same", url="")
    for number in range(PATTERN_BUDGET):
        entry = frontier.take()
        assert entry is not None
        link = Link(key.format(number + 1), key.format(number + 1), 0)
        frontier.settle(entry, Settled(State.PAGE, links=(link,), sketch=sketch), file=0, end=1)
    entry = frontier.take()
    assert entry is not None
    target = Link(entry.key, "http://a.example/p/32?b&a", 0, redirects=1)
    frontier.settle(entry, Settled(State.REDIRECT, links=(target,)), file=0, end=1)
    spelled = frontier.take()
    assert spelled is not None
    assert (spelled.key, spelled.url) == (entry.key, target.url)
    link = Link(key.format(40), key.format(40), 0)
    frontier.settle(spelled, Settled(State.PAGE, links=(link,), sketch=sketch), file=0, end=1)

    assert frontier.take() is None
    assert [row[0] for row in frontier.ledger()] == [key.format(40)]
    frontier.close()


def _trapped(path: Path, *, reopen: bool) -> tuple[list[str], list[str]]:
    """Crawl a chain of pages with the same text, followed by a list of two of them."""
    frontier = Frontier(path)
    frontier.seed([Link("http://a.example/p/0", "http://a.example/p/0", 0)])
    fetched: list[str] = []
    while entry := frontier.take():
        fetched.append(entry.key)
        urls = [f"http://a.example/p/{len(fetched)}"]
        if len(fetched) == PATTERN_BUDGET:
            urls.append("http://a.example/list")
        if entry.key.endswith("list"):
            urls = [f"http://a.example/p/{number}" for number in (PATTERN_BUDGET + 1, 900)]
        links = tuple(Link(url, url, 0) for url in urls)
        text = "a list" if entry.key.endswith("list") else "the same"
        frontier.settle(entry, Settled(State.PAGE, links=links, sketch=text_sketch(text, url="")), file=0, end=1)
        if reopen:
            frontier.close()
            frontier = Frontier(path)
    rows = [url for url, _, _, rule, _, _ in frontier.ledger() if rule == "trap.same_text"]
    frontier.close()
    return fetched, rows


def test_budgets_survive_a_kill_and_a_list_reopens_an_address(tmp_path: Path) -> None:
    """A kill does not change which pages are refused; listed pages are fetched later."""
    fetched, refused = _trapped(tmp_path / "one.db", reopen=False)

    assert (fetched, refused) == _trapped(tmp_path / "two.db", reopen=True)
    assert "http://a.example/p/900" in fetched
    assert len(fetched) < PATTERN_BUDGET + MIN_CHAIN + 5
    assert refused
    assert not set(refused) & set(fetched)


def _with_power_cut(path: Path, *, at: int, lost: int) -> tuple[list[str], list[str]]:
    """Crawl a calendar with some new texts; when *at* pages are settled, the archive loses the last *lost* ones."""
    frontier = Frontier(path)
    frontier.seed([Link("http://a.example/0", "http://a.example/0", 0)])
    settled: list[str] = []
    while entry := frontier.take():
        number = int(entry.key.rpartition("/")[2])
        links = [f"http://a.example/{number + 1}"] if number < 3 * PATTERN_BUDGET else []
        links += [f"http://a.example/event/{number}"] if number % 5 == 0 else []
        text = "an event" if "event" in entry.key else WORDS[number % 7] * (number < PATTERN_BUDGET)
        followed = tuple(Link(url, url, entry.depth + 1) for url in links)
        result = Settled(State.PAGE, links=followed, sketch=text_sketch(text, url=""))
        settled.append(entry.key)
        frontier.settle(entry, result, file=0, end=len(settled))
        if len(settled) == at:
            del settled[-lost:]
            at = 0
            frontier.requeue(file=0, after=len(settled))
    refused = [url for url, _, _, rule, _, _ in frontier.ledger() if rule == "trap.same_text"]
    frontier.close()
    return settled, refused


@pytest.mark.parametrize(("at", "lost"), [(20, 18), (20, 20), (35, 3), (40, 30)])
def test_pages_that_the_archive_lost_spend_their_budget_once(tmp_path: Path, at: int, lost: int) -> None:
    """A power cut does not change which pages are fetched, nor their order."""
    expected = _with_power_cut(tmp_path / "one.db", at=0, lost=0)

    assert _with_power_cut(tmp_path / "two.db", at=at, lost=lost) == expected
    assert len(expected[1]) == 1
