"""Compute the statistics of a finished crawl from the file of its queue, in bounded memory."""

from __future__ import annotations

import heapq
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from corpusmill.crawlers.frontier.entries import State
from corpusmill.crawlers.frontier.ledger import LedgerRow
from corpusmill.crawlers.frontier.sessions import Sessions, Times, session_starts
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.schemas.crawl_statistics import (
    EXAMPLES,
    LATEST_S,
    MAX_CHARACTERS,
    MAX_DEPTHS,
    MAX_HOSTS,
    CrawlStatistics,
    DepthStatistics,
    HostStatistics,
    Interval,
    RefusedUrl,
    RuleStatistics,
    Timeline,
    example_order,
    interval_length,
    listed_rules,
    rate,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_ROWS: Final = 65_536
"""URLs that are read at a time, and hosts that are counted in memory."""
_OUT_OF_SCOPE: Final = ("scope.", "link.")
"""Rules of addresses that are not among those of the crawl, so that their hosts are not counted."""
_NOT_KEPT: Final = ("content.", "robots.noindex")
_PLACES: Final = "CREATE TEMP TABLE places (host TEXT PRIMARY KEY, pages, redirects, refused, bytes) WITHOUT ROWID"


def crawl_statistics(path: Path, frontier: Frontier, *, unchanged: int = 0) -> CrawlStatistics:
    """Return the statistics of the finished crawl with the queue *frontier* in the file *path*.

    The result depends only on the queue: the same crawl has the same examples. Reads every URL twice.

    Args:
        unchanged: Pages among those of the crawl whose bodies an earlier crawl has stored.
    """
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=10)) as db:
        db.execute(_PLACES)
        _count_archived_by_host(db)
        refused = _Refused(db, frontier.ledger())
        pages, redirects = (_archived(db, state) for state in (State.PAGE, State.REDIRECT))
        sessions = Sessions(session_starts(frontier), (rows[:, 0] for rows in _settled(db)))
        duration_s = sessions.duration_us / 1e6
        timeline, latest = _timeline(db, sessions)
        (robots,) = db.execute("SELECT total(robots) FROM urls").fetchone()
        return CrawlStatistics(
            pages=pages,
            redirects=redirects,
            refused=refused.rules.total(),
            requests=pages + redirects + _archived(db, State.LISTING) + int(robots),
            bytes=sum(interval.bytes for interval in timeline.intervals),
            duration_s=round(duration_s, 3),
            pages_per_s=rate(pages, duration_s),
            latest_pages_per_s=rate(latest, min(duration_s, LATEST_S)),
            processes=sessions.count,
            results=_results(pages, redirects, refused.rules, unchanged=min(unchanged, pages)),
            hosts=_hosts(db),
            depths=_depths(db, refused.depths),
            rules=listed_rules(refused.listed()),
            timeline=timeline,
        )


def _archived(db: sqlite3.Connection, state: State) -> int:
    return int(db.execute("SELECT count(*) FROM urls WHERE state = ?", (state,)).fetchone()[0])


# -- what was refused


class _Refused:
    """Counts the refused URLs of *ledger* by rule and depth, and by host in the table `places` of *db*."""

    def __init__(self, db: sqlite3.Connection, ledger: Iterable[LedgerRow]) -> None:
        self.rules: Counter[str] = Counter()
        self.depths: Counter[int] = Counter()
        self._examples: dict[str, list[tuple[bytes, str, str | None]]] = {}
        hosts: Counter[str] = Counter()
        for url, _, depth, rule, message, _ in ledger:
            self.rules[rule] += 1
            self.depths[min(depth, MAX_DEPTHS - 1)] += 1
            self._sample(rule, url, message)
            if not rule.startswith(_OUT_OF_SCOPE):
                hosts[_host(url)] += 1
            if len(hosts) >= _ROWS:
                _count_refused_by_host(db, hosts)
                hosts.clear()
        _count_refused_by_host(db, hosts)

    def _sample(self, rule: str, url: str, message: str | None) -> None:
        kept = self._examples.setdefault(rule, [])
        kept.append((*example_order(url), message))
        if len(kept) > 64 * EXAMPLES:
            kept[:] = heapq.nsmallest(EXAMPLES, kept, key=lambda item: item[:2])

    def listed(self) -> Iterator[RuleStatistics]:
        """Yield the number of URLs and the examples of each rule."""
        for rule, urls in self.rules.items():
            chosen = heapq.nsmallest(EXAMPLES, self._examples[rule], key=lambda item: item[:2])
            examples = tuple(
                RefusedUrl(url=url[:MAX_CHARACTERS], message=message and message[:MAX_CHARACTERS])
                for _, url, message in chosen
            )
            yield RuleStatistics(rule=rule, urls=urls, examples=examples)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _results(pages: int, redirects: int, rules: Counter[str], *, unchanged: int) -> dict[str, int]:
    results: Counter[str] = Counter({"200": pages - unchanged, "unchanged": unchanged, "3xx": redirects})
    for rule, urls in rules.items():
        results[result_of(rule)] += urls
    return {result: urls for result, urls in sorted(results.items()) if urls}


