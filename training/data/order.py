"""The order of training: a pure function of seed, epoch and position.

Orders are kept for years in checkpoints, so they rest on SplitMix64 and a stable sort, not on a library's generator.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from corpusmill.schemas.splitmix import GAMMA, splitmix64, splitmix64_column

WINDOWS_PER_LANE: Final = 4
"""Least number of windows for a lane in an epoch: fewer would make lanes too unequal."""


class Cursor(NamedTuple):
    """Where a lane stands: at the token *token* of the document *row* (in shuffled order) of its window *window*.

    Attributes:
        rows: Rows of tokens that the lane has given since the beginning.
    """

    epoch: int = 0
    window: int = 0
    row: int = 0
    token: int = 0
    rows: int = 0


def permutation(size: int, *key: int) -> npt.NDArray[np.int64]:
    """Give the numbers below *size* in an order that the integers *key* decide.

    >>> permutation(5, 7, 0).tolist() == permutation(5, 7, 0).tolist() != permutation(5, 7, 1).tolist()
    True
    """
    start = 0
    for part in key:
        start = splitmix64(start ^ splitmix64(part % 2**64))
    draws = splitmix64_column(np.uint64(start) + np.uint64(GAMMA) * np.arange(size, dtype=np.uint64))
    return np.argsort(draws, kind="stable")


def lane_windows(windows: int, *, lanes: int, lane: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Give the numbers of the windows of *lane* in *epoch*: all, shuffled, are dealt to the lanes like cards."""
    return permutation(windows, seed, epoch)[lane::lanes]
