"""Frames of a WARC file: sections that can be read separately, and the damage between them.

A file of gzip members (one per record, as the standard requires) can be read from the middle. The start of a member is
*proven* if intact members follow each other from it for more than 65,535 bytes, or to the end of the file. This cannot
happen inside another member: a deflate stream contains payload bytes unchanged only in stored blocks of at most 65,535
bytes, each with a header of five bytes (RFC 1951 §3.2.4), so a chain of archived members would be interrupted. A slice
``[start, end)`` reads from the first proven start at or after `start` to the first proven start at or after `end`.
Adjacent slices neither miss nor repeat a record, and after damage reading resumes at the next proven start.

In an uncompressed file, the headers contain the lengths of records; the file is walked from its beginning by seeking.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, Final, NamedTuple

from isal import isal_zlib
from isal.igzip_lib import IsalError

from corpusmill.schemas.errors import DataError

MEMBER_MAGIC: Final = b"\x1f\x8b\x08"
_RECORD_MAGIC: Final = b"WARC/"
MAX_HELD_BYTES: Final = 8 << 20
"""A larger member (decompressed) is read as a stream."""
_UNUSUAL_FLAGS: Final = 0b1110_0010
_MAX_STORED_BLOCK: Final = 65_535
_MAX_PROOF_BYTES: Final = 1 << 32
"""A larger member (decompressed) does not count as proof, so that a decompression bomb cannot stall the search."""
_PIECE_BYTES: Final = 1 << 14
_OUTPUT_BYTES: Final = 1 << 20
_SCAN_BYTES: Final = 1 << 20
_MAX_HEADER_BYTES: Final = 1 << 16
_HEADER: Final = re.compile(rb"WARC/\d\.\d+\r?\n.*?\r?\n\r?\n", re.DOTALL)
_LENGTH: Final = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_NEXT: Final = re.compile(rb"\nWARC/[01]\.\d")


class Frame(NamedTuple):
    """A section of the file from *offset*, with one or more records.

    `data` is the whole decompressed frame, or None if it is long; `stream` opens it in both cases. `length` returns the
    frame's length in the file, after `stream` was read to its end; None means that the frame is incomplete, so its last
    record cannot be trusted.
    """

    offset: int
    data: bytes | None
    stream: Callable[[], BinaryIO]
    length: Callable[[], int | None]


@dataclass(frozen=True)
class Damage:
    """A section ``[offset, end)`` of the file that cannot be read."""

    offset: int
    end: int
    message: str
    kind: str = "truncated"


def gzip_frames(file: BinaryIO, *, start: int, end: int) -> Iterator[Frame | Damage]:
    """Yield the gzip members of *file* in the slice ``[start, end)``, and the damage between them.

    A member that does not begin with a record continues the member before it.
    """
    size = file.seek(0, io.SEEK_END)
    position = proven_start(file, start, size=size)
    stop = size if end < 0 else proven_start(file, end, size=size)
    member = Member(file, position)
    while position < stop:
        chain = _Chain(file, member, position)
        yield chain.frame()
        while chain.read(_OUTPUT_BYTES):
            continue
        if (length := chain.length()) is not None:
            position, member = position + length, chain.following
            continue
        after = proven_start(file, position + 1, size=size)
        if not _is_blank(file, position, after):
            yield Damage(position, after, chain.problem)
        position, member = after, Member(file, after)


def plain_frames(file: BinaryIO, *, start: int, end: int) -> Iterator[Frame | Damage]:
    """Yield the records of the uncompressed *file* that begin in ``[start, end)``, and the damage between them."""
    size = file.seek(0, io.SEEK_END)
    position = 0
    while position < size and (end < 0 or position < end):
        after, problem = _next_record(file, position, size)
        if position >= start:
            if problem is None:
                yield _section(file, position, after)
            elif not _is_blank(file, position, after):
                yield Damage(position, after, problem.message, problem.kind)
        position = after


def proven_start(file: BinaryIO, position: int, *, size: int) -> int:
    """Return the first proven start of a member at or after *position*, or *size* (of the file) if there is none."""
    if position <= 0:
        return 0
    disproved: set[int] = set()
    for candidate in _candidates(file, position, size):
        if candidate not in disproved and _is_proven(file, candidate, size, disproved):
            return candidate
    return size


def slices(file: BinaryIO, cuts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return *cuts* moved to proven starts, without empty slices."""
    size = file.seek(0, io.SEEK_END)
    starts = [0]
    for cut, _ in cuts[1:]:
        if cut > starts[-1] and (start := proven_start(file, cut, size=size)) > starts[-1]:
            starts.append(start)
    return [(start, end) for start, end in zip(starts, [*starts[1:], size], strict=True) if start < size or size == 0]


