"""Media types of bodies: web pages, text, or other content."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.schemas.document import MAX_TEXT_BYTES

MAX_CONTENT_BYTES: Final = MAX_TEXT_BYTES
"""A larger body is `error.too_large`, because a record must fit into a batch."""
PAGE_TYPES: Final = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
DOCUMENT_TYPES: Final = PAGE_TYPES | {"text/plain", "text/markdown"}
"""Media types of documents; style sheets, feeds, images and scripts are `error.not_text`."""
HEAD_BYTES: Final = 4096

_LOOKS_LIKE_HTML: Final = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|title|meta|h1|div|p|table)\b", re.I | re.S
)


def looks_like_html(head: bytes) -> bool:
    """Return whether *head*, the start of a body without a media type, looks like a web page."""
    return _LOOKS_LIKE_HTML.match(head[:HEAD_BYTES]) is not None
