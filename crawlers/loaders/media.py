"""What bodies are: pages, text, or something else."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.schemas.document import MAX_TEXT_BYTES

MAX_CONTENT_BYTES: Final = MAX_TEXT_BYTES
"""A body above this is `error.too_large`: one record has to fit into a batch."""
PAGE_TYPES: Final = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
DOCUMENT_TYPES: Final = PAGE_TYPES | {"text/plain", "text/markdown"}
"""Media types that hold a document; style sheets, feeds, images and programs are `error.not_text`."""
HEAD_BYTES: Final = 4096

_LOOKS_LIKE_HTML: Final = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|title|meta|h1|div|p|table)\b", re.I | re.S
)


def looks_like_html(head: bytes) -> bool:
    """Tell whether *head*, for which nobody gave a media type, begins as a page does."""
    return _LOOKS_LIKE_HTML.match(head[:HEAD_BYTES]) is not None