def _candidates(file: BinaryIO, position: int, size: int) -> Iterator[int]:
    while position < size:
        file.seek(position)
        block = file.read(_SCAN_BYTES)
        index = block.find(MEMBER_MAGIC)
        while index >= 0:
            yield position + index
            index = block.find(MEMBER_MAGIC, index + 1)
        position += max(1, len(block) - len(MEMBER_MAGIC) + 1)


def _is_proven(file: BinaryIO, candidate: int, size: int, disproved: set[int]) -> bool:
    position: int | None = candidate
    while position is not None and position < size and position - candidate <= _MAX_STORED_BLOCK:
        disproved.add(position)  # if this chain breaks, the chains that begin inside it break too
        position = _end_of_member(file, position)
    return position is not None


def _is_blank(file: BinaryIO, start: int, end: int) -> bool:
    """Return whether ``[start, end)`` contains only white space and zeros."""
    file.seek(start)
    while start < end and (piece := file.read(min(_SCAN_BYTES, end - start))):
        if piece.strip(b"\0 \t\r\n"):
            return False
        start += len(piece)
    return True


def _end_of_member(file: BinaryIO, position: int) -> int | None:
    """Return the end of the member at *position*; None if it is damaged or does not begin with a record."""
    member = Member(file, position, at_once=False)  # reads only a few bytes of a false candidate
    if member.head != _RECORD_MAGIC:
        return None
    if (whole := _whole_member(file, position)) is not None:
        return whole[1]
    size = 0
    while (piece := member.read(_OUTPUT_BYTES)) and size < _MAX_PROOF_BYTES:
        size += len(piece)
    return member.end


class Member:
    """The gzip member at *offset* and its first bytes; after reading, `end` or `problem` tells whether it is intact.

    With *at_once*, an intact and short member is decompressed at once with ISA-L. Damaged or long members are left to
    zlib, which reports the error and returns the bytes before it.
    """

    def __init__(self, file: BinaryIO, offset: int, *, at_once: bool = True) -> None:
        self._file = file
        self._fed = offset
        self._input = b""
        self._is_full = False
        self.end: int | None = None
        self.problem = ""
        self._unread = b""
        if at_once and (whole := _whole_member(file, offset)) is not None:
            self._unread, self.end = whole
        else:
            self._decoder = zlib.decompressobj(wbits=31)
            self._unread = self.read(len(_RECORD_MAGIC))
        self.head = self._unread[: len(_RECORD_MAGIC)]

    def read(self, size: int) -> bytes:
        """Return *size* bytes, or fewer if the member ends or is damaged; then `end` or `problem` is set."""
        held, self._unread = self._unread[:size], self._unread[size:]
        if len(held) == size or self.end is not None:
            return held
        parts = [held]
        size -= len(held)
        while size > 0 and not self._is_over():
            output = self._next(min(size, _OUTPUT_BYTES))
            parts.append(output)
            size -= len(output)
        return b"".join(parts)

    def _is_over(self) -> bool:
        return self.end is not None or bool(self.problem)

    def _next(self, size: int) -> bytes:
        if not self._input and not self._is_full:
            self._file.seek(self._fed)
            self._input = self._file.read(_PIECE_BYTES)
            self._fed += len(self._input)
            if not self._input:
                self.problem = "the gzip stream ends in the middle"
                return b""
        try:
            output = self._decoder.decompress(self._input, size)
        except zlib.error as error:
            self.problem = f"the gzip stream is damaged: {error}"
            return b""
        self._is_full = len(output) == size
        self._input = self._decoder.unconsumed_tail
        if self._decoder.eof:
            self.end = self._fed - len(self._decoder.unused_data)
        return output


def _whole_member(file: BinaryIO, offset: int) -> tuple[bytes, int] | None:
    """Decompress the gzip member at *offset* and return it with its end; None unless it is intact and short.

    Members with a header checksum or reserved flags (RFC 1952) are left to zlib, which checks them.
    """
    file.seek(offset)
    fed = offset
    head = file.read(4)
    if not head.startswith(MEMBER_MAGIC) or len(head) < 4 or head[3] & _UNUSUAL_FLAGS:
        return None
    file.seek(offset)
    decoder = isal_zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    room = MAX_HELD_BYTES + 1
    while not decoder.eof:
        if not (data := decoder.unconsumed_tail):
            data = file.read(_PIECE_BYTES)
            fed += len(data)
        try:
            parts.append(decoder.decompress(data, room))
        except IsalError:  # type: ignore[misc]  # its stub declares a variable
            return None
        room -= len(parts[-1])
        if not data or room <= 0:
            return None
    return b"".join(parts) if len(parts) > 1 else parts[0], fed - len(decoder.unused_data)


