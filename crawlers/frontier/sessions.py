"""The times at which processes ran a crawl, so that the time between a kill and the resume does not count."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from corpusmill.crawlers.frontier.store import Frontier

_STARTS: Final = "starts"
_MAX_STARTS: Final = 1_000
_US: Final = 1_000_000

Times = npt.NDArray[np.int64]
"""Microseconds since 1970."""


def record_start(frontier: Frontier) -> None:
    """Store that a process starts to run the crawl now. Of very many starts, the first and the latest are kept."""
    starts = [*session_starts(frontier), time.time_ns() // 1000]
    frontier.remember(**{_STARTS: json.dumps([*starts[:1], *starts[1:][1 - _MAX_STARTS :]])})


def session_starts(frontier: Frontier) -> list[int]:
    """Return the times at which processes started to run the crawl, in microseconds since 1970."""
    starts: list[int] = json.loads(frontier.get(_STARTS) or "[]")
    return starts


class Sessions:
    """The periods in which a crawl ran: each from the start of a process to the last URL that it settled.

    Args:
        starts: When processes started.
        settled: Batches of the times at which URLs were settled, in any order.
    """

    def __init__(self, starts: Iterable[int], settled: Iterator[Times]) -> None:
        ordered = sorted(starts)
        self._starts: Times = np.array(ordered or [0], dtype=np.int64)
        ends, first = self._starts.copy(), None
        for times in settled:
            np.maximum.at(ends, self._place(times), times)
            first = int(times.min()) if first is None else min(first, int(times.min()))
        if first is not None and (not ordered or first < ordered[0]):  # a queue of an earlier release has no starts
            self._starts[0] = first
        durations = ends - self._starts if first is not None else np.zeros_like(ends)
        self.count = len(ordered) or 1
        self.duration_us = int(durations.sum())
        self._before: Times = np.cumsum(durations) - durations
        self._durations: Times = durations

    def offsets_s(self, times: Times) -> npt.NDArray[np.float64]:
        """Return the seconds that the crawl had run at each of *times*."""
        place = self._place(times)
        within = np.clip(times - self._starts[place], 0, self._durations[place])
        return (self._before[place] + within) / _US

    def _place(self, times: Times) -> npt.NDArray[np.intp]:
        """Return the session of each of *times*; the first one for earlier times, as after a correction of the clock.

        The last session that started before a time is the one that it belongs to.
        """
        return np.maximum(np.searchsorted(self._starts, times, side="right") - 1, 0)
