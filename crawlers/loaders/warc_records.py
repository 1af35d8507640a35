"""The records of a web archive, however it is packed: WARC (plain, gzip, zstd) and ARC."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import BinaryIO, Final, cast

from fastwarc.warc import ArchiveIterator, WarcRecord

from corpusmill.crawlers.loaders import warc_frames
from corpusmill.crawlers.loaders.arc import arc_records
from corpusmill.crawlers.loaders.http_body import MAX_HEADER_BYTES, Response, parse_head
from corpusmill.crawlers.loaders.media import MAX_CONTENT_BYTES
from corpusmill.crawlers.loaders.streams import (
    BrokenStreamError,
    compression,
    file_size,
    open_decompressed,
    open_file,
    pieces,
)
from corpusmill.schemas.errors import DataError

_MAX_BLOCK_BYTES: Final = MAX_CONTENT_BYTES + MAX_HEADER_BYTES
_DOCUMENT_RECORDS: Final = frozenset({"response", "resource", "conversion"})
_USUAL_HEAD: Final = re.compile(rb"WARC/1\.[01]\r?\n((?:[A-Za-z-]+: [!-~](?:[ -~]*[!-~])?\r?\n)+)\r?\n")
_USUAL_ENDS: Final = (b"\r\n\r\n", b"\n\n")


@dataclass(frozen=True)
class Block:
    """What follows the headers of a record: the first bytes of it; where these are not all, the hash of all."""

    data: bytes | memoryview
    length: int
    is_short: bool = False
    hash_of_all: str | None = None

    @classmethod
    def read(cls, stream: BinaryIO, length: int, *, max_bytes: int) -> Block:
        """Read the *length* bytes that *stream* should have, and hold no more than *max_bytes* of them."""
        data = stream.read(min(length, max_bytes)) if length else b""
        if length <= max_bytes or len(data) < max_bytes:
            return cls(data, len(data), is_short=len(data) < length)
        digest, size = hashlib.sha256(data), len(data)
        for piece in pieces(stream, length=length - size):
            digest.update(piece)
            size += len(piece)
        return cls(data, size, is_short=size < length, hash_of_all=digest.hexdigest())


@dataclass(frozen=True)
class Record:
    """One record of an archive. `cut` is the reason why the crawler cut it, if it did."""

    type: str
    url: str
    date: str
    media_type: str
    cut: str
    block: Block
    offset: int
    length: int | None = None

    @cached_property
    def response(self) -> Response | None:
        """The head of what the server sent; none when this is no HTTP response."""
        return parse_head(self.block.data) if self.type == "response" else None


def layout(path: str) -> str:
    """Tell how the file at *path* is to be read: ``gzip``, ``plain``, ``zstd``, ``arc``, ``empty`` or ``unknown``."""
    with open_file(path) as file:
        packing = compression(file.peek(4)) or "plain"
    if packing == "zstd":
        return packing  # only its reader knows how to find the dictionary
    try:
        with open_decompressed(path) as stream:
            head = stream.read(16)
    except BrokenStreamError:
        return packing
    if head.startswith(b"WARC/"):
        return packing
    return "arc" if head.startswith(b"filedesc:") else "unknown" if head else "empty"


def records(path: str, *, start: int, end: int) -> Iterator[Record | warc_frames.Damage]:
    """Yield the records whose gzip member (in a plain file the record itself) begins in ``[start, end)``.

    A file that is packed in another way has all its records at 0. No more of a block is held than a document may have.

    Raises:
        SourceError: The file is missing or may not be read.
    """
    packing = layout(path)
    if packing in {"gzip", "plain"}:
        with open_file(path) as file:
            frames = warc_frames.gzip_frames if packing == "gzip" else warc_frames.plain_frames
            for item in frames(file, start=start, end=end):
                if isinstance(item, warc_frames.Damage):
                    yield item
                elif (record := _usual_record(item)) is not None:
                    yield record
                else:
                    yield from _records_of(item)
    elif start == 0 and end != 0:
        if packing == "zstd":
            yield from _records_of_zstd(path)
        elif packing == "arc":
            yield from _records_of_arc(path)
        elif packing == "unknown":
            yield replace(_all_of(path, "the file is not a web archive"), kind="not_warc")


def _usual_record(frame: warc_frames.Frame) -> Record | None:
    """Return the record of a frame that holds one as nearly all writers write it; none leaves it to FastWARC.

    That is: ASCII fields without folding or repetition, a length, and the end that the standard asks for. Lines may end
    in LF alone, as some archives have them.
    """
    data, length = frame.data, frame.length()
    if data is None or length is None or (head := _USUAL_HEAD.match(data, 0, MAX_HEADER_BYTES)) is None:
        return None
    lines = head[1].decode("ascii").splitlines()
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    size = fields.get("content-length", "")
    if len(fields) < len(lines) or not size.isdecimal() or int(size) > _MAX_BLOCK_BYTES:
        return None
    end = head.end() + int(size)
    if data[end:] not in _USUAL_ENDS:
        return None
    kind = fields.get("warc-type", "unknown").lower()
    block = memoryview(data)[head.end() : end] if kind in _DOCUMENT_RECORDS else b""
    return Record(
        type=kind,
        url=fields.get("warc-target-uri", "").removeprefix("<").removesuffix(">"),
        date=fields.get("warc-date", ""),
        media_type=fields.get("content-type", ""),
        cut=fields.get("warc-truncated", ""),
        block=Block(block, len(block)),
        offset=frame.offset,
        length=length,
    )


def _records_of(frame: warc_frames.Frame) -> Iterator[Record | warc_frames.Damage]:
    """Yield the records of *frame*; the last one only when the frame does not break off."""
    last: Record | None = None
    problem = ""
    try:
        for record in ArchiveIterator(frame.stream(), parse_http=False, stream_detect=False):
            if last is not None:
                yield last
            last = None
            last = _record(record, frame.offset)
    except (OSError, ValueError) as error:
        problem = str(error)
    length = frame.length()
    if length is None:
        return  # the damage itself follows
    if last is not None:
        yield replace(last, length=length)
    if problem:
        yield warc_frames.Damage(frame.offset, frame.offset + length, problem)


def _records_of_zstd(path: str) -> Iterator[Record | warc_frames.Damage]:
    problem = ""
    with open_file(path) as file:
        try:
            for record in ArchiveIterator(file, parse_http=False):
                yield _record(record, record.stream_pos)
        except (OSError, ValueError) as error:
            problem = str(error)
    if problem:
        yield _all_of(path, problem)


def _records_of_arc(path: str) -> Iterator[Record | warc_frames.Damage]:
    try:
        with open_decompressed(path) as stream:
            for found in arc_records(stream):
                block = Block.read(found.stream, found.length, max_bytes=_MAX_BLOCK_BYTES)
                yield Record("response", found.url, found.date, found.media_type, "", block, found.offset, found.length)
    except DataError as error:
        yield _all_of(path, error.message)


def _record(record: WarcRecord, offset: int) -> Record:
    headers = record.headers
    kind = (headers.get("WARC-Type") or "unknown").strip().lower()
    length = record.content_length if kind in _DOCUMENT_RECORDS else 0
    return Record(
        type=kind,
        url=(headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">"),
        date=headers.get("WARC-Date") or "",
        media_type=headers.get("Content-Type") or "",
        cut=headers.get("WARC-Truncated") or "",
        block=Block.read(cast(BinaryIO, record.reader), length, max_bytes=_MAX_BLOCK_BYTES),
        offset=offset,
    )


def _all_of(path: str, message: str) -> warc_frames.Damage:
    return warc_frames.Damage(0, file_size(path), message)
