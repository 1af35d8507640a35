"""Which part of a mixture each row of a run comes from: exact shares, as a pure function of the row's number.

Shapes: P phases, C parts.
"""
# ruff: noqa: N806, N815 - names of arrays end in their shape

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corpusmill.schemas.errors import UsageError
from corpusmill.training.data.selection import Selection
from corpusmill.training.data.shards import Corpus

_BLOCK_ROWS: Final = 1 << 14
"""Rows whose parts are decided at once."""


@dataclass(frozen=True)
class Part:
    """One part of a mixture.

    Attributes:
        weight: Share of the rows, relative to the other parts.
        selection: The documents of the corpus that belong to the part; None: all.
        epochs: Passes over the part at most; None: no bound. A lane in which a part has ended takes its rows from the
            other parts, in proportion to their weights.
    """

    corpus: Corpus
    weight: float = 1.0
    epochs: int | None = None
    selection: Selection | None = None


@dataclass(frozen=True)
class Shares:
    """The shares of the parts of a mixture over a run.

    Among the first n rows, the rows of each part differ by less than one for each part from the sum of its shares.

    Attributes:
        starts: The first row of each phase; the first phase starts at row 0.
        weights: For each phase, the weight of each part; at least one is above 0.

    >>> shares = Shares.constant([3, 1])
    >>> [shares.part(row) for row in range(8)]
    [0, 0, 1, 0, 0, 0, 1, 0]
    """

    starts: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if not self.weights or len(self.starts) != len(self.weights) or self.starts[0] != 0:
            raise UsageError("a mixture has weights for each of its phases, the first of which starts at row 0")
        if not all(phase and np.isfinite(phase).all() and min(phase) >= 0 < max(phase) for phase in self.weights):
            raise UsageError("weights of a mixture are at least 0, and one of them above 0 at any time")

    @staticmethod
    def constant(weights: Sequence[float]) -> Shares:
        """Return shares that do not change during a run."""
        return Shares((0,), (tuple(float(weight) for weight in weights),))

    def part(self, row: int) -> int:
        """Return the part that the row *row* of the run comes from."""
        return int(self.block(row // _BLOCK_ROWS)[row % _BLOCK_ROWS])

    def of_lane(self, lane: int, *, lanes: int, first: int, stop: int) -> npt.NDArray[np.int16]:
        """Return the parts of the rows *first* to *stop* of *lane*, one of *lanes*."""
        numbers = np.arange(first, stop, dtype=np.int64) * lanes + lane
        if not len(numbers):
            return np.empty(0, dtype=np.int16)
        blocks = range(int(numbers[0]) // _BLOCK_ROWS, int(numbers[-1]) // _BLOCK_ROWS + 1)
        chosen = np.concatenate([self.block(number) for number in blocks])
        return chosen[numbers - blocks[0] * _BLOCK_ROWS]

    def without(self, ended: frozenset[int]) -> Shares | None:
        """Return the shares without the parts *ended*; None if no other part has a weight in any phase.

        A phase that has no other part takes the weights of the next phase that has one, else of the last before it.
        """
        left = [tuple(0.0 if part in ended else w for part, w in enumerate(phase)) for phase in self.weights]
        filled = [number for number, phase in enumerate(left) if max(phase) > 0]
        if not filled:
            return None
        sources = [next((other for other in filled if other >= number), filled[-1]) for number in range(len(left))]
        return Shares(self.starts, tuple(left[source] for source in sources))

    def block(self, number: int) -> npt.NDArray[np.int16]:
        """Return the parts of the rows of the block *number* of 16,384 rows."""
        return _block(self, number)

    @functools.cached_property
    def _phases(self) -> _Phases:
        weights_PC = np.array(self.weights)
        shares_PC = weights_PC / weights_PC.sum(axis=1, keepdims=True)
        starts_P = np.array(self.starts, dtype=np.float64)
        lengths_P = np.diff(starts_P)[:, None]
        before_PC = np.concatenate([np.zeros_like(shares_PC[:1]), np.cumsum(shares_PC[:-1] * lengths_P, axis=0)])
        return _Phases(starts_P, shares_PC, before_PC)


@dataclass(frozen=True)
class _Phases:
    """The rows that each part C is due until any time, linear within each phase P."""

    starts_P: npt.NDArray[np.float64]
    shares_PC: npt.NDArray[np.float64]
    before_PC: npt.NDArray[np.float64]

    def due(self, time: float) -> npt.NDArray[np.int64]:
        """Return for each part how many of its rows are due until *time*: row k at the share k + 1/2."""
        phase = int(np.searchsorted(self.starts_P, time, side="right")) - 1
        sums: npt.NDArray[np.float64] = self.before_PC[phase] + self.shares_PC[phase] * (time - self.starts_P[phase])
        return np.floor(sums + 0.5).astype(np.int64)

    def times(self, part: int, first: int, stop: int) -> npt.NDArray[np.float64]:
        """Return the times at which the rows *first* to *stop* of *part* are due."""
        goals = np.arange(first, stop) + 0.5
        phases = np.searchsorted(self.before_PC[:, part], goals, side="left") - 1
        times: npt.NDArray[np.float64] = (goals - self.before_PC[phases, part]) / self.shares_PC[phases, part]
        return times + self.starts_P[phases]


@functools.lru_cache(maxsize=64)
def _block(shares: Shares, number: int) -> npt.NDArray[np.int16]:
    phases, parts = shares._phases, len(shares.weights[0])
    first = number * _BLOCK_ROWS
    # Times of neighboring rows differ by less than the number of parts; the fraction keeps away from equal times.
    begin, end = max(0.0, first - parts - 0.37), first + _BLOCK_ROWS + parts + 0.37
    lows, highs = phases.due(begin), phases.due(end)
    times = [phases.times(part, int(lows[part]), int(highs[part])) for part in range(parts)]
    owners = np.repeat(np.arange(parts, dtype=np.int16), [len(one) for one in times])
    order = np.lexsort((owners, np.concatenate(times)))
    skipped = first - int(lows.sum())
    return owners[order][skipped : skipped + _BLOCK_ROWS]
