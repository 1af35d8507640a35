"""The position of a lane after any number of rows, computed from counts of tokens instead of by reading."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from corpusmill.training.data.best_fit import best_fit
from corpusmill.training.data.mixture import Shares
from corpusmill.training.data.order import ROWS, Cursor, lane_windows, permutation
from corpusmill.training.data.token_cache import CacheSource

if TYPE_CHECKING:
    from corpusmill.training.data.part_reader import PartReader

_UNBOUNDED: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class LaneCounts:
    """Counts of what *lane* reads of a part, whose tokens are in *source*."""

    reader: PartReader
    source: CacheSource
    lane: int

    def rows(self) -> int:
        """Return the number of rows that the lane can take."""
        reader = self.reader
        if reader.epochs is None:
            return _UNBOUNDED
        epochs = range(reader.first_epoch, reader.first_epoch + reader.epochs)
        total = sum(int(self._sizes(epoch, self._dealt(epoch)).sum()) for epoch in epochs)
        return total if self._is_best_fit else max(0, (total - reader.targets) // reader.sequence_length)

    def cursor(self, rows: int) -> Cursor:
        """Return the cursor after *rows* rows, equal to the one that the reader gives with the last of them."""
        if not rows:
            return Cursor(epoch=self.reader.first_epoch)
        left = rows if self._is_best_fit else rows * self.reader.sequence_length
        for epoch in itertools.count(self.reader.first_epoch):
            dealt = self._dealt(epoch)
            sums = np.cumsum(self._sizes(epoch, dealt))
            total = int(sums[-1]) if len(sums) else 0
            if left < total + self._counts_end:
                index = self._place(sums, left)
                inner = left - (int(sums[index - 1]) if index else 0)
                row, token = self._inside(epoch, int(dealt[index]), inner)
                return Cursor(epoch, index, row, token, rows)
            left -= total
        raise AssertionError("epochs are counted without end")

    def rows_with(self, window: int, document: int, *, until: int) -> Iterator[int]:
        """Yield the rows of the part in this lane, below *until*, that have tokens of a document.

        Args:
            window: Number of the window of the document.
            document: Its place among the documents of the window, before they are shuffled.
        """
        before = 0
        for epoch in itertools.count(self.reader.first_epoch):
            if self.reader.epochs is not None and epoch >= self.reader.first_epoch + self.reader.epochs:
                return
            dealt = self._dealt(epoch)
            sizes = self._sizes(epoch, dealt)
            for index in np.flatnonzero(dealt == window).tolist():
                found = self._rows_inside(epoch, window, document, before=before + int(sizes[:index].sum()))
                yield from (row for row in found if row < until)
            before += int(sizes.sum())
            if before >= until * (1 if self._is_best_fit else self.reader.sequence_length):
                return

    def _rows_inside(self, epoch: int, window: int, document: int, *, before: int) -> list[int]:
        """Return the rows with a document, where *before* rows (or tokens) of the part come before the window."""
        lengths = self._shuffled(epoch, window)
        order = permutation(len(lengths), self.reader.seed, epoch, window)
        place = int(np.flatnonzero(order == document)[0])
        stop = int(lengths[: place + 1].sum())
        start = stop - int(lengths[place])
        if not self._is_best_fit:
            length = self.reader.sequence_length
            return list(range((before + start) // length, (before + stop - 1) // length + 1))
        rows = best_fit(lengths, self.reader.sequence_length, self.reader.targets)
        shown = permutation(len(rows), self.reader.seed, epoch, window, ROWS)
        has = [any(piece.start < stop and start < piece.stop for piece in rows[int(row)]) for row in shown]
        return [before + int(row) for row in np.flatnonzero(has)]

    @property
    def _is_best_fit(self) -> bool:
        return self.reader.packing == "best_fit"

    @property
    def _counts_end(self) -> bool:
        """Whether the end of a window belongs to it, rather than to the window after it."""
        return self._is_best_fit or not self.reader.targets

    def _dealt(self, epoch: int) -> npt.NDArray[np.int64]:
        reader = self.reader
        return lane_windows(len(reader.windows), lanes=reader.lanes, lane=self.lane, seed=reader.seed, epoch=epoch)

    def _sizes(self, epoch: int, dealt: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the tokens of each window of *dealt*, or its rows if they are packed by best fit."""
        if not self._is_best_fit:
            return self.source.window_tokens(tuple(self.reader.windows[window] for window in dealt))
        return np.array([self._best_fit_rows(epoch, int(window)) for window in dealt], dtype=np.int64)

    def _best_fit_rows(self, epoch: int, window: int) -> int:
        return len(best_fit(self._shuffled(epoch, window), self.reader.sequence_length, self.reader.targets))

    def _inside(self, epoch: int, window: int, inner: int) -> tuple[int, int]:
        """Return the row and the token of a cursor within a window, after *inner* rows or tokens of it."""
        if self._is_best_fit:
            return inner, 0
        ends = np.cumsum(self._shuffled(epoch, window))
        document = self._place(ends, inner)
        return document, inner - (int(ends[document - 1]) if document else 0)

    def _shuffled(self, epoch: int, window: int) -> npt.NDArray[np.int64]:
        """Return the tokens of each document of *window*, in the order of *epoch*."""
        lengths = self.source.lengths(self.reader.windows[window])
        return lengths[permutation(len(lengths), self.reader.seed, epoch, window)]

    def _place(self, sums: npt.NDArray[np.int64], size: int) -> int:
        return int(np.searchsorted(sums, size, side="left" if self._counts_end else "right"))


def parts_of_lane(shares: Shares, *, lane: int, lanes: int, rows: int, limits: Sequence[int]) -> npt.NDArray[np.int16]:
    """Return the part of each of the first *rows* rows of *lane*, where a part gives *limits* rows at most.

    When a part has ended, its rows come from the others, as in `PackedDataset`. There are fewer rows if all end.
    """
    taken = np.zeros(len(limits), dtype=np.int64)
    ended: frozenset[int] = frozenset()
    left: Shares | None = shares
    found: list[npt.NDArray[np.int16]] = [np.zeros(0, dtype=np.int16)]
    row = 0
    while left is not None and row < rows:
        chosen = left.of_lane(lane, lanes=lanes, first=row, stop=rows)
        counts = np.stack([np.cumsum(chosen == part) for part in range(len(limits))], axis=1)
        over = (taken + counts > np.array(limits)).any(axis=1)
        stop = int(over.argmax()) if over.any() else len(chosen)
        found.append(chosen[:stop])
        taken += counts[stop - 1] if stop else 0
        row += stop
        if stop < len(chosen):
            ended |= {int(chosen[stop])}
            left = shares.without(ended)
    return np.concatenate(found)
