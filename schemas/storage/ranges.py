"""Objects of a store as Python files, for pyarrow: each read is one request for a range of bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any, Final

MIN_REQUEST_BYTES: Final = 64 << 10
"""Smallest range to request: a request takes about as long as the transfer of a few hundred kilobytes."""


class RangeFile(io.RawIOBase):
    """A file of *size* bytes that reads with *fetch(start, length)* and buffers the last small range."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._at = 0
        self._start = 0
        self._buffer = b""

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
        """Return the next *size* bytes, or fewer at the end.

        Raises:
            OSError: The object is shorter than *size* said when the file was opened.
        """
        left = max(self._size - self._at, 0)
        length = left if size is None or size < 0 else min(size, left)
        data = self._bytes(self._at, length) if length else b""
        if len(data) != length:
            raise OSError(f"{len(data)} bytes instead of {length} at byte {self._at}")
        self._at += length
        return data

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self.read()

    def _bytes(self, start: int, length: int) -> bytes:
        if not self._start <= start or start + length > self._start + len(self._buffer):
            if length >= MIN_REQUEST_BYTES:
                return self._fetch(start, length)
            # Readers go backwards from the end of a file: first the length of the footer, then the footer.
            self._start = max(0, min(start, self._size - MIN_REQUEST_BYTES))
            self._buffer = self._fetch(self._start, MIN_REQUEST_BYTES)
        first = start - self._start
        return self._buffer[first : first + length]
