"""Recognize text that repeats itself at once ("spam spam spam …"), so that its windows need not be compared.

In such text, a window equals the one a period before it. Without this, a text of one repeated character would have an
anchor at every byte.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corpusmill.pipelines.stages.dedup.substrings.winnowing import Anchored, Bytes, Int64


class Periodic(NamedTuple):
    """Runs of windows that equal the window *period* bytes before them in the same text.

    `row` is the number of the text, `start` the first window (bytes from the start of the text), and `windows` their
    number.
    """

    row: Int64
    start: Int64
    windows: Int64
    period: Int64


def without_periodic(data: Bytes, offsets: Int64, blocks: Anchored, *, min_bytes: int) -> tuple[Anchored, Periodic]:
    """Return *blocks* without those whose windows all repeat the windows one period earlier, and these as runs.

    A run of blocks with the same anchor at equal distances is compared with the text one such distance earlier.
    """
    distance = np.diff(blocks.owner)
    follows = (blocks.row[1:] == blocks.row[:-1]) & (blocks.anchor[1:] == blocks.anchor[:-1])
    periodic = np.zeros(len(blocks.row), np.bool_)
    period = np.zeros(len(blocks.row), np.int64)
    period[1:][follows] = distance[follows]
    starts = np.flatnonzero((period > 0) & (period != np.roll(period, 1)))
    ends = np.flatnonzero((period > 0) & (period != np.roll(period, -1))) + 1
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        text = data[offsets[blocks.row[start]] : offsets[blocks.row[start] + 1]]
        run = Anchored(*(column[start:end] for column in blocks))
        periodic[start:end] = _repeats(text, run, int(period[start]), min_bytes)
    runs = Periodic(*(column[periodic] for column in (blocks.row, blocks.start, blocks.windows, period)))
    return blocks.take(~periodic), _joined(runs)


def _repeats(text: Bytes, blocks: Anchored, period: int, min_bytes: int) -> npt.NDArray[np.bool_]:
    """Return for each of *blocks* whether all its windows equal those *period* bytes earlier in *text*."""
    first = max(int(blocks.start[0]), period)
    ends = blocks.start + blocks.windows + min_bytes - 1
    later, earlier = text[first : ends[-1]], text[first - period : ends[-1] - period]
    differences = np.concatenate([[0], np.cumsum(later != earlier)])
    begins = np.maximum(blocks.start - first, 0)
    is_equal: npt.NDArray[np.bool_] = differences[np.maximum(ends - first, 0)] == differences[begins]
    return is_equal & (blocks.start >= period)


def _joined(runs: Periodic) -> Periodic:
    """Join neighboring *runs* with the same period."""
    ends = runs.start + runs.windows
    is_new = np.ones(len(ends), np.bool_)
    is_new[1:] = (runs.row[1:] != runs.row[:-1]) | (runs.start[1:] != ends[:-1]) | (runs.period[1:] != runs.period[:-1])
    first = np.flatnonzero(is_new)
    counts = np.add.reduceat(runs.windows, first) if len(first) else runs.windows
    return Periodic(runs.row[first], runs.start[first], counts, runs.period[first])
