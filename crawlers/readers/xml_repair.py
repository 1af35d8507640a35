"""Repairs of XML that feed readers make, too: encoding, control characters, entities of HTML, a bare ``&``."""

from __future__ import annotations

import re
from html.entities import html5
from typing import Final

from corpusmill.schemas.decoding.labels import codec_of
from corpusmill.schemas.decoding.pages import decode
from corpusmill.schemas.errors import DataError

_CDATA: Final = re.compile(r"(<!\[CDATA\[.*?\]\]>|<!--.*?-->)", re.DOTALL)
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_REFERENCE: Final = re.compile(r"&(?:#(\d{1,7}|[xX][0-9a-fA-F]{1,6});|([A-Za-z][A-Za-z0-9]{1,31};))?")
_DECLARATION: Final = re.compile(r"\s*<\?xml[^>]{0,200}\?>")
_ENCODING: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,100}encoding=[\"']([\w.:-]{1,40})")
_NAMED: Final = re.compile(rb"&(?!#|amp;|lt;|gt;|quot;|apos;)")
_OF_XML: Final = frozenset(("amp;", "lt;", "gt;", "quot;", "apos;"))


def repaired(data: bytes) -> bytes:
    """Return the document *data* in UTF-8 without a declaration, with nothing that XML forbids in texts.

    Tags are not repaired. A reference to an entity of HTML becomes its characters; a ``&`` that begins no reference
    becomes ``&amp;``. Declarations of entities stay, so that a parser can refuse them.

    >>> repaired(b"<?xml version='1.0' encoding='latin1'?><a>caf\\xe9 &amp; R&D&hellip; &bogus;\\x08</a>").decode()
    '<a>café &amp; R&amp;D… &amp;bogus;</a>'
    """
    text = _DECLARATION.sub("", decode(data, "text/xml").removeprefix("\ufeff"), count=1)
    parts = _CDATA.split(_CONTROLS.sub("", text))
    parts[::2] = [_REFERENCE.sub(_resolved, part) for part in parts[::2]]
    return "".join(parts).encode()


def _resolved(reference: re.Match[str]) -> str:
    number, name = reference.groups()
    if number:
        code = int(number[1:], 16) if number[0] in "xX" else int(number)
        valid = code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
        return reference[0].lower() if valid else ""
    if name in _OF_XML:
        return reference[0]
    return html5.get(name or "") or "&amp;" + reference[0][1:]


def codec_of_head(head: bytes, root: re.Pattern[bytes]) -> str | None:
    """Return the codec that the declaration in *head*, the beginning of a file of records, names; None without one.

    Raises:
        DataError: ``entities``: the file declares entities of its own before its first element *root*.
    """
    first = root.search(head)
    if b"<!ENTITY" in head[: first.start() if first else len(head)]:
        raise DataError("the file declares entities of its own", kind="entities")
    declared = _ENCODING.match(head)
    return codec_of(declared[1].decode()) if declared else None


def as_utf8(data: bytes, codec: str | None) -> bytes:
    """Return the record *data* in UTF-8, with the names of entities of HTML resolved: no DTD with them is loaded."""
    if codec not in {None, "utf-8"}:
        try:
            data = data.decode(codec or "utf-8").encode()
        except (UnicodeDecodeError, LookupError):
            return repaired(data)
    return repaired(data) if _NAMED.search(data) else data
