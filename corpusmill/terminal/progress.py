"""How a run looks while it goes: a line for each step, drawn over on a terminal."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Final

from corpusmill.pipelines.engines.base import Step
from corpusmill.pipelines.engines.store import StepResult
from corpusmill.pipelines.engines.tasks import TaskResult
from corpusmill.terminal.console import Console

_REDRAW_S: Final = 0.1
_RULES_SHOWN: Final = 3


class Lines:
    """Writes a line for each step on standard error: documents read, kept, rejected by rule, documents/s, time left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._drawn = 0.0
        self._tasks = self._left = 0
        self._counters: Counter[str] = Counter()

    def step_started(self, step: Step, *, tasks: int, missing: int) -> None:
        """Begin a line."""
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
        """Write the finished line; steps within a stage that count no documents, and rounds, say nothing."""
        if self._console.quiet or "@" in done.name or ("." in done.name and not done.counters):
            return
        self._clear()
        seconds = time.monotonic() - self._started
        how = "reused" if done.cached else f"{seconds:.1f} s"
        line = summary(done.name, dict(done.counters), seconds=None if done.cached else seconds)
        self._console.say(f"  {done.name:<26} {line or f'{done.rows:,} rows':<60} {how}".rstrip())

    def _draw(self, name: str, *, force: bool = False) -> None:
        now = time.monotonic()
        if not self._console.shows_progress or (not force and now - self._drawn < _REDRAW_S):
            return
        self._drawn = now
        finished = self._tasks - self._left
        seconds = now - self._started
        left = f", about {seconds / finished * self._left:.0f} s left" if finished else ""
        line = summary(name, dict(self._counters), seconds=seconds)
        self._clear()
        print(f"  {name:<26} {finished}/{self._tasks} tasks{left}  {line}"[:118], end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._console.shows_progress:
            print("\r\x1b[2K", end="", file=sys.stderr)


def summary(name: str, counters: dict[str, int], *, seconds: float | None) -> str:
    """Give what a step did with documents, from its counters; empty for a step that counts none.

    >>> counters = {"law/pii/documents_in": 10, "law/pii/documents_out": 9, "law/pii/rule/pii.email": 1}
    >>> summary("pii", counters, seconds=None)
    '10 in, 9 kept, 1 pii.email'
    """
    laws = [counter.split("/")[1] for counter in counters if counter.startswith("law/")]
    if not laws:
        return ""
    first = "read" if "read" in laws else name if name in laws else laws[0]
    last = name if name in laws else laws[-1]
    taken = counters.get(f"law/{first}/documents_in", 0)
    kept = counters.get(f"law/{last}/documents_out", 0)
    rules = Counter(
        {
            counter.split("/", 3)[3]: n
            for counter, n in counters.items()
            if counter.startswith("law/") and "/rule/" in counter
        }
    )
    parts = [f"{taken:,} in, {kept:,} kept"] if taken or kept else []
    parts += [f"{n:,} {rule}" for rule, n in rules.most_common(_RULES_SHOWN)]
    if len(rules) > _RULES_SHOWN:
        parts.append(f"{sum(rules.values()) - sum(n for _, n in rules.most_common(_RULES_SHOWN)):,} by other rules")
    if seconds and taken and seconds > 0.05:
        parts.append(f"{taken / seconds:,.0f}/s")
    return ", ".join(parts)