def result_of(rule: str) -> str:
    """Return the result of the URLs that *rule* refused.

    >>> [result_of(rule) for rule in ("http.404", "error.dns", "robots.noindex", "robots.disallowed")]
    ['404', 'failed', 'not_kept', 'not_requested']
    """
    if rule.startswith("http."):
        return rule.removeprefix("http.")
    if rule.startswith("error."):
        return "failed"
    return "not_kept" if rule.startswith(_NOT_KEPT) else "not_requested"


# -- hosts and depths


def _count_archived_by_host(db: sqlite3.Connection) -> None:
    db.create_function("host_of", 1, _host, deterministic=True)
    db.execute(
        "INSERT INTO places SELECT host_of(min(key)), sum(state = ?), sum(state = ?), 0, sum(bytes) FROM urls"
        " WHERE state IN (?, ?, ?) GROUP BY host",
        (*2 * (State.PAGE, State.REDIRECT), State.LISTING),
    )


def _count_refused_by_host(db: sqlite3.Connection, hosts: Counter[str]) -> None:
    db.executemany(
        "INSERT INTO places VALUES (?, 0, 0, ?, 0) ON CONFLICT DO UPDATE SET refused = refused + excluded.refused",
        hosts.items(),
    )


def _hosts(db: sqlite3.Connection) -> tuple[HostStatistics, ...]:
    names = ("pages", "redirects", "refused", "bytes")
    columns = ", ".join(names)
    top = db.execute(
        f"SELECT host, {columns} FROM places ORDER BY pages DESC, redirects DESC, refused DESC, host LIMIT ?",
        (MAX_HOSTS,),
    )
    rows = [HostStatistics(host=host, **dict(zip(names, counts, strict=True))) for host, *counts in top]
    sums = ", ".join(f"sum({name})" for name in names)
    number, *totals = db.execute(f"SELECT count(*), {sums} FROM places").fetchone()
    if number > len(rows):
        rest = {n: total - sum(getattr(row, n) for row in rows) for n, total in zip(names, totals, strict=True)}
        rows.append(HostStatistics(host=None, hosts=number - len(rows), **rest))
    return tuple(rows)


def _depths(db: sqlite3.Connection, refused: Counter[int]) -> tuple[DepthStatistics, ...]:
    archived = db.execute(
        "SELECT min(depth, ?) AS level, sum(state = ?), sum(state = ?) FROM urls WHERE state IN (?, ?) GROUP BY level",
        (MAX_DEPTHS - 1, *2 * (State.PAGE, State.REDIRECT)),
    )
    counts = {depth: (pages, redirects) for depth, pages, redirects in archived}
    return tuple(
        DepthStatistics(depth=depth, pages=pages, redirects=redirects, refused=refused[depth])
        for depth in sorted({*counts, *refused})
        for pages, redirects in (counts.get(depth, (0, 0)),)
    )


# -- over time


def _settled(db: sqlite3.Connection) -> Iterator[Times]:
    """Yield arrays with a row for each settled URL: its time, whether it is a page, and its bytes."""
    import numpy as np

    states = (State.PAGE, State.REDIRECT, State.REFUSED, State.LISTING)
    rows = db.execute("SELECT at, state = ?, bytes FROM urls WHERE state IN (?, ?, ?, ?)", (State.PAGE, *states))
    while part := rows.fetchmany(_ROWS):
        yield np.array(part, dtype=np.int64)


def _timeline(db: sqlite3.Connection, sessions: Sessions) -> tuple[Timeline, int]:
    """Return the crawl over time, and the number of pages in its last `LATEST_S` seconds."""
    import numpy as np

    duration_s = sessions.duration_us / 1e6
    interval_s = interval_length(duration_s)
    last = max(0, int(np.ceil(duration_s / interval_s)) - 1)
    sums = np.zeros((last + 1, 3), dtype=np.int64)
    latest, is_empty = 0, True
    for rows in _settled(db):
        offsets = sessions.offsets_s(rows[:, 0])
        place = np.minimum((offsets / interval_s).astype(np.int64), last)
        np.add.at(sums, place, _amounts(rows))
        latest += int(rows[offsets >= duration_s - LATEST_S, 1].sum())
        is_empty = False
    rows_of_time: Sequence[list[int]] = [] if is_empty else sums.tolist()
    intervals = tuple(Interval(pages=pages, others=others, bytes=size) for pages, others, size in rows_of_time)
    return Timeline(interval_s=interval_s, intervals=intervals), latest


def _amounts(rows: Times) -> npt.NDArray[np.int64]:
    """Return pages, other URLs and bytes of each row of `_settled`."""
    import numpy as np

    return np.stack([rows[:, 1], 1 - rows[:, 1], rows[:, 2]], axis=1)
