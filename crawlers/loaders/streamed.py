"""The base of loaders for files with many records that are read from the beginning, such as dumps.

A subclass yields a `Record` for each document, a `Broken` for each record that cannot be read, and counts the records
that are no documents (redirects, deleted messages) in `counts`. Names of files, hashes, sizes and the batches are
handled here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

import pyarrow as pa

from corpusmill.crawlers.loaders.base import Loader, Offers
from corpusmill.crawlers.loaders.rows import MAX_METADATA_CHARACTERS, MAX_VALUE_CHARACTERS, is_too_large
from corpusmill.crawlers.loaders.streams import is_blank, open_decompressed, sha256_of
from corpusmill.crawlers.loaders.unexpected import expected
from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.identity import ID_COUNTS, capture_hash


@dataclass(frozen=True)
class Record:
    """One document of a file.

    Args:
        native: Its bytes as they stand in the file; their hash tells whether it changed.
        text: Its text; or, in `content`, bytes of `media_type` for the stage `extract`.
        source_id: Its id in the data set; None: it has none, and its hash is used.
        license_source: Where the license stood, such as ``jats:ali:license_ref``.
        fetched_at: State of the record: of several records with one id, the latest is published.
        metadata: Other facts. Values longer than `MAX_VALUE_CHARACTERS` are left out.
        offset: Position in the decompressed file, in bytes.
    """

    native: bytes
    text: str | None
    source_id: str | None
    title: str | None = None
    url: str | None = None
    license: str | None = None
    license_source: str | None = None
    published_at: datetime | None = None
    fetched_at: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    media_type: str | None = None
    offset: int | None = None


@dataclass(frozen=True)
class Broken:
    """A record that cannot be read, with the rule ``error.<kind>`` and a message."""

    native: bytes
    kind: str
    message: str
    source_id: str | None = None
    offset: int | None = None


class Streamed(Loader):
    """A loader of files with many records. A slice is the whole file unless a subclass divides it."""

    @abstractmethod
    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the records of *stream*, the decompressed file *name*.

        A record that is no document is counted in *counts* under its kind and not yielded. An error for the rest of
        the file may be raised as `DataError`.

        Args:
            start: Only records that begin in ``[start, end)`` are wanted (`end` -1: to the end); for loaders with
                slices.
        """

    def records_in(
        self, path: str, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the records of a slice of the file at *path*, as `records_of` does; for loaders that seek
        or read a file twice."""
        with open_decompressed(path) as stream:
            yield from self.records_of(stream, name=name, counts=counts, start=start, end=end)

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records of the file, and, if the rest of it cannot be read, a last row that says so."""
        counted: Counter[str] = Counter() if counts is None else counts
        offers = Offers()
        try:
            with expected():
                for record in self.records_in(path, name=name, counts=counted, start=start, end=end):
                    yield from offers.add(**columns(record, counted))
        except DataError as error:
            digest = sha256_of(path)
            is_empty = error.kind == "wrong_format" and is_blank(path)
            rule, problem = ("error.empty", "the file is empty") if is_empty else (error.rule, error.message)
            yield from offers.add(source_id=digest, record_sha256=digest, rule=rule, message=f"{name}: {problem}")
        yield from offers.rest()


def columns(record: Record | Broken, counts: Counter[str]) -> dict[str, Any]:
    """Return the columns of `OFFER` for *record*, and count whether it has an id."""
    digest = capture_hash(record.native)
    placed = {"record_sha256": digest, "offset": record.offset, "length": len(record.native)}
    named = placed | {"source_id": record.source_id or digest}
    if isinstance(record, Broken):
        return named | {"rule": f"error.{record.kind}", "message": record.message}
    counts[f"{ID_COUNTS}{'given' if record.source_id else 'missing'}"] += 1
    if record.text is None and record.content is None:
        return named | {"rule": "error.no_text", "message": "the record has no text"}
    if record.text is not None and is_too_large(record.text):
        return named | {"rule": "error.too_large", "message": f"the text is larger than {MAX_TEXT_BYTES:,} bytes"}
    return named | {
        "text": record.text,
        "content": record.content,
        "media_type": record.media_type,
        "title": record.title,
        "url": record.url,
        "license": record.license,
        "license_source": record.license_source,
        "published_at": record.published_at,
        "fetched_at": record.fetched_at,
        "metadata": bounded(record.metadata) or None,
    }


def bounded(metadata: dict[str, str]) -> dict[str, str]:
    """Return the entries of *metadata*, in the order of names, without those that are empty or exceed a bound."""
    kept: dict[str, str] = {}
    size = 0
    for name in sorted(metadata):
        value = metadata[name]
        if value and len(value) <= MAX_VALUE_CHARACTERS and size + len(name) + len(value) <= MAX_METADATA_CHARACTERS:
            kept[name] = value
            size += len(name) + len(value)
    return kept
