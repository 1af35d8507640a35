"""Objects of a store as files that pyarrow reads: each read is one request for a range of bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any, Final

LEAST_BYTES: Final = 64 << 10
"""What a request asks for at least: it costs as much time as some hundred kilobytes."""


class RangeFile(io.RawIOBase):
    """A file of *size* bytes, of which *fetch(start, length)* gets a piece. It keeps the last piece that it got."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._at = 0
        self._start = 0
        self._piece = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return the next *size* bytes, fewer at the end.

        Raises:
            OSError: The object is shorter than it was.
        """
        left = max(self._size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        found = self._bytes(self._at, wanted) if wanted else b""
        if len(found) != wanted:
            raise OSError(f"{len(found)} bytes instead of {wanted} at byte {self._at}")
        self._at += wanted
        return found

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        found = self.read(len(view))
        view[: len(found)] = found
        return len(found)

    def readall(self) -> bytes:
        return self.read()

    def _bytes(self, start: int, length: int) -> bytes:
        if not self._start <= start or start + length > self._start + len(self._piece):
            if length >= LEAST_BYTES:
                return self._fetch(start, length)
            # The end of a file is read backwards: length and offset of the footer, then the footer.
            self._start = max(0, min(start, self._size - LEAST_BYTES))
            self._piece = self._fetch(self._start, LEAST_BYTES)
        first = start - self._start
        return self._piece[first : first + length]
