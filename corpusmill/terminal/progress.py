"""The progress of a run: a line for each crawl and each stage, redrawn in place on a terminal.

All finished lines have the same columns: documents (pages) in, kept, time, rate, and the rejected ones by rule. A crawl
that runs has a line with its pages, queue, bytes, speed, errors and waiting hosts. A stage may have several steps.
Steps that prepare a stage belong to its line, those after the last stage to the line `WRITE`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corpusmill.terminal.console import Console
from corpusmill.terminal.figures import plural, size
from corpusmill.terminal.rate import Rate

if TYPE_CHECKING:
    from corpusmill.pipelines.engines.base import Step
    from corpusmill.pipelines.engines.store import StepResult
    from corpusmill.pipelines.engines.tasks import TaskResult
    from corpusmill.schemas.raw import CrawlProgress

WRITE: Final = "write"
_REDRAW_S: Final = 0.1
_RULES_SHOWN: Final = 3
_RATE_S: Final = 10.0
"""Seconds over which the speed of a crawl is measured while it runs."""
_LABELS: Final = {
    ":read": "read",
    ":limit": "read",
    ":optouts": "optouts",
    ":gone": "crawl",
    ":deleted": "deletions",
    ":hash": "identity",
    ":identity": "identity",
    **dict.fromkeys((":leakage", ":census", ":join", ":shards", ":parts", ":write"), WRITE),
}
_ENDS: Final = (":read", ":optouts", ":gone", ":deleted", ":identity", ":shards", ":write")
"""The steps without a stage that end a line."""
_WIDTH: Final = 118


@dataclass(frozen=True)
class Account:
    """Documents into a stage and out of it, and those that it rejected, by rule."""

    taken: int
    kept: int
    rules: Counter[str]


class Lines:
    """Writes a line for each crawl and each stage on standard error."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._drawn = self._seconds = 0.0
        self._tasks = self._left = 0
        self._counters: Counter[str] = Counter()
        self._living: int | None = None
        self._is_computed = False
        self._earlier_pages: int | None = None
        self._rate = Rate(window_s=_RATE_S)

    def source_changed(self, source: str, change: str) -> None:
        """Write why a source is acquired again."""
        self._clear()
        self._console.say(f"source `{source}`: {change}")

    def crawl_started(self, source: str) -> None:
        """Begin the line of a crawl."""
        self._started = time.monotonic()
        self._earlier_pages = None
        self._rate = Rate(window_s=_RATE_S)
        self._redraw(f"  {f'crawl {source}':<18}starting", force=True)

    def crawl_advanced(self, source: str, progress: CrawlProgress) -> None:
        """Redraw the line of a crawl."""
        if self._earlier_pages is None:
            self._earlier_pages = progress.pages  # of a process that was killed, so not of this rate
        pages_per_s = self._rate.add(progress.pages, at=time.monotonic())
        self._redraw(running_line(f"crawl {source}", progress, pages_per_s=pages_per_s))

    def crawl_done(self, source: str, result: CrawlProgress) -> None:
        """Write the finished line of a crawl."""
        self._clear()
        self._console.say(self._crawl_line(source, result))

    def _crawl_line(self, source: str, progress: CrawlProgress) -> str:
        rules = Counter(progress.refused)
        account = Account(progress.pages + rules.total(), progress.pages, rules)
        fetched = progress.pages - (self._earlier_pages or 0)
        return finished_line(f"crawl {source}", account, seconds=time.monotonic() - self._started, processed=fetched)

    def step_started(self, step: Step, *, tasks: int, missing: int) -> None:
        """Begin a step."""
        self._started = time.monotonic()
        self._tasks = self._left = missing
        self._counters = Counter()
        self._draw(step.name, force=True)

    def task_done(self, step: Step, done: TaskResult) -> None:
        """Draw the line anew."""
        self._left -= 1
        self._counters.update(done.counters)
        self._draw(step.name)

    def step_done(self, done: StepResult) -> None:
        """Write the line of a stage when its last step is finished."""
        if not done.cached:
            self._seconds += time.monotonic() - self._started
            self._is_computed = True
        if not ends_line(done.name):
            return
        account = account_of(label(done.name), done.counters, living=self._living)
        self._living = account.kept if label(done.name) != WRITE else self._living
        line = finished_line(label(done.name), account, seconds=self._seconds if self._is_computed else None)
        self._seconds, self._is_computed = 0.0, False
        self._clear()
        self._console.say(line)

    def _draw(self, name: str, *, force: bool = False) -> None:
        finished, seconds = self._tasks - self._left, time.monotonic() - self._started
        left = f", about {seconds / finished * self._left:,.0f} s left" if finished else ""
        taken = sum(n for counter, n in self._counters.items() if counter.endswith("/documents_in"))
        rate = f", {taken:,} documents in" if taken else ""
        self._redraw(f"  {label(name):<18}{finished:,} of {self._tasks:,} tasks{rate}{left}", force=force)

    def _redraw(self, line: str, *, force: bool = False) -> None:
        now = time.monotonic()
        if not self._console.shows_progress or (not force and now - self._drawn < _REDRAW_S):
            return
        self._drawn = now
        self._clear()
        print(line[:_WIDTH], end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._console.shows_progress:
            print("\r\x1b[2K", end="", file=sys.stderr)


def label(step: str) -> str:
    """Return the name of the stage that *step* belongs to.

    >>> label("near_dedup.signatures@3"), label(":optouts.decisions"), label(":hash_2"), label(":join")
    ('near_dedup', 'optouts', 'identity', 'write')
    """
    name = step.partition("@")[0].partition(".")[0]
    return _LABELS.get(name.partition("_")[0], name) if name.startswith(":") else name


def ends_line(step: str) -> bool:
    """Return whether *step* is the last one of its line.

    >>> [ends_line(step) for step in ("pii", "near_dedup.greedy", "near_dedup", ":hash", ":identity", ":shards")]
    [True, False, True, False, True, True]
    """
    return step in _ENDS or not ("." in step or "@" in step or step.startswith(":"))


def account_of(stage: str, counters: Mapping[str, int], *, living: int | None) -> Account:
    """Return the account of *stage*, from the counters of its last step.

    A stage that compares documents counts only those that it rejects. *living* is the number of documents that the
    stage before it kept.
    """
    laws = [counter.split("/")[1] for counter in counters if counter.startswith("law/")]
    rules: Counter[str] = Counter()
    for counter, n in counters.items():
        if counter.startswith("law/") and "/rule/" in counter:
            rules[counter.split("/", 3)[3]] += n
    if stage == WRITE:
        published = sum(n for counter, n in counters.items() if counter.startswith("published/"))
        return Account(living or published, published, rules)
    first, last = ("read" if "read" in laws else stage), stage if stage in laws or not laws else laws[-1]
    taken = counters.get(f"law/{first}/documents_in", living or 0)
    return Account(taken, counters.get(f"law/{last}/documents_out", taken - rules.total()), rules)


def running_line(name: str, progress: CrawlProgress, *, pages_per_s: float) -> str:
    """Return the line of a crawl that runs.

    >>> from corpusmill.schemas.raw import CrawlProgress
    >>> progress = CrawlProgress(1_234, 567, {"http.404": 3, "scope.offsite": 9}, bytes=25_300_000, waiting_hosts=2)
    >>> print(running_line("crawl docs", progress, pages_per_s=12.34))
      crawl docs        1,234 pages, 567 queued, 25.3 MB, 12.3 pages/s, 3 errors, 2 hosts waiting
    """
    parts = [
        plural(progress.pages, "page"),
        f"{progress.queued:,} queued",
        size(progress.bytes),
        f"{pages_per_s:,.1f} pages/s",
        plural(progress.errors, "error"),
        f"{plural(progress.waiting_hosts, 'host')} waiting",
    ]
    return f"  {name:<18}{', '.join(parts)}"


def finished_line(stage: str, account: Account, *, seconds: float | None, processed: int | None = None) -> str:
    """Return the line of a stage or a crawl.

    Args:
        stage: Its name.
        account: Documents, or pages, in and out.
        seconds: Wall time. None if an earlier result was reused.
        processed: Documents for the rate, by default all that came in.

    >>> print(finished_line("near_dedup", Account(12_000, 11_990, Counter({"near_dedup.duplicate": 10})), seconds=2.5))
      near_dedup              12,000 in      11,990 kept     2.5 s      4,800/s  10 near_dedup.duplicate
    """
    how = "reused" if seconds is None else f"{seconds:,.1f} s"
    processed = account.taken if processed is None else processed
    rate = f"{processed / seconds:,.0f}/s" if seconds and processed else ""
    numbers = f"{account.taken:>12,} in{account.kept:>12,} kept"
    return f"  {stage:<18}{numbers}{how:>10}{rate:>13}  {rules_text(account.rules)}".rstrip()


def rules_text(rules: Counter[str]) -> str:
    """Return the most frequent of *rules* with their numbers.

    >>> rules_text(Counter({"a": 5, "b": 4, "c": 3, "d": 2, "e": 1}))
    '5 a, 4 b, 3 c, 3 by 2 other rules'
    """
    shown = rules.most_common(_RULES_SHOWN)
    parts = [f"{n:,} {rule}" for rule, n in shown]
    if others := len(rules) - len(shown):
        rest = rules.total() - sum(n for _, n in shown)
        parts.append(f"{rest:,} by {others} other rule{'' if others == 1 else 's'}")
    return ", ".join(parts)
