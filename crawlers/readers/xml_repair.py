"""Repairs of XML that feed readers make, too: encoding, control characters, entities of HTML, a bare ``&``."""

from __future__ import annotations

import re
from html.entities import html5
from typing import Final

from corpusmill.schemas.decoding.pages import decode

_CDATA: Final = re.compile(r"(<!\[CDATA\[.*?\]\]>|<!--.*?-->)", re.DOTALL)
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_REFERENCE: Final = re.compile(r"&(?:#(\d{1,7}|[xX][0-9a-fA-F]{1,6});|([A-Za-z][A-Za-z0-9]{1,31};))?")
_DECLARATION: Final = re.compile(r"\s*<\?xml[^>]{0,200}\?>")
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
        return reference[0] if valid else ""
    if name in _OF_XML:
        return reference[0]
    return html5.get(name or "") or "&amp;" + reference[0][1:]
