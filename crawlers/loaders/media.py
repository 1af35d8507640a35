"""What bytes are: text or not, and in which encoding."""

from __future__ import annotations

import codecs
import re
from typing import Final

from charset_normalizer import from_bytes

from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.errors import DataError

MAX_CONTENT_BYTES: Final = MAX_TEXT_BYTES
"""A body above this is `error.too_large`: one record has to fit into a batch."""
PAGE_TYPES: Final = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
DOCUMENT_TYPES: Final = PAGE_TYPES | {"text/plain", "text/markdown"}
"""Media types that hold a document; style sheets, feeds, images and programs are `error.not_text`."""
HEAD_BYTES: Final = 4096

_BINARY_MAGIC: Final = (
    b"%PDF-",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",
    b"RIFF",
    b"PK\x03\x04",
    b"\x7fELF",
    b"\xca\xfe\xba\xbe",
    b"\x1f\x8b",
    b"BZh",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ\x00",
    b"Rar!",
    b"7z\xbc\xaf",
    b"PAR1",
    b"SQLite format 3\x00",
    b"\xd0\xcf\x11\xe0",
    b"OggS",
    b"ID3",
    b"MZ\x90\x00",
)
_BINARY_BYTES: Final = bytes([*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])
"""Bytes that no text has (WHATWG MIME sniffing, §3 "binary data byte")."""
_MAX_BINARY_SHARE: Final = 0.01
"""Pages with a stray control character exist; among random bytes a tenth are binary."""
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKS_LIKE_HTML: Final = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|title|meta|h1|div|p|table)\b", re.I | re.S
)
_GUESS_BYTES: Final = 1 << 18


def is_binary(head: bytes) -> bool:
    """Tell whether a file or body that begins with *head* holds no text in any encoding.

    >>> is_binary(b"%PDF-1.7"), is_binary(b"caf\\xe9"), is_binary("UTF-16".encode("utf-16"))
    (True, False, False)
    """
    head = head[:HEAD_BYTES]
    if head.startswith(_BINARY_MAGIC):
        return True
    if byte_order_mark(head) is not None:
        return False
    return len(head) - len(head.translate(None, _BINARY_BYTES)) > _MAX_BINARY_SHARE * len(head)


def byte_order_mark(head: bytes) -> str | None:
    """Give the encoding that the byte order mark of *head* names."""
    return next((encoding for mark, encoding in _BOMS if head.startswith(mark)), None)


def looks_like_html(head: bytes) -> bool:
    """Tell whether *head*, for which nobody gave a media type, begins as a page does."""
    return _LOOKS_LIKE_HTML.match(head[:HEAD_BYTES]) is not None


def decode(data: bytes) -> str:
    """Decode a file of text: by its byte order mark, as UTF-8, else by a guess among the old encodings.

    Text that is UTF-8 in the main but broken in places is refused, because a guess would spoil all of it.

    Raises:
        DataError: ``not_text``, ``encoding`` or ``too_large`` (above `MAX_TEXT_BYTES` as UTF-8).
    """
    if is_binary(data):
        raise DataError("these bytes are no text", kind="not_text")
    text = _decoded(data)
    if len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES:
        raise DataError(f"the text is above {MAX_TEXT_BYTES:,} bytes", kind="too_large")
    return text


def _decoded(data: bytes) -> str:
    encoding = byte_order_mark(data) or "utf-8"
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or _is_broken_utf8(data):
            raise DataError(
                f"not {encoding.upper()}: {error.reason} at byte {error.start:,}", kind="encoding"
            ) from None
    return _guessed(data)


def _is_broken_utf8(data: bytes) -> bool:
    """Tell whether more of what is not ASCII is valid UTF-8 than is not."""
    text = data.decode("utf-8", "ignore")
    valid = len(text) - len(text.encode("ascii", "ignore"))
    valid_bytes = len(text.encode()) - (len(text) - valid)
    invalid_bytes = len(data) - len(text.encode())
    return valid_bytes >= invalid_bytes


def _guessed(data: bytes) -> str:
    best = from_bytes(data[:_GUESS_BYTES]).best()
    if best is None:
        raise DataError("the encoding is unknown", kind="encoding")
    try:
        return data.decode(best.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(f"not {best.encoding}: {error.reason} at byte {error.start:,}", kind="encoding") from None
