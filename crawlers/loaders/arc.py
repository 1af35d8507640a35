"""ARC files, the form of web archives before WARC.

A record is a line with spaces between its fields, and a block of the length that stands last in it. Version 1 names
URL, IP address, date, media type and length; version 2 result code, checksum, location, offset and file name before the
length. A gzip member holds one record, as crawlers wrote them, or all of them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from corpusmill.crawlers.loaders.warc_frames import Member
from corpusmill.schemas.errors import DataError

_MAX_LINE_BYTES: Final = 1 << 16
_HEAD: Final = re.compile(
    rb"(?P<url>\S.*?) +(?P<ip>[0-9A-Fa-f:.]+|-) +(?P<date>\d{8,14}) +(?P<type>\S.*?)"
    rb"(?: +(?:\d{3}|-) +\S+ +\S+ +(?:\d+|-) +\S+)? +(?P<length>\d{1,18})\s*"
)
_OWN_HEADER: Final = b"filedesc:"
_BLANK: Final = b"\0 \t\r\n"


@dataclass(frozen=True)
class ArcRecord:
    """A record of an ARC file: what the server sent, and the line that introduces it; *offset* is its place."""

    url: str
    date: str
    media_type: str
    stream: BinaryIO
    length: int
    offset: int


def arc_records(file: BinaryIO, *, is_packed: bool) -> Iterator[ArcRecord | DataError]:
    """Yield the records of the ARC *file*, without its own header, and what is wrong between them.

    The stream of a record has to be read to its length before the next one is asked for.
    """
    if not is_packed:
        yield from _records(file, None)
        return
    size = file.seek(0, io.SEEK_END)
    position = 0
    while position < size:
        member = Member(file, position)
        stream = io.BufferedReader(_MemberStream(member))
        yield from _records(stream, position)
        if member.end is None:
            file.seek(position)
            if file.read(_MAX_LINE_BYTES).strip(_BLANK):
                yield DataError(member.problem, kind="truncated")
            return
        position = member.end


def _records(stream: BinaryIO, offset: int | None) -> Iterator[ArcRecord | DataError]:
    """Yield the records of *stream*, at *offset* or where they lie in it; reading takes up again at the next head."""
    is_reported = False
    while line := stream.readline(_MAX_LINE_BYTES):
        if not line.strip(_BLANK):
            continue
        if line.startswith(_OWN_HEADER):
            is_reported = True  # what follows is the file's own: up to the next head, because its length is often wrong
            continue
        head = _HEAD.fullmatch(line)
        if head is None:
            if not is_reported:
                yield DataError(f"no ARC record begins with {line[:40]!r}", kind="bad_header")
            is_reported = True
            continue
        is_reported = False
        place = stream.tell() - len(line) if offset is None else offset
        url, date, kind = (head[name].decode("utf-8", "replace") for name in ("url", "date", "type"))
        yield ArcRecord(url, date, kind, stream, int(head["length"]), place)


class _MemberStream(io.RawIOBase):
    def __init__(self, member: Member) -> None:
        self._member = member

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._member.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
