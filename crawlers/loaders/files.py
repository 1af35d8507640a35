"""Files that are one document each: pages and plain text."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field, field_validator

from corpusmill.crawlers.loaders.base import Loader, Offers
from corpusmill.crawlers.loaders.media import MAX_CONTENT_BYTES
from corpusmill.crawlers.loaders.streams import file_size, is_compressed, open_decompressed, packed, sha256_of
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.decoding.labels import closest, codec_of
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.problems import HintedValueError


class OneDocument(Loader):
    """A loader of files that are one document each; its `source_id` is the file's name.

    `offer` gives the columns of `OFFER` that the bytes of a file decide, or raises `DataError`.
    """

    uses_name: ClassVar[bool] = True
    max_bytes: ClassVar[int] = MAX_CONTENT_BYTES
    """A file above this (decompressed) is `error.too_large`."""

    def records(self, path: str) -> int:
        """Return 1."""
        return 1

    @abstractmethod
    def offer(self, data: bytes) -> dict[str, Any]:
        """Give the columns for the (decompressed) bytes *data* of a file.

        Raises:
            DataError: They are no such document.
        """

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the one record, which begins at 0."""
        if start > 0 or end == 0:
            return
        offers = Offers()
        list(offers.add(source_id=name, offset=0, length=file_size(path), **self._columns(path)))
        yield from offers.rest()

    def _columns(self, path: str) -> dict[str, Any]:
        digest: str | None = None
        try:
            data = whole_file(path, max_bytes=self.max_bytes)
            digest = hashlib.sha256(data).hexdigest()
            if not data.strip():
                raise DataError("the file is empty", kind="empty")
            return {"record_sha256": digest} | self.offer(data)
        except DataError as error:
            return {"record_sha256": digest or sha256_of(path), "rule": error.rule, "message": error.message}


class Encoded(OneDocument):
    """A loader of files whose encoding the recipe may name."""

    encoding: str | None = Field(
        default=None,
        description="Encoding of the files that have no byte order mark, by a label of the WHATWG Encoding Standard; "
        "null: what a file declares, UTF-8, else the old encoding in which it is clearly the likeliest text.",
        examples=["windows-1252"],
    )

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str | None) -> str | None:
        if encoding is None or codec_of(encoding):
            return encoding
        hint = f"did you mean `{match}`?" if (match := closest(encoding)) else "use a label such as `windows-1252`"
        raise HintedValueError("not a label of the WHATWG Encoding Standard", hint=hint)


class Html(Encoded):
    """Web pages, still to be extracted; compression is undone."""

    suffixes: ClassVar[tuple[str, ...]] = packed(".html", ".htm", ".xhtml")
    version: ClassVar[int] = 2

    def offer(self, data: bytes) -> dict[str, Any]:
        """Give the page as it lies in the file."""
        if is_binary(data):
            raise DataError("these bytes are no page", kind="not_text")
        return {"content": data, "media_type": "text/html" + (f"; charset={self.encoding}" if self.encoding else "")}


class Text(Encoded):
    """Plain text in UTF-8, UTF-16 or UTF-32, or in an old encoding; compression is undone.

    A text that two encodings turn into likely, but different words is `error.encoding`: name its `encoding`.
    """

    suffixes: ClassVar[tuple[str, ...]] = packed(".txt", ".text")
    version: ClassVar[int] = 2

    def offer(self, data: bytes) -> dict[str, Any]:
        """Give the text, decoded."""
        return {"text": decode_text(data, encoding=self.encoding)}


def whole_file(path: str, *, max_bytes: int) -> bytes:
    """Give the (decompressed) bytes of the file at *path*; no more than *max_bytes* are ever held.

    Raises:
        DataError: ``too_large``, or ``truncated`` when compressed bytes break off.
        SourceError: The file cannot be read.
    """
    size = file_size(path)
    if size <= max_bytes or is_compressed(path):
        with open_decompressed(path) as stream:
            data = stream.read(max_bytes + 1)
        if len(data) <= max_bytes:
            return data
    raise DataError(f"the document is above {max_bytes:,} bytes", kind="too_large")
