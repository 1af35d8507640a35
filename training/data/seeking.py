"""The position of a lane after any number of rows, computed from counts of tokens instead of by reading."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corpusmill.training.data.mixture import Shares
from corpusmill.training.data.order import Cursor, lane_windows, permutation

_UNBOUNDED: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class PartCounts:
    """The counts of tokens of one part of a mixture, as one of its lanes takes them.

    Attributes:
        window_tokens: Tokens of each window; shape (windows,).
        lengths: Returns the tokens of each document of a window; shape (documents,).
        first_epoch: Epoch with which the run starts.
        epochs: Passes over the part; None: no bound.
        targets: Whether rows have one more token, which is also the first of the next row.
    """

    window_tokens: npt.NDArray[np.int64]
    lengths: Callable[[int], npt.NDArray[np.int64]]
    sequence_length: int
    seed: int
    lanes: int
    lane: int
    first_epoch: int
    epochs: int | None
    targets: bool

    def rows(self) -> int:
        """Return the number of rows that the lane can take."""
        if self.epochs is None:
            return _UNBOUNDED
        tokens = sum(
            int(self.window_tokens[self._dealt(epoch)].sum())
            for epoch in range(self.first_epoch, self.first_epoch + self.epochs)
        )
        return max(0, (tokens - self.targets) // self.sequence_length)

    def cursor(self, rows: int) -> Cursor:
        """Return the cursor after *rows* rows, equal to the one that `pack` gives with the last of them."""
        if not rows:
            return Cursor(epoch=self.first_epoch)
        tokens = rows * self.sequence_length
        for epoch in itertools.count(self.first_epoch):
            dealt = self._dealt(epoch)
            sums = np.cumsum(self.window_tokens[dealt])
            total = int(sums[-1]) if len(sums) else 0
            if tokens < total + (not self.targets):
                index = self._place(sums, tokens)
                window = int(dealt[index])
                lengths = self.lengths(window)
                order = permutation(len(lengths), self.seed, epoch, window)
                inner = tokens - (int(sums[index - 1]) if index else 0)
                ends = np.cumsum(lengths[order])
                document = self._place(ends, inner)
                return Cursor(epoch, index, document, inner - (int(ends[document - 1]) if document else 0), rows)
            tokens -= total
        raise AssertionError("epochs are counted without end")

    def _dealt(self, epoch: int) -> npt.NDArray[np.int64]:
        return lane_windows(len(self.window_tokens), lanes=self.lanes, lane=self.lane, seed=self.seed, epoch=epoch)

    def _place(self, sums: npt.NDArray[np.int64], tokens: int) -> int:
        return int(np.searchsorted(sums, tokens, side="right" if self.targets else "left"))


def rows_of_parts(shares: Shares, *, lane: int, lanes: int, rows: int, limits: Sequence[int]) -> list[int]:
    """Return how many of the first *rows* rows of *lane* come from each part, of which a part gives *limits* at most.

    When a part has ended, its rows come from the others, as in `PackedDataset`. The sum is below *rows* if all end.
    """
    taken = np.zeros(len(limits), dtype=np.int64)
    ended: frozenset[int] = frozenset()
    left: Shares | None = shares
    row = 0
    while left is not None and row < rows:
        chosen = left.of_lane(lane, lanes=lanes, first=row, stop=rows)
        counts = np.stack([np.cumsum(chosen == part) for part in range(len(limits))], axis=1)
        over = (taken + counts > np.array(limits)).any(axis=1)
        stop = int(over.argmax()) if over.any() else len(chosen)
        taken += counts[stop - 1] if stop else 0
        row += stop
        if stop < len(chosen):
            ended |= {int(chosen[stop])}
            left = shares.without(ended)
    return [int(count) for count in taken]
