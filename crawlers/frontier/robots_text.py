"""The text of a robots.txt, whatever its encoding: a file that cannot be read must not count as permission."""

from __future__ import annotations

import codecs
import re
from typing import Final

from corpusmill.crawlers.content_codings import undo_content_codings
from corpusmill.schemas.errors import DataError

MAX_ROBOTS_BYTES: Final = 500 * 1024
"""Bytes that are read of a robots.txt (RFC 9309 §2.5 requires at least 500 KiB)."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE: Final = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_GZIP_MAGIC: Final = b"\x1f\x8b"
_RULE: Final = re.compile(r"^\s*(?:user-?agent|(?:dis)?allow|sitemap)\s*:", re.IGNORECASE | re.MULTILINE)
_UNDECODED: Final = re.compile("[\udc80-\udcff]")


def robots_text(body: bytes, *, max_bytes: int) -> str:
    r"""Decode the beginning of a robots.txt: UTF-8, or UTF-16 or UTF-32 with or without a byte order mark.

    A declared charset is ignored, because the bytes are more reliable. Bytes that are not UTF-8 are percent-encoded, so
    that a rule with a path in Latin-1 still matches the requests for it. A last line that was cut is left out, because
    half an `Allow` permits more than the whole one.

    Args:
        body: The file, without the content codings of HTTP. It may be a gzip file all the same.
        max_bytes: Limit on its size when a gzip file is decoded.

    Raises:
        DataError: ``encoding``: the file has null bytes, and no encoding in which it has a rule; ``too_large`` or
            ``truncated``: it is a gzip file that cannot be decoded.

    >>> robots_text("Disallow: /é".encode("utf-16"), max_bytes=100), robots_text(b"Disallow: /\xe9", max_bytes=100)
    ('Disallow: /é', 'Disallow: /%E9')
    """
    if body.startswith(_GZIP_MAGIC):
        body = undo_content_codings(body, "gzip", max_bytes=max_bytes)
    text = _decoded(body[:MAX_ROBOTS_BYTES])
    return text if len(body) <= MAX_ROBOTS_BYTES else _whole_lines(text)


def _decoded(data: bytes) -> str:
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _text(data[len(mark) :], codec)
    if b"\0" not in data:
        return _text(data, "utf-8")
    for codec in _WIDE:
        if _RULE.search(text := _text(data, codec)):
            return text
    if _RULE.search(text := _text(data.replace(b"\0", b""), "utf-8")):
        return text
    raise DataError("null bytes, and no rule in UTF-8, UTF-16 or UTF-32", kind="encoding")


def _text(data: bytes, codec: str) -> str:
    if codec != "utf-8":
        return data.decode(codec, "replace").replace("\0", "")
    text = data.replace(b"\0", b"").decode(codec, "surrogateescape")
    return _UNDECODED.sub(lambda hit: f"%{ord(hit[0]) - 0xDC00:02X}", text)


def _whole_lines(text: str) -> str:
    """Return *text* without its last line, which was cut."""
    return text[: max(text.rfind("\r"), text.rfind("\n")) + 1]
