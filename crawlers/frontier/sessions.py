"""The times at which processes ran a crawl, so that the time between a kill and the resume does not count."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from corpusmill.crawlers.frontier.store import Frontier

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_STARTS: Final = "starts"
_MAX_STARTS: Final = 1_000
_US: Final = 1_000_000
_NEVER: Final = (1 << 63) - 1

Times: TypeAlias = "npt.NDArray[np.int64]"
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
        import numpy as np

        # The first session is for a queue of an earlier release, whose first process has no recorded start.
        self._starts: Times = np.array([0, *sorted(starts)], dtype=np.int64)
        ends, unknown = self._starts.copy(), _NEVER
        for times in settled:
            place = self._place(times)
            np.maximum.at(ends, place, times)
            unknown = int(times[place == 0].min(initial=unknown))
        self.count = len(self._starts) - (unknown == _NEVER)
        self._starts[0] = 0 if unknown == _NEVER else unknown
        self._durations: Times = ends - self._starts
        self._before: Times = np.cumsum(self._durations) - self._durations
        self.duration_us = int(self._durations.sum())

    def offsets_s(self, times: Times) -> npt.NDArray[np.float64]:
        """Return the seconds that the crawl had run at each of *times*."""
        import numpy as np

        place = self._place(times)
        within = np.clip(times - self._starts[place], 0, self._durations[place])
        offsets: npt.NDArray[np.float64] = (self._before[place] + within) / _US
        return offsets

    def _place(self, times: Times) -> npt.NDArray[np.intp]:
        """Return the session of each of *times*: the last one that had started."""
        import numpy as np

        return np.searchsorted(self._starts, times, side="right") - 1
