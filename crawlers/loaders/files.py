"""Files with one document each: web pages and plain text."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import pyarrow as pa
from pydantic import Field, field_validator

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.base import Loader, Offers, Respecting
from corpusmill.crawlers.loaders.media import MAX_CONTENT_BYTES
from corpusmill.crawlers.loaders.streams import file_size, is_compressed, open_decompressed, packed, sha256_of
from corpusmill.crawlers.loaders.unexpected import expected
from corpusmill.crawlers.optouts.page import page_signals
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.decoding.labels import closest, codec_of
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.optouts import as_column
from corpusmill.schemas.problems import HintedValueError

ENCODING_DESCRIPTION: Final = (
    "Encoding of files without a byte order mark: a label of the WHATWG Encoding Standard. "
    "null: the encoding that a file declares, else UTF-8, else the most likely legacy encoding, if it is clear."
)


def known_encoding(encoding: str | None) -> str | None:
    """Return *encoding*, the value of a field, if it is a label of the WHATWG Encoding Standard.

    Raises:
        HintedValueError: It is not.
    """
    if encoding is None or codec_of(encoding):
        return encoding
    hint = f"did you mean `{match}`?" if (match := closest(encoding)) else "use a label such as `windows-1252`"
    raise HintedValueError("not a label of the WHATWG Encoding Standard", hint=hint)


class OneDocument(Loader):
    """A loader of files with one document each; the `source_id` is the name of the file, unless `offer` returns one."""

    uses_name: ClassVar[bool] = True
    max_bytes: ClassVar[int] = MAX_CONTENT_BYTES
    """A larger file (decompressed) is `error.too_large`."""

    def records(self, path: str) -> int:
        """Return 1."""
        return 1

    @abstractmethod
    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the columns of `OFFER` that depend on the (decompressed) bytes *data* of a file.

        Raises:
            DataError: *data* is not a document of this format.
        """

    def offer_of(self, data: bytes, path: str) -> dict[str, Any]:
        """As `offer`, for a format of which a file can be described by its `companions`.

        Raises:
            DataError: As `offer`.
        """
        return self.offer(data)

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the only record, which begins at byte 0."""
        if start > 0 or end == 0:
            return
        offers = Offers()
        row: dict[str, Any] = {"source_id": name, "offset": 0, "length": file_size(path)}
        list(offers.add(**row | self._columns(path)))
        yield from offers.rest()

    def _columns(self, path: str) -> dict[str, Any]:
        digest: str | None = None
        try:
            data = whole_file(path, max_bytes=self.max_bytes)
            digest = hashlib.sha256(data).hexdigest()
            if not data.strip():
                raise DataError("the file is empty", kind="empty")
            with expected():
                return {"record_sha256": digest} | self.offer_of(data, path)
        except DataError as error:
            return {"record_sha256": digest or sha256_of(path), "rule": error.rule, "message": error.message}


class Encoded(OneDocument):
    """A loader of files whose encoding can be set in the recipe."""

    encoding: str | None = Field(
        default=None,
        description=ENCODING_DESCRIPTION,
        examples=["windows-1252"],
    )

    _known = field_validator("encoding")(known_encoding)


class Html(Encoded, Respecting):
    """Web pages, for the stage `extract`. Compressed files are decompressed. Opt-outs in the markup are respected."""

    about: ClassVar[About] = About(
        license="`license` in the recipe, or a declaration in the page with the stage `extract`.",
        get="Saved web pages; `crawl` gets whole sites.",
        tried="Pages of trafilatura and of 12 public sets.",
    )
    suffixes: ClassVar[tuple[str, ...]] = packed(".html", ".htm", ".xhtml")
    version: ClassVar[int] = 3

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the bytes of the page, unchanged."""
        if is_binary(data):
            raise DataError("the content is binary, not a web page", kind="not_text")
        media_type = "text/html" + (f"; charset={self.encoding}" if self.encoding else "")
        signals = page_signals((), data, media_type=media_type, captured_at=None)
        return {"content": data, "media_type": media_type, "optouts": as_column(signals)}


class Text(Encoded):
    """Plain text in UTF-8, UTF-16, UTF-32 or a legacy encoding. Compressed files are decompressed.

    A file that is likely text in two encodings, with different results, is `error.encoding`: set `encoding` for it.
    """

    about: ClassVar[About] = About(
        license="`license` in the recipe.",
        get="Any folder of texts.",
        tried="The corpora inaugural, state_union and udhr2 of NLTK.",
    )
    suffixes: ClassVar[tuple[str, ...]] = packed(".txt", ".text")
    version: ClassVar[int] = 2

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the decoded text."""
        return {"text": decode_text(data, encoding=self.encoding)}


def whole_file(path: str, *, max_bytes: int) -> bytes:
    """Return the (decompressed) bytes of the file at *path*; at most *max_bytes* + 1 bytes are in memory.

    Raises:
        DataError: ``too_large``, or ``truncated`` if the compressed stream ends early.
        SourceError: The file cannot be read.
    """
    size = file_size(path)
    if size <= max_bytes or is_compressed(path):
        with open_decompressed(path) as stream:
            data = stream.read(max_bytes + 1)
        if len(data) <= max_bytes:
            return data
    raise DataError(f"the document is larger than {max_bytes:,} bytes", kind="too_large")
