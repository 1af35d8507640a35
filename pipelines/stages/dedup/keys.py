"""Look up many band keys among others."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from corpusmill.pipelines.engines.base import Batches

Keys: TypeAlias = npt.NDArray[np.int64]

_FLAG_BITS: Final = 24
"""Up to 2^24 flags (16 MB), each key has at least 16, so that at most one in 16 of the other keys is searched for."""


class KeySet(NamedTuple):
    """Sorted keys, and flags by their low bits that exclude most others without a search."""

    keys: Keys
    flags: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, batches: Batches) -> KeySet:
        """Collect the keys of *batches*, from the column ``band``."""
        return cls.of_sorted(
            np.sort(np.concatenate([np.empty(0, np.int64), *(np.asarray(batch["band"]) for batch in batches)]))
        )

    @classmethod
    def of_sorted(cls, keys: Keys) -> KeySet:
        """Return the set of *keys*, which are sorted."""
        bits = (4 * len(keys)).bit_length()
        flags = np.zeros(1 << max(10, bits, min(bits + 2, _FLAG_BITS)), np.bool_)
        flags[keys & (len(flags) - 1)] = True
        return cls(keys, flags)

    def places_of(self, values: Keys) -> Keys:
        """Return the positions of those of *values* that are among the keys."""
        likely = np.flatnonzero(self.flags[values & (len(self.flags) - 1)])
        if not len(likely):
            return likely
        places = np.minimum(np.searchsorted(self.keys, values[likely]), len(self.keys) - 1)
        among: Keys = likely[self.keys[places] == values[likely]]
        return among

    def positions(self, values: Keys) -> Keys:
        """Return the first position of each of *values* among the keys, which have them all."""
        return np.searchsorted(self.keys, values)
