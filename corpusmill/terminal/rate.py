"""How fast a count grows."""

from __future__ import annotations

from collections import deque


class Rate:
    """Computes the growth of a count per second, over a window of the latest seconds.

    >>> rate = Rate(window_s=10)
    >>> [rate.add(count, at=second) for second, count in ((0, 100), (4, 120), (20, 200), (31, 200))]
    [0.0, 5.0, 5.0, 0.0]
    """

    def __init__(self, *, window_s: float) -> None:
        self._window_s = window_s
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, count: int, *, at: float) -> float:
        """Return the growth per second up to *count* at the time *at*, which is not before that of the last call."""
        self._samples.append((at, count))
        # The sample that is kept is the latest one that is at least as old as the window.
        while len(self._samples) > 1 and self._samples[1][0] <= at - self._window_s:
            self._samples.popleft()
        began, first = self._samples[0]
        return (count - first) / (at - began) if at > began else 0.0
