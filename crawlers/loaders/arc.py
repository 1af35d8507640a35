"""ARC files, the form of web archives before WARC, read with warcio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from corpusmill.schemas.errors import DataError


@dataclass(frozen=True)
class ArcRecord:
    """A record of an ARC file: what the server sent, and the line that introduces it."""

    url: str
    date: str
    media_type: str
    stream: BinaryIO
    length: int
    offset: int


def arc_records(stream: BinaryIO) -> Iterator[ArcRecord]:
    """Give the records of the (decompressed) ARC file *stream*, without its own header.

    Raises:
        DataError: ``truncated``: from here on nothing can be read.
    """
    records = ArchiveIterator(stream, no_record_parse=True)
    try:
        for record in records:
            if record.rec_type != "arc_header":
                yield _arc_record(record.rec_headers, record.raw_stream, offset=records.offset)
    except (ArchiveLoadFailed, ValueError, OSError) as error:
        raise DataError(f"not a whole ARC file: {error}", kind="truncated") from error


def _arc_record(headers: object, stream: BinaryIO, *, offset: int) -> ArcRecord:
    fields = dict(headers.headers)  # type: ignore[attr-defined]  # warcio has no types
    length = fields.get("length", "")
    return ArcRecord(
        url=fields.get("uri", ""),
        date=fields.get("archive-date", ""),
        media_type=fields.get("content-type", ""),
        stream=stream,
        length=int(length) if length.isdecimal() else 0,
        offset=offset,
    )
