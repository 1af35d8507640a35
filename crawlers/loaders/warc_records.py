"""Records of web archives: WARC (plain or compressed) and ARC."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, BinaryIO, Final

from fastwarc.stream_io import ZstdReader

from corpusmill.crawlers.loaders import warc_frames
from corpusmill.crawlers.loaders.arc import arc_records
from corpusmill.crawlers.loaders.http_body import MAX_HEADER_BYTES, Response, parse_head
from corpusmill.crawlers.loaders.media import MAX_CONTENT_BYTES
from corpusmill.crawlers.loaders.streams import (
    MAGIC_BYTES,
    BrokenStreamError,
    compression,
    file_size,
    open_decompressed,
    open_file,
    pieces,
)
from corpusmill.crawlers.loaders.warc_heads import Head, next_version_line, read_head
from corpusmill.crawlers.warc import LISTED_DATE, LISTED_TITLE, RENDERED_AS, ROLE_FIELD
from corpusmill.schemas.errors import DataError

_MAX_BLOCK_BYTES: Final = MAX_CONTENT_BYTES + MAX_HEADER_BYTES
_DOCUMENT_RECORDS: Final = frozenset({"response", "resource", "conversion"})
_HTTP: Final = "application/http"
_ZSTD_BUFFER_BYTES: Final = 1 << 18
_HEAD_BYTES: Final = 1_024
_ROLE_FIELD: Final = ROLE_FIELD.lower()
_LANGUAGES_FIELD: Final = "warc-identified-content-language"
_BLANK: Final = b"\r\n"
"""Lines before the first record are passed over, as those between records are."""
_USUAL_HEAD: Final = re.compile(rb"WARC/1\.[01]\r?\n((?:[A-Za-z-]+: [!-~](?:[ -~]*[!-~])?\r?\n)+)\r?\n")
_USUAL_ENDS: Final = (b"\r\n\r\n", b"\n\n")


@dataclass(frozen=True)
class Block:
    """The block after the headers of a record: its first bytes, and the hash of the whole block if it is longer."""

    data: bytes | memoryview
    length: int
    is_short: bool = False
    hash_of_all: str | None = None

    @classmethod
    def read(cls, stream: BinaryIO, length: int, *, max_bytes: int) -> Block:
        """Read *length* bytes of *stream*; keep at most *max_bytes* of them."""
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
    """One record of an archive.

    Args:
        cut: The reason why the crawler truncated it; empty if it did not.
        role: ``sitemap`` or ``feed`` if this crawler read it as one; otherwise empty.
        is_rendered: Whether a conversion takes the place of this response (`crawlers.rendering`).
        languages: The languages of the text that the crawler identified, separated by commas, most of it first.
        listed_date: The date of publication in a news sitemap; empty if the crawl found none. So is `listed_title`.
    """

    type: str
    url: str
    date: str
    media_type: str
    cut: str
    block: Block
    offset: int
    length: int | None = None
    role: str = ""
    is_rendered: bool = False
    languages: str = ""
    listed_date: str = ""
    listed_title: str = ""

    @cached_property
    def response(self) -> Response | None:
        """The head of the HTTP response, or of the conversion of one; None if the record is neither."""
        is_response = self.type == "response" or (self.type == "conversion" and self.media_type.startswith(_HTTP))
        return parse_head(self.block.data) if is_response else None


def layout(path: str) -> str:
    """Detect how to read the file at *path*.

    ``gzip``, ``plain``, ``bzip2``, ``xz`` or ``zstd`` for a WARC file, else ``arc``, ``empty`` or ``unknown``.
    """
    with open_file(path) as file:
        packing = compression(file.peek(MAGIC_BYTES)) or "plain"
    if packing == "zstd":
        return packing  # only the WARC reader can find the dictionary
    try:
        with open_decompressed(path) as stream:
            head = stream.read(_HEAD_BYTES).lstrip(_BLANK)
    except BrokenStreamError:
        return packing
    if head.startswith(b"WARC/"):
        return packing
    return "arc" if head.startswith(b"filedesc:") else "unknown" if head else "empty"


def records(path: str, *, start: int, end: int) -> Iterator[Record | warc_frames.Damage]:
    """Yield the records whose gzip member (in a plain file, the record itself) begins in ``[start, end)``.

    In a file with another compression, all records belong to the slice that begins at 0. At most the size limit of a
    document is kept of each block.

    Raises:
        SourceError: The file is missing or unreadable.
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
        if packing in {"zstd", "bzip2", "xz"}:
            yield from _records_of_stream(path, packing)
        elif packing == "arc":
            yield from _records_of_arc(path)
        elif packing == "unknown":
            yield _all_of(path, DataError("the file is not a web archive", kind="not_warc"))


