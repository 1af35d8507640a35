"""PDF files: the text layer in reading order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from typing import Any, ClassVar, Final

import pyarrow as pa

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.files import OneDocument
from corpusmill.crawlers.loaders.streamed import bounded
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.crawlers.readers.pdf.process import READER
from corpusmill.schemas.errors import MissingExtraError

MAX_FILE_BYTES: Final = 256_000_000
"""A larger file (decompressed) is `error.too_large`; scans of books have 50 to 200 MB."""


class Pdf(OneDocument):
    """The text layer of PDF files: columns in reading order, paragraphs joined, headers and footers removed.

    A file without text on any page, such as a scan, is `error.no_text_layer`; a file that needs a password is
    `error.encrypted`. Scripts and attachments are never run or read. Needs the extra `pdf`.
    """

    version: ClassVar[int] = 2
    extra: ClassVar[str | None] = "pdf"
    suffixes: ClassVar[tuple[str, ...]] = packed(".pdf")
    depends: ClassVar[tuple[str, ...]] = ("pypdfium2",)
    max_bytes: ClassVar[int] = MAX_FILE_BYTES
    about: ClassVar[About] = About(
        license="of the file, from its XMP metadata (`cc:license`, `xmpRights`, `dc:rights`); else that of the recipe",
        get="any folder of PDF files, such as the papers of the ACL Anthology",
        tried="two real papers in two columns, and made files in one to three columns",
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* is a PDF file."""
        return head.lstrip()[:5] == b"%PDF-"

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the only record, which begins at byte 0; pages without text are counted."""
        if find_spec("pypdfium2") is None:
            raise MissingExtraError.of("pdf", "pypdfium2")
        yield from super().read(path, name=name, start=start, end=end, counts=counts)

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the text, and what the metadata of the file says."""
        reading = READER.read(data)
        metadata = {
            "pages": str(reading["pages"]),
            "pages_without_text": str(reading["pages_without_text"]) if reading["pages_without_text"] else "",
            "producer": reading["producer"],
            "language": reading["language"],
        }
        created = reading["created"]
        return {
            "text": reading["text"],
            "title": reading["title"],
            "license": reading["license"],
            "license_source": reading["license_source"],
            "published_at": datetime.fromisoformat(created) if created else None,
            "metadata": bounded(metadata) or None,
        }
