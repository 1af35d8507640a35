"""Web archives: WARC (plain, gzip, zstd) and ARC.

A 200 response with a page or text is a document, as are resources and the texts of WET files. Everything else is
counted by kind (`Warc.count`), except that a 200 response or resource of another type is offered under
``error.not_text``.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, cast
from urllib.parse import urlsplit

import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecord

from corpusmill.crawlers.loaders import warc_frames
from corpusmill.crawlers.loaders.arc import arc_records
from corpusmill.crawlers.loaders.base import Loader, Offers, cuts
from corpusmill.crawlers.loaders.http_body import MAX_HEADER_BYTES, Response, decoded_body, parse_head
from corpusmill.crawlers.loaders.media import (
    DOCUMENT_TYPES,
    HEAD_BYTES,
    MAX_CONTENT_BYTES,
    decode,
    is_binary,
    looks_like_html,
)
from corpusmill.crawlers.loaders.rows import timestamp
from corpusmill.crawlers.loaders.streams import (
    BrokenStreamError,
    compression,
    open_decompressed,
    open_file,
    pieces,
    sha256_of,
)
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.identity import capture_hash
from corpusmill.schemas.urls import canonical_url

_MAX_BLOCK_BYTES: Final = MAX_CONTENT_BYTES + MAX_HEADER_BYTES
_DOCUMENT_RECORDS: Final = frozenset({"response", "resource", "conversion"})
_KINDS: Final = {3: "redirect", 4: "client_error", 5: "server_error"}


class Warc(Loader):
    """Pages of a web archive; `offset` and `length` are those of the gzip member, in a plain file of the record."""

    suffixes: ClassVar[tuple[str, ...]] = (
        *(f".{kind}{packed}" for kind in ("warc", "warc.wet", "wet") for packed in ("", ".gz", ".zst")),
        ".arc",
        ".arc.gz",
    )
    depends: ClassVar[tuple[str, ...]] = ("FastWARC", "warcio", "charset-normalizer")

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Give slices that begin where a gzip member does; of a plain file by size; one otherwise."""
        match _layout(path):
            case "gzip":
                with open_file(path) as file:
                    return warc_frames.slices(file, cuts(path))
            case "plain":
                return cuts(path)
            case _:
                return [(0, -1)]

    def read(
        self,
        path: str,
        *,
        name: str,
        start: int = 0,
        end: int = -1,
    ) -> Iterator[pa.RecordBatch]:
        """Give the documents whose gzip member (record in a plain file) begins in ``[start, end)``."""
        offers = Offers()
        for item in _records(path, start=start, end=end, max_bytes=_MAX_BLOCK_BYTES):
            if (offer := _broken(path, item) if isinstance(item, warc_frames.Damage) else _offer(item)) is not None:
                yield from offers.add(**offer)
        yield from offers.rest()

    def count(self, path: str) -> dict[str, int]:
        """Give the records that are no documents by kind: requests, robots, redirects, …; reads the whole file."""
        kinds = Counter(
            kind
            for item in _records(path, start=0, end=-1, max_bytes=HEAD_BYTES)
            if not isinstance(item, warc_frames.Damage) and (kind := _kind(item)) is not None
        )
        return dict(sorted(kinds.items()))


@dataclass(frozen=True)
class Block:
    """What follows the headers of a record: the first bytes of it; where these are not all, the hash of all."""

    data: bytes
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


def _layout(path: str) -> str:
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


def _records(path: str, *, start: int, end: int, max_bytes: int) -> Iterator[Record | warc_frames.Damage]:
    layout = _layout(path)
    if layout in {"gzip", "plain"}:
        with open_file(path) as file:
            frames = warc_frames.gzip_frames if layout == "gzip" else warc_frames.plain_frames
            for item in frames(file, start=start, end=end):
                if isinstance(item, warc_frames.Damage):
                    yield item
                else:
                    yield from _records_of(item, max_bytes=max_bytes)
    elif start == 0 and end != 0:
        if layout == "zstd":
            yield from _records_of_zstd(path, max_bytes=max_bytes)
        elif layout == "arc":
            yield from _records_of_arc(path, max_bytes=max_bytes)
        elif layout == "unknown":
            yield replace(_all_of(path, "the file is no web archive"), kind="not_warc")


def _records_of(frame: warc_frames.Frame, *, max_bytes: int) -> Iterator[Record | warc_frames.Damage]:
    """Give the records of *frame*; the last one only when the frame does not break off."""
    last: Record | None = None
    problem = ""
    try:
        for record in ArchiveIterator(frame.stream, parse_http=False, stream_detect=False):
            if last is not None:
                yield last
            last = None
            last = _record(record, frame.offset, max_bytes=max_bytes)
    except (OSError, ValueError) as error:
        problem = str(error)
    length = frame.length()
    if length is None:
        return  # the damage itself follows
    if last is not None:
        yield replace(last, length=length)
    if problem:
        yield warc_frames.Damage(frame.offset, frame.offset + length, problem)


