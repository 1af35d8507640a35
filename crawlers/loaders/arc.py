"""ARC files, the format of web archives before WARC.

A record is a header line of fields separated by spaces, followed by a block; the last field is the length of the block.
Version 1 has URL, IP address, date, media type and length; version 2 adds result code, checksum, location, offset and
file name before the length. A gzip member contains one record, as written by crawlers, or all records.
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
_URL: Final = re.compile(rb"(?:https?|ftp|dns):\S+ ")
_HEAD: Final = re.compile(
    rb"(?P<url>\S.*?) +(?P<ip>[0-9A-Fa-f:.]+|-) +(?P<date>\d{8,14}) +(?P<type>\S.*?)"
    rb"(?: +(?:\d{3}|-) +\S+ +\S+ +(?:\d+|-) +\S+)? +(?P<length>\d{1,18})\s*"
)
_OWN_HEADER: Final = b"filedesc:"
_BLANK: Final = b"\0 \t\r\n"


@dataclass(frozen=True)
class ArcRecord:
    """A record of an ARC file: the fields of its header line, and a stream with the server's response."""

    url: str
    date: str
    media_type: str
    stream: BinaryIO
    length: int
    offset: int


def arc_records(file: BinaryIO, *, is_packed: bool) -> Iterator[ArcRecord | DataError]:
    """Yield the records of the ARC *file*, except its file header, and the errors between them.

    The caller must read the stream of a record to its length before the next record is requested.
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
    """Yield the records of *stream* and the errors between them; after an error, reading resumes at the next header.

    The offset of a record is *offset*, or its position in *stream* if that is None.
    """
    is_reported = is_in_own_header = False
    while line := stream.readline(_MAX_LINE_BYTES):
        if not line.strip(_BLANK):
            continue
        if line.startswith(_OWN_HEADER):
            is_reported = is_in_own_header = (
                True  # skip the file header up to the next record, because its length is often wrong
            )
            continue
        head = _HEAD.fullmatch(line)
        if head is None:
            if not is_reported or (is_in_own_header and _URL.match(line)):
                yield DataError(f"no ARC record begins with {line[:40]!r}", kind="bad_header")
                is_in_own_header = False
            is_reported = True
            continue
        is_reported = is_in_own_header = False
        position = stream.tell() - len(line) if offset is None else offset
        url, date, kind = (head[name].decode("utf-8", "replace") for name in ("url", "date", "type"))
        yield ArcRecord(url, date, kind, stream, int(head["length"]), position)


class _MemberStream(io.RawIOBase):
    def __init__(self, member: Member) -> None:
        self._member = member

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._member.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
