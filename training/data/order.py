"""The order of training: a pure function of seed, epoch and position.

Checkpoints depend on these orders for years, so they use SplitMix64 and a stable sort instead of a library's generator.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from corpusmill.schemas.splitmix import GAMMA, splitmix64, splitmix64_column

WINDOWS_PER_LANE: Final = 4
"""Minimum number of windows per lane and epoch; with fewer, lanes would be too unequal."""
ROWS: Final = 1
"""Last part of the key of the order of rows within a window, where best fit packs them."""


class Cursor(NamedTuple):
    """The position of a lane in a part: the token *token* of the document *row* (shuffled) of its window *window*.

    Attributes:
        rows: Number of rows of tokens that the lane has taken from the part since the beginning.
    """

    epoch: int = 0
    window: int = 0
    row: int = 0
    token: int = 0
    rows: int = 0


class Position(NamedTuple):
    """The position of a lane: the rows that it has returned, and its cursor in each part of the mixture."""

    rows: int
    cursors: tuple[Cursor, ...]

    def after(self, part: int, cursor: Cursor) -> Position:
        """Return the position after one more row, which leaves *part* at *cursor*."""
        return Position(self.rows + 1, (*self.cursors[:part], cursor, *self.cursors[part + 1 :]))


def permutation(size: int, *key: int) -> npt.NDArray[np.int64]:
    """Return the numbers below *size* in an order determined by the integers *key*.

    >>> permutation(5, 7, 0).tolist() == permutation(5, 7, 0).tolist() != permutation(5, 7, 1).tolist()
    True
    """
    return np.argsort(draws(size, *key), kind="stable")


def draws(size: int, *key: int) -> npt.NDArray[np.uint64]:
    """Return *size* random 64-bit numbers that are determined by the integers *key*."""
    return splitmix64_column(np.uint64(mixed(*key)) + np.uint64(GAMMA) * np.arange(size, dtype=np.uint64))


def mixed(*key: int) -> int:
    """Return a 64-bit number that is determined by the integers *key* and their order.

    >>> mixed(1, 2) == mixed(1, 2) != mixed(2, 1)
    True
    """
    value = 0
    for part in key:
        value = splitmix64(value ^ splitmix64(part % 2**64))
    return value


def lane_windows(windows: int, *, lanes: int, lane: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Return the windows of *lane* in *epoch*: all windows are shuffled and dealt to the lanes in turn."""
    return permutation(windows, seed, epoch)[lane::lanes]
