"""Index of the frames of a compressed file, so that it can be read from the middle.

Two formats store the compressed and decompressed size of each frame in headers: zstd frames with a content size
(RFC 8878 §3.1.1; written by `zstd` for files, by pzstd, in the seekable format, and concatenations of these) and BGZF,
the gzip blocks that `bgzip` writes (SAM specification §4.1). The index is built by walking the headers of the whole
file without decompressing it. A file that does not match exactly, or has a frame without a size, is read as one stream.
"""

from __future__ import annotations

import io
import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import zstandard

from corpusmill.crawlers.loaders.base import slice_bytes
from corpusmill.crawlers.loaders.streams import MAGIC_BYTES, ZSTD_MAGIC, compression, open_file, unreadable
from corpusmill.schemas.archive_paths import is_member
from corpusmill.schemas.storage import is_url

_BGZF_HEAD: Final = struct.Struct("<4s6xH2sHH")
_BGZF_MAGIC: Final = b"\x1f\x8b\x08\x04"
_SKIPPABLE: Final = struct.Struct("<II")
_MAX_ZSTD_HEAD_BYTES: Final = 18
_REPEATED: Final = 1
_COMPRESSED: Final = 2


class FrameIndex(NamedTuple):
    """Offsets of the frames in the file, their positions in the decompressed bytes, and the decompressed size."""

    offsets: array[int]
    positions: array[int]
    size: int

    def slices(self) -> list[tuple[int, int]]:
        """Return slices of the decompressed bytes; each begins at the start of a frame."""
        step = slice_bytes(self.size)
        starts = [0]
        for position in self.positions:
            if position - starts[-1] >= step:
                starts.append(position)
        return list(zip(starts, [*starts[1:], self.size], strict=True))

    def frame_at(self, position: int) -> tuple[int, int]:
        """Return the offset in the file and the decompressed position of the frame that contains byte *position*."""
        index = max(0, bisect_right(self.positions, position) - 1)
        return self.offsets[index], self.positions[index]


def frame_index(path: str) -> FrameIndex | None:
    """Return the index of the compressed file at *path*, or None if it must be read as one stream.

    A file behind a URL is always read as one stream, because walking its headers would take thousands of requests; so
    is a member of an archive.

    Raises:
        SourceError: The file is missing or unreadable.
    """
    if is_url(path) or is_member(path):
        return None
    try:
        status = Path(path).stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return _frame_index(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)  # the tasks of a worker read slices of few files; size and time detect changed files
def _frame_index(path: str, size: int, modified_ns: int) -> FrameIndex | None:  # noqa: ARG001
    with open_file(path) as file:
        kind = compression(file.peek(MAGIC_BYTES))
        walk = {"gzip": _bgzf_blocks, "zstd": _zstd_frames}.get(kind or "")
        return None if walk is None else _collected(walk, file, size)


def _collected(
    walk: Callable[[int, int], Iterator[tuple[int, int] | None]], file: io.BufferedReader, size: int
) -> FrameIndex | None:
    offsets, positions, total = array("q"), array("q"), 0
    for frame in walk(file.fileno(), size):
        if frame is None:
            return None
        offset, unpacked = frame
        if unpacked:
            offsets.append(offset)
            positions.append(total)
            total += unpacked
    return FrameIndex(offsets, positions, total) if len(offsets) > 1 else None


def _bgzf_blocks(file: int, size: int) -> Iterator[tuple[int, int] | None]:
    """Yield the offset and the decompressed size of each block; end with None at an invalid block."""
    offset = 0
    head = os.pread(file, _BGZF_HEAD.size, 0)
    while offset < size:
        if len(head) < _BGZF_HEAD.size:
            yield None
            return
        magic, extra_bytes, name, name_bytes, block_bytes = _BGZF_HEAD.unpack(head)
        end = offset + block_bytes + 1
        if (magic, extra_bytes, name, name_bytes) != (_BGZF_MAGIC, 6, b"BC", 2) or end > size:
            yield None
            return
        tail = os.pread(file, 4 + _BGZF_HEAD.size, end - 4)
        yield offset, int.from_bytes(tail[:4], "little")
        offset, head = end, tail[4:]


def _zstd_frames(file: int, size: int) -> Iterator[tuple[int, int] | None]:
    """Yield the offset and the decompressed size of each frame; end with None at an invalid frame."""
    offset = 0
    while offset < size:
        head = os.pread(file, _MAX_ZSTD_HEAD_BYTES, offset)
        if head.startswith(ZSTD_MAGIC):
            content_size = _content_size(head)
            end = None if content_size is None else _zstd_end(file, offset, head)
        elif compression(head) == "zstd" and len(head) >= _SKIPPABLE.size:
            content_size, end = 0, offset + _SKIPPABLE.size + _SKIPPABLE.unpack_from(head)[1]
        else:
            content_size = end = None
        if content_size is None or end is None or end > size:
            yield None
            return
        yield offset, content_size
        offset = end


def _content_size(head: bytes) -> int | None:
    """Return the decompressed size in a frame's header; None if it has no size, or needs a dictionary."""
    try:
        params = zstandard.get_frame_parameters(head)
    except zstandard.ZstdError:
        return None
    is_known = params.content_size != zstandard.CONTENTSIZE_UNKNOWN and not params.dict_id
    return int(params.content_size) if is_known else None


def _zstd_end(file: int, offset: int, head: bytes) -> int | None:
    """Return the end of the frame at *offset*, from the headers of its blocks (RFC 8878 §3.1.1.2); None if invalid."""
    position = offset + zstandard.frame_header_size(head)
    is_last = False
    while not is_last:
        block = int.from_bytes(data := os.pread(file, 3, position), "little")
        is_last, kind, block_bytes = bool(block & 1), block >> 1 & 3, block >> 3
        if len(data) < 3 or kind > _COMPRESSED:
            return None
        position += 3 + (1 if kind == _REPEATED else block_bytes)
    return position + (4 if zstandard.get_frame_parameters(head).has_checksum else 0)
