"""SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195), for single values and for columns.

Partitions, splits and training orders depend on it, so its output must never change.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

GAMMA: Final = 0x9E3779B97F4A7C15
"""Increment of the generator's state: ``splitmix64(seed + n * GAMMA)`` is output *n*, counted from 0."""
_MULTIPLIERS: Final = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_MASK_64: Final = (1 << 64) - 1


def splitmix64(value: int) -> int:
    """Mix a 64-bit *value*: a permutation of 0 … 2^64-1.

    >>> splitmix64(0)
    16294208416658607535
    """
    value = (value + GAMMA) & _MASK_64
    value = ((value ^ (value >> 30)) * _MULTIPLIERS[0]) & _MASK_64
    value = ((value ^ (value >> 27)) * _MULTIPLIERS[1]) & _MASK_64
    return value ^ (value >> 31)


def splitmix64_column(values_N: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:  # noqa: N803 - N values
    """Apply `splitmix64` to each of N 64-bit values (an array of at least one dimension)."""
    mixed = values_N + np.uint64(GAMMA)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MULTIPLIERS[0])
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MULTIPLIERS[1])
    return mixed ^ (mixed >> np.uint64(31))
