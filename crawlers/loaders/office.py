"""What the loaders of documents in zip archives share: bounds, and the offer of a text document."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from corpusmill.crawlers.loaders.files import OneDocument
from corpusmill.crawlers.loaders.streamed import bounded
from corpusmill.crawlers.readers.office import Document
from corpusmill.schemas.dates import stated
from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.errors import DataError

MAX_FILE_BYTES: Final = 256_000_000
"""A larger file is `error.too_large`. Most of a large file is images, which are not read."""


class Office(OneDocument):
    """A loader of text documents with notes."""

    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    max_bytes: ClassVar[int] = MAX_FILE_BYTES

    keep: tuple[Literal["footnotes"], ...] = Field(
        default=("footnotes",),
        description="Optional parts: `footnotes`, that is footnotes and endnotes, and the references to them.",
        examples=[[]],
    )


def bounded_text(text: str) -> str:
    """Return *text*.

    Raises:
        DataError: ``too_large``.
    """
    if len(text) > MAX_TEXT_BYTES or len(text.encode()) > MAX_TEXT_BYTES:
        raise DataError(f"the text has more than {MAX_TEXT_BYTES:,} bytes", kind="too_large")
    return text


def offer_of(document: Document) -> dict[str, Any]:
    """Return the columns of `OFFER` of *document*.

    Raises:
        DataError: ``no_text`` or ``too_large``.
    """
    if not document.text:
        raise DataError("the document has no text, only images or empty paragraphs", kind="no_text")
    published = stated(document.created) if document.created else None
    return {
        "text": bounded_text(document.text),
        "title": document.title or None,
        "published_at": published,
        "metadata": bounded(document.metadata) or None,
    }
