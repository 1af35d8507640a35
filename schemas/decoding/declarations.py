"""Declarations of an encoding: byte order marks, HTTP headers, XML and HTML, and mode lines of editors."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from corpusmill.schemas.decoding.labels import codec_of

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LANGUAGE_BYTES: Final = 8_192
_CHARSET: Final = re.compile(rb"charset\s*=\s*[\"']?\s*([^\s\"';,>]{1,40})", re.IGNORECASE)
_XML: Final = re.compile(rb"\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})")
_TAGS: Final = re.compile(
    rb"<(?:(!--)|(script|style|title|textarea|xmp|iframe|noembed|noframes)(?=[\s/>])|meta(?=[\s/])([^<>]*))",
    re.IGNORECASE,
)
"""A `<meta>` tag, or the start of a comment or raw text element, in which a `<meta>` does not count."""
_ATTRIBUTE: Final = re.compile(rb"([a-zA-Z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_LANGUAGE: Final = re.compile(
    rb"<(?:html|body)\b[^<>]*?\s(?:xml:)?lang\s*=\s*[\"']?\s*([a-zA-Z]{2})(?![a-zA-Z])", re.IGNORECASE
)
_COOKIE: Final = re.compile(rb"[^\n]{0,200}?(?:-\*-|vim?:)[^\n]{0,200}?coding[:=][ \t]*([\w.-]{1,40})")


def byte_order_mark(data: bytes) -> tuple[str, int] | None:
    """Return the encoding of the byte order mark of *data*, and the length of the mark; None without a mark.

    >>> byte_order_mark("é".encode("utf-8-sig")), byte_order_mark(b"plain")
    (('utf-8', 3), None)
    """
    return next(((encoding, len(mark)) for mark, encoding in _MARKS if data.startswith(mark)), None)


def declared_codecs(data: bytes, media_type: str | None) -> list[str]:
    """Return Python's names of the encodings that *media_type* and the page declare, in this order.

    >>> declared_codecs(b"<script>'<meta charset=big5>'</script><meta charset=koi8-r>", "text/html; charset=latin1")
    ['cp1252', 'koi8-r']
    """
    labels = [match[1] for match in [_CHARSET.search((media_type or "").encode("ascii", "replace"))] if match]
    labels += [match[1] for match in [_XML.match(data)] if match]
    labels += [first for first in [next(_in_elements(data), None)] if first is not None]
    return [codec for label in labels if (codec := codec_of(label.decode("ascii", "replace")))]


def _in_elements(data: bytes) -> Iterator[bytes]:
    """Yield the encoding that each `<meta>` of a page declares, wherever a parser finds it (HTML 13.2.3.4)."""
    position = 0
    while tag := _TAGS.search(data, position):
        position = tag.end()
        if tag[1] or tag[2]:
            position = end_of_raw(data, position, tag[2])
        elif label := _label(tag[3]):
            yield label


def end_of_raw(data: bytes, start: int, name: bytes | None) -> int:
    """Return the offset of the end tag of the raw text element *name*; without *name*, the end of the comment.

    *start* is an offset inside the element or comment. If it is not closed, it ends with the page, as in a browser.
    """
    end = re.compile(rb"</" + name + rb"(?=[\s/>])", re.IGNORECASE).search(data, start) if name else None
    if name:
        return end.start() if end else len(data)
    close = data.find(b"-->", max(0, start - 2))  # `<!-->` is a whole comment
    return close + 3 if close >= 0 else len(data)


def _label(attributes: bytes) -> bytes | None:
    values = {
        match[1].lower(): match[2] or match[3] or match[4] or b""
        for match in reversed(list(_ATTRIBUTE.finditer(attributes)))
    }
    if b"charset" in values:
        label = values[b"charset"].strip()
        return label if codec_of(label.decode("ascii", "replace")) else None
    if values.get(b"http-equiv", b"").lower().strip() != b"content-type":
        return None
    match = _CHARSET.search(values.get(b"content", b""))
    return match[1] if match and codec_of(match[1].decode("ascii", "replace")) else None


def declared_language(data: bytes) -> str | None:
    """Return the two-letter language code that `lang` or `xml:lang` declares for the page.

    >>> declared_language(b'<html xml:lang="PL-pl">')
    'pl'
    """
    match = _LANGUAGE.search(data[:_LANGUAGE_BYTES])
    return match[1].decode().lower() if match else None


def editors_codec(data: bytes) -> str | None:
    """Return the encoding in a mode line of Emacs or Vim, in the first two lines.

    >>> editors_codec(b".. -*- coding: latin-1 -*-"), editors_codec(b"coding: latin-1")
    ('cp1252', None)
    """
    lines = data[:1_024].split(b"\n", 2)[:2]
    match = next((match for line in lines if (match := _COOKIE.match(line))), None)
    if match is None:
        return None
    label = match[1].decode().lower().removesuffix("-unix").removesuffix("-dos")
    return codec_of(label) or codec_of(label.replace("latin-", "latin"))