class _Chain:
    """A member and the members that continue its last record; `following` is the first one that does not."""

    def __init__(self, file: BinaryIO, member: Member, position: int) -> None:
        self._file = file
        self._position = position
        self._member = member
        self.following = member

    @property
    def problem(self) -> str:
        return self._member.problem

    def frame(self) -> Frame:
        """Return the chain as a frame; a short chain is kept in memory."""
        head = self.read(MAX_HELD_BYTES + 1)
        if len(head) <= MAX_HELD_BYTES:
            return Frame(self._position, head, partial(io.BytesIO, head), self.length)
        return Frame(self._position, None, lambda: io.BufferedReader(_Joined(head, self)), self.length)

    def length(self) -> int | None:
        """Return the chain's length in the file; None if it was not read to its end, or is damaged."""
        return None if self._member.end is None or self._member is self.following else self._member.end - self._position

    def read(self, size: int) -> bytes:
        """Return *size* bytes, or fewer if the chain ends or is damaged."""
        data = self._member.read(size)
        while len(data) < size and self._continues():
            data += self._member.read(size - len(data))
        return data

    def _continues(self) -> bool:
        if self._member.end is None or self._member is not self.following:
            return False
        self.following = Member(self._file, self._member.end)
        if self.following.problem or self.following.head == _RECORD_MAGIC:
            return False
        self._member = self.following
        return True


class _Joined(io.RawIOBase):
    """A stream over the part of a chain that was already read, then the rest."""

    def __init__(self, head: bytes, chain: _Chain) -> None:
        self._head = io.BytesIO(head)
        self._chain = chain
        self._position = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position  # FastWARC calls this, though it never seeks

    def readinto(self, buffer: Any) -> int:
        data = self._head.read(len(buffer)) or self._chain.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _next_record(file: BinaryIO, position: int, size: int) -> tuple[int, DataError | None]:
    """Return the end of the record at *position*, or the next possible start and the error if there is no record."""
    file.seek(position)
    header = _HEADER.match(head := file.read(_MAX_HEADER_BYTES))
    length = _LENGTH.search(header[0]) if header else None
    if header is None or length is None or position + len(header[0]) + int(length[1]) > size:
        return _search(file, position, size), _problem(head, header, length, is_last=position + len(head) == size)
    end = position + len(header[0]) + int(length[1])
    rest = head[end - position : end - position + 4]
    if len(rest) < 4:
        file.seek(end)
        rest = file.read(4)
    return end + len(rest) - len(rest.lstrip(b"\r\n")), None


def _problem(
    head: bytes, header: re.Match[bytes] | None, length: re.Match[bytes] | None, *, is_last: bool
) -> DataError:
    """Return the error for *head*, at which no record can be read."""
    if not head.startswith(_RECORD_MAGIC):
        return DataError(f"no WARC record begins with {head[:40]!r}", kind="not_warc")
    if header is None:
        if is_last:
            return DataError("the file ends in the header of a record", kind="truncated")
        return DataError(f"the header of the record has no end within {_MAX_HEADER_BYTES:,} bytes", kind="bad_header")
    if length is None:
        return DataError("the header of the record has no Content-Length", kind="bad_header")
    return DataError("the file ends before the record does", kind="truncated")


def _search(file: BinaryIO, position: int, size: int) -> int:
    """Return the next offset after *position* at which a record can begin."""
    while position < size:
        file.seek(position)
        block = file.read(_SCAN_BYTES)
        if not block:
            break  # the file became shorter
        if match := _NEXT.search(block):
            return position + match.start() + 1
        position += max(1, len(block) - 8)
    return size


def _section(file: BinaryIO, start: int, end: int) -> Frame:
    """Return the record in ``[start, end)`` of an uncompressed file as a frame; a short record is kept in memory."""
    length = partial(int, end - start)
    if end - start > MAX_HELD_BYTES:
        return Frame(start, None, lambda: io.BufferedReader(_Section(file, start, end)), length)
    file.seek(start)
    data = file.read(end - start)
    return Frame(start, data, partial(io.BytesIO, data), length)


class _Section(io.RawIOBase):
    """The bytes ``[start, end)`` of a file."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._start, self._position, self._end = file, start, start, end

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position - self._start

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._position)
        data = self._file.read(min(len(buffer), self._end - self._position))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
