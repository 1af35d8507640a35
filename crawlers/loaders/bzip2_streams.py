"""Slices of bzip2 files with many streams, as `multistream` dumps and parallel compressors write them."""

from __future__ import annotations

import bz2
import io
from typing import Any, Final

from corpusmill.crawlers.loaders.streams import BrokenStreamError, open_file

_MAGICS: Final = tuple(b"BZh%d1AY&SY" % level for level in range(1, 10))
"""Beginnings of a stream with at least one block; by chance, one of 10¹⁹ places in a file looks like one."""
_MAGIC_BYTES: Final = 10
_PIECE_BYTES: Final = 1 << 18
_OUTPUT_BYTES: Final = 1 << 20


class Bzip2Streams(io.RawIOBase):
    """The decompressed bytes from the first stream that begins at or after byte *start* to the end of the file.

    `is_past` tells which of them are of streams that begin at or after byte *end* (-1: none).
    """

    def __init__(self, path: str, *, start: int, end: int) -> None:
        self._file = open_file(path)
        self._end = end
        self._output = memoryview(b"")
        self._written = 0
        self._limit: int | None = None
        self._decoder: bz2.BZ2Decompressor | None = None
        self._data = b""
        self._position = max(start, 0)
        """Place in the file of the first byte after `_data`."""
        self._find(max(start, 0))

    def _find(self, start: int) -> None:
        """Move to the first stream at or after *start*, or to the end of the slice if there is none."""
        self._file.seek(start)
        data, place = b"", start
        while True:
            piece = self._file.read(_PIECE_BYTES)
            found = min((at for magic in _MAGICS if (at := (data + piece).find(magic)) >= 0), default=-1)
            if found >= 0:
                data = (data + piece)[found:]
                self._data, self._position = data, place + found + len(data)
                return
            is_over = 0 <= self._end <= place
            if not piece or is_over:
                self._data = b""
                self._limit = 0
                self._file.seek(0, io.SEEK_END)
                self._position = self._file.tell()
                return
            data += piece
            kept = data[-(_MAGIC_BYTES - 1) :]
            place += len(data) - len(kept)
            data = kept

    def is_past(self, position: int) -> bool:
        """Return whether the decompressed byte at *position* is of a stream behind the slice."""
        return self._limit is not None and position >= self._limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._output:
            piece = self._next()
            if piece is None:
                return 0
            self._output = memoryview(piece)
        size = min(len(buffer), len(self._output))
        buffer[:size] = self._output[:size]
        self._output = self._output[size:]
        return size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most *size* bytes; fewer if a stream ends first."""
        if size is None or size < 0:
            return self.readall()
        while not self._output:
            piece = self._next()
            if piece is None:
                return b""
            self._output = memoryview(piece)
        taken = bytes(self._output[:size])
        self._output = self._output[size:]
        return taken

    def _next(self) -> bytes | None:
        """Return the next piece of the decompressed bytes; None at the end of the file."""
        while True:
            if self._decoder is None and not self._begin():
                return None
            decoder = self._decoder
            assert decoder is not None, "a stream has begun"
            if decoder.needs_input and not self._data and not self._more():
                raise BrokenStreamError("the bzip2 stream ends in the middle")
            try:
                output = decoder.decompress(self._data, _OUTPUT_BYTES)
            except (OSError, EOFError) as error:
                raise BrokenStreamError(f"the bzip2 stream is damaged: {error}") from error
            self._data = b""
            if decoder.eof:
                self._data, self._decoder = decoder.unused_data, None
            if output:
                self._written += len(output)
                return output

    def _begin(self) -> bool:
        """Begin the next stream, after zeros, and return whether there is one."""
        while not (rest := self._data.lstrip(b"\0")):
            if not self._more():
                return False
        self._data = rest
        if self._limit is None and 0 <= self._end <= self._position - len(rest):
            self._limit = self._written
        self._decoder = bz2.BZ2Decompressor()
        return True

    def _more(self) -> bool:
        self._data = self._file.read(_PIECE_BYTES)
        self._position += len(self._data)
        return bool(self._data)

    def close(self) -> None:
        self._file.close()
        super().close()