def _records_of_zstd(path: str, *, max_bytes: int) -> Iterator[Record | warc_frames.Damage]:
    problem = ""
    with open_file(path) as file:
        try:
            for record in ArchiveIterator(file, parse_http=False):
                yield _record(record, record.stream_pos, max_bytes=max_bytes)
        except (OSError, ValueError) as error:
            problem = str(error)
    if problem:
        yield _all_of(path, problem)


def _records_of_arc(path: str, *, max_bytes: int) -> Iterator[Record | warc_frames.Damage]:
    try:
        with open_decompressed(path) as stream:
            for found in arc_records(stream):
                block = Block.read(found.stream, found.length, max_bytes=max_bytes)
                yield Record("response", found.url, found.date, found.media_type, "", block, found.offset, found.length)
    except DataError as error:
        yield _all_of(path, error.message)


def _record(record: WarcRecord, offset: int, *, max_bytes: int) -> Record:
    headers = record.headers
    kind = (headers.get("WARC-Type") or "unknown").strip().lower()
    length = record.content_length if kind in _DOCUMENT_RECORDS else 0
    return Record(
        type=kind,
        url=(headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">"),
        date=headers.get("WARC-Date") or "",
        media_type=headers.get("Content-Type") or "",
        cut=headers.get("WARC-Truncated") or "",
        block=Block.read(cast(BinaryIO, record.reader), length, max_bytes=max_bytes),
        offset=offset,
    )


def _all_of(path: str, message: str) -> warc_frames.Damage:
    return warc_frames.Damage(0, Path(path).stat().st_size, message)


def _kind(record: Record) -> str | None:
    """Give the kind under which *record* is counted; none when it is offered as a document."""
    if record.type == "conversion":
        return None
    if record.type == "resource":
        return "metadata" if record.url.startswith("metadata:") else None
    if record.type != "response":
        return record.type
    if record.response is None:
        return "not_http"
    if _path(record.url) == "/robots.txt":
        return "robots"
    return None if record.response.status == 200 else _KINDS.get(record.response.status // 100, "other_status")


def _path(url: str) -> str:
    """Give the path of *url*; empty when it is no address, such as ``http://[bad/``."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _offer(record: Record) -> dict[str, Any] | None:
    """Give the columns of `OFFER` for *record*; none when it is not a document, but counted."""
    if _kind(record) is not None:
        return None
    digest = None
    try:
        if record.block.is_short:
            raise DataError("the record ends before its length", kind="truncated")
        if record.block.hash_of_all:
            raise DataError(
                f"the record has {record.block.length:,} bytes, too many for one document", kind="too_large"
            )
        media_type, body = _body(record)
        digest = capture_hash(body)
        found = _content(record, media_type, body)
    except DataError as error:
        digest = digest or record.block.hash_of_all or capture_hash(record.block.data)
        found = {"rule": error.rule, "message": error.message}
    return {
        "source_id": _source_id(record.url) or digest,
        "record_sha256": digest,
        "url": record.url or None,
        "fetched_at": _time(record.date),
        "metadata": {"warc_truncated": record.cut} if record.cut else None,
        "offset": record.offset,
        "length": record.length,
    } | found


def _body(record: Record) -> tuple[str, bytes]:
    """Give the media type, with its parameters, and the decoded body of *record*."""
    block, response = record.block.data, record.response
    if response is None:
        return record.media_type, block
    body = decoded_body(block[response.head_bytes :], response, max_bytes=MAX_CONTENT_BYTES)
    return response.headers.get("content-type", ""), body


def _content(record: Record, media_type: str, body: bytes) -> dict[str, Any]:
    """Give the columns that hold the document.

    Raises:
        DataError: ``empty``, ``not_text``, or ``encoding`` of a text that is no page.
    """
    if not body.strip():
        raise DataError("the body is empty", kind="empty")
    if record.type == "conversion":
        return {"text": decode(body)}
    kind = media_type.partition(";")[0].strip().lower()
    if not kind:
        media_type = kind = "text/html" if looks_like_html(body) else "text/plain"
    if kind not in DOCUMENT_TYPES:
        raise DataError(f"{kind} is neither a page nor text", kind="not_text")
    if is_binary(body[:HEAD_BYTES]) and "utf-16" not in media_type.lower():
        raise DataError(f"the body is called {kind}, but is no text", kind="not_text")
    return {"content": body, "media_type": media_type}


def _source_id(url: str) -> str:
    """Give the canonical form of *url*; the URL itself where it is not one of the web."""
    try:
        return canonical_url(url)
    except ValueError:
        return url


def _time(date: str) -> datetime | None:
    """Give the time of a WARC-Date (ISO 8601) or an ARC date (14 digits)."""
    if len(date) == 14 and date.isdecimal():
        date = f"{date[:8]}T{date[8:]}Z"
    return timestamp(date)


def _broken(path: str, damage: warc_frames.Damage) -> dict[str, Any]:
    digest = sha256_of(path, start=damage.offset, end=damage.end)
    return {
        "source_id": digest,
        "record_sha256": digest,
        "rule": f"error.{damage.kind}",
        "message": damage.message,
        "offset": damage.offset,
        "length": damage.end - damage.offset,
    }
