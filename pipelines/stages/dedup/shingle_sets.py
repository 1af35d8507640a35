"""The shingles of kept documents: in memory up to a bound, then in a file."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from typing import IO

import numpy as np
import numpy.typing as npt

_WORD_BYTES = 8


class ShingleSets:
    """An append-only list of int64 arrays. Arrays beyond the memory bound are written to a temporary file.

    Args:
        memory_bytes: Bound on the arrays in memory.

    >>> sets = ShingleSets(memory_bytes=16)
    >>> for values in ([1, 2], [3], [4, 5, 6]):
    ...     sets.append(np.array(values))
    >>> sets[0].tolist(), sets[1].tolist(), sets[2].tolist(), len(sets)
    ([1, 2], [3], [4, 5, 6], 3)
    """

    def __init__(self, *, memory_bytes: int) -> None:
        self._left = memory_bytes
        self._held: list[npt.NDArray[np.int64]] = []
        self._ends = array("q")
        self._file: IO[bytes] | None = None
        self._is_flushed = True

    def __len__(self) -> int:
        """Return the number of arrays."""
        return len(self._held) + len(self._ends)

    def append(self, values: npt.NDArray[np.int64]) -> None:
        """Append a copy of *values*."""
        if self._file is None and values.nbytes <= self._left:
            self._left -= values.nbytes
            self._held.append(values.copy())
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="corpusmill-")  # noqa: SIM115 - closed with this object
            weakref.finalize(self, self._file.close)
        self._file.write(values.tobytes())
        self._ends.append((self._ends[-1] if self._ends else 0) + len(values))
        self._is_flushed = False

    def __getitem__(self, index: int) -> npt.NDArray[np.int64]:
        """Return the array *index*, counted from 0."""
        if index < len(self._held):
            return self._held[index]
        assert self._file is not None, "arrays beyond those in memory are in the file"
        if not self._is_flushed:
            self._file.flush()
            self._is_flushed = True
        at = index - len(self._held)
        start, stop = self._ends[at - 1] if at else 0, self._ends[at]
        self._file.seek(start * _WORD_BYTES)
        data = self._file.read((stop - start) * _WORD_BYTES)
        self._file.seek(0, 2)
        return np.frombuffer(data, np.int64)
