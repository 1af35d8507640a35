"""A text document as the readers of DOCX and ODT return it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """The text of a document and what its properties say; no names of authors.

    Args:
        created: Date and time in ISO 8601; None if unknown.
    """

    text: str
    title: str | None
    created: str | None
    metadata: dict[str, str]