def _usual_record(frame: warc_frames.Frame) -> Record | None:
    """Parse a frame with one record in the usual form; return None to leave other forms to the lenient reader.

    The usual form has ASCII fields without folding or repetition, a length, and the end that the standard requires.
    Lines can end in LF alone, as in some archives.
    """
    data, length = frame.data, frame.length()
    if data is None or length is None or (head := _USUAL_HEAD.match(data, 0, MAX_HEADER_BYTES)) is None:
        return None
    lines = head[1].decode("ascii").splitlines()
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    size = fields.get("content-length", "")
    if len(fields) < len(lines) or not size.isdecimal() or len(size) > 18 or int(size) > _MAX_BLOCK_BYTES:
        return None
    end = head.end() + int(size)
    if data[end:] not in _USUAL_ENDS:
        return None
    kind = fields.get("warc-type", "unknown").lower()
    block = memoryview(data)[head.end() : end] if kind in _DOCUMENT_RECORDS else b""
    return _record_of(kind, fields, Block(block, len(block)), offset=frame.offset, length=length)


def _records_of(frame: warc_frames.Frame) -> Iterator[Record | warc_frames.Damage]:
    """Yield the records of *frame*, but the last one only if the frame is complete.

    All unreadable parts of the frame are reported as one damage, after the records.
    """
    last: Record | None = None
    problem: DataError | None = None
    for item in _read_records(frame.stream(), offset=frame.offset):
        if isinstance(item, DataError):
            problem = problem or item
            continue
        if last is not None:
            yield last
        last = item
    length = frame.length()
    if length is None:
        return  # the caller reports the damage
    if last is not None:
        yield replace(last, length=length)
    if problem is not None:
        yield warc_frames.Damage(frame.offset, frame.offset + length, problem.message, problem.kind)


def _records_of_stream(path: str, packing: str) -> Iterator[Record | warc_frames.Damage]:
    """Yield the records of a file that is compressed as one stream, with offsets in the decompressed bytes."""
    problem: DataError | None = None
    try:
        with _open_zstd(path) if packing == "zstd" else open_decompressed(path) as stream:
            for item in _read_records(stream):
                if isinstance(item, DataError):
                    problem = problem or item
                else:
                    yield item
    except BrokenStreamError as error:
        problem = error
    if problem is not None:
        yield _all_of(path, problem)


def _open_zstd(path: str) -> BinaryIO:
    """Open a file of zstd frames that can begin with a dictionary, as in WARC files."""
    return io.BufferedReader(_Zstd(open_file(path)), _ZSTD_BUFFER_BYTES)


class _Zstd(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reader = ZstdReader(file)
        self._position = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._reader.read(len(buffer))
        except OSError as error:
            raise BrokenStreamError(f"the zstd stream is damaged or ends in the middle: {error}") from error
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _read_records(stream: BinaryIO, *, offset: int | None = None) -> Iterator[Record | DataError]:
    """Yield the records of *stream* and the errors between them; after an error, reading resumes at a version line.

    The offset of a record is *offset*, or its position in *stream* if that is None.
    """
    while True:
        line, garbage = next_version_line(stream)
        if garbage is not None:
            yield DataError(garbage, kind="not_warc")
        if not line:
            return
        position = stream.tell() - len(line) if offset is None else offset
        try:
            head = read_head(stream)
        except DataError as error:
            yield error
        else:
            yield _record(head, stream, position)


def _records_of_arc(path: str) -> Iterator[Record | warc_frames.Damage]:
    problem: DataError | None = None
    with open_file(path) as file:
        packing = compression(file.peek(MAGIC_BYTES))
    try:
        with open_file(path) if packing in (None, "gzip") else open_decompressed(path) as file:
            for item in arc_records(file, is_packed=packing == "gzip"):
                if isinstance(item, DataError):
                    problem = problem or item
                    continue
                block = Block.read(item.stream, item.length, max_bytes=_MAX_BLOCK_BYTES)
                yield Record("response", item.url, item.date, item.media_type, "", block, item.offset, item.length)
    except BrokenStreamError as error:
        problem = error
    if problem is not None:
        yield _all_of(path, problem)


def _record(head: Head, stream: BinaryIO, offset: int) -> Record:
    """Return the record with *head* and the block that follows in *stream*; blocks of other records are skipped."""
    kind = head.fields.get("warc-type", "unknown").lower()
    if kind in _DOCUMENT_RECORDS:
        block = Block.read(stream, head.length, max_bytes=_MAX_BLOCK_BYTES)
    else:
        block = Block(b"", 0, is_short=sum(map(len, pieces(stream, length=head.length))) < head.length)
    return _record_of(kind, head.fields, block, offset=offset)


def _record_of(kind: str, fields: dict[str, str], block: Block, *, offset: int, length: int | None = None) -> Record:
    return Record(
        type=kind,
        url=fields.get("warc-target-uri", "").removeprefix("<").removesuffix(">"),
        date=fields.get("warc-date", ""),
        media_type=fields.get("content-type", ""),
        cut=fields.get("warc-truncated", ""),
        block=block,
        offset=offset,
        length=length,
        role=fields.get(_ROLE_FIELD, ""),
        is_rendered=RENDERED_AS.lower() in fields,
        languages=fields.get(_LANGUAGES_FIELD, ""),
        listed_date=fields.get(LISTED_DATE.lower(), ""),
        listed_title=fields.get(LISTED_TITLE.lower(), ""),
    )


def _all_of(path: str, problem: DataError) -> warc_frames.Damage:
    return warc_frames.Damage(0, file_size(path), problem.message, problem.kind)
