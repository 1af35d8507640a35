"""Bytes of a page to characters: what was declared, checked against what the bytes say; never refused."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.schemas.decoding.binary import utf16_by_shape
from corpusmill.schemas.decoding.declarations import byte_order_mark, declared_codecs, declared_language
from corpusmill.schemas.decoding.likelihood import MULTI_BYTE, SINGLE_BYTE, guesses
from corpusmill.schemas.decoding.samples import page_sample

_DEFAULT: Final = "cp1252"
_ISO_2022_JP: Final = "iso2022_jp"
_MAX_DAMAGE: Final = 0.005
"""Share of replacement characters up to which a declared encoding is believed: a page cut in the middle of a character
has one, a French page in the wrong encoding has 3 %."""
_CODECS: Final = frozenset(SINGLE_BYTE) - {"cp437", "cp850", "cp852"} | frozenset(MULTI_BYTE)
_SHIFT: Final = re.compile(rb"\x1b\$[@B]")
"""How Japanese begins in ISO-2022-JP, all bytes of which are ASCII."""


def decode(data: bytes, media_type: str | None = None) -> str:
    """Return the characters of a page.

    In this order: byte order mark; the shape of UTF-16; UTF-8, when there are characters beyond ASCII and all bytes fit
    (which no other encoding does by chance); the charset of *media_type*; that of the XML declaration or a `<meta>`;
    UTF-8 with more whole than broken characters; the likeliest encoding of the text between the tags. A declared
    encoding that fits but for some damage is used with replacement characters. NUL characters are left out.

    >>> decode("Порт".encode("koi8-r"), "text/html; charset=koi8-r")
    'Порт'
    """
    return _decode(data, media_type)[0].replace("\0", "")


def decode_with_codec(data: bytes, media_type: str | None = None) -> tuple[str, str]:
    """Return the characters of a page as `decode` does, and Python's name of the encoding that its links are in.

    Where all bytes are ASCII, that is the one that is declared.

    >>> decode_with_codec(b"<meta charset=koi8-r><a href='/?q=&#1102;'>")[1]
    'koi8-r'
    """
    text, codec = _decode(data, media_type)
    declared = declared_codecs(data, media_type) if codec == "utf-8" and data.isascii() else []
    return text.replace("\0", ""), declared[0] if declared else codec


def utf8(data: bytes, media_type: str | None = None) -> bytes:
    """Return the characters of a page as UTF-8: the bytes themselves, where they are that already.

    >>> utf8("Привет, мир".encode("koi8-r"), "text/html; charset=koi8-r").decode(), utf8("мир".encode()).decode()
    ('Привет, мир', 'мир')
    """
    if not (b"\0" in data or b"\x1b" in data or byte_order_mark(data[:4])):
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return data
    return decode(data, media_type).encode("utf-8", "replace")


def _decode(data: bytes, media_type: str | None) -> tuple[str, str]:
    if mark := byte_order_mark(data[:4]):
        return data[mark[1] :].decode(mark[0], "replace"), mark[0]
    if (b"\0" in data or b"\x0e" in data) and (shape := utf16_by_shape(data)):
        return data.decode(shape, "replace"), shape
    plain = _ISO_2022_JP if _is_japanese(data, media_type) else "utf-8"
    try:
        return data.decode(plain), plain
    except UnicodeDecodeError:
        pass
    declared = declared_codecs(data, media_type)
    for name in (*declared, "utf-8"):
        if name.startswith("utf-16") or (name == "utf-8" and not is_mostly_utf8(data, is_declared=name in declared)):
            continue
        text = data.decode(name, "replace")
        if text.count("\ufffd") <= max(3, _MAX_DAMAGE * len(text)):
            return text, name
    if shape := utf16_by_shape(data):
        return data.decode(shape, "replace"), shape
    likeliest = guesses(page_sample(data), codecs=_CODECS, language=declared_language(data))
    codec = likeliest[0].codec if likeliest else _DEFAULT
    return data.decode(codec, "replace"), codec


def _is_japanese(data: bytes, media_type: str | None) -> bool:
    """Return whether *data* is Japanese in ISO-2022-JP, and nothing else is declared first."""
    return b"\x1b" in data and is_iso2022_jp(data) and declared_codecs(data, media_type)[:1] in ([], [_ISO_2022_JP])


def is_iso2022_jp(data: bytes) -> bool:
    """Return whether *data*, declared or not, shifts to Japanese, and is ASCII."""
    return _SHIFT.search(data) is not None and data.isascii()


def is_mostly_utf8(data: bytes, *, is_declared: bool) -> bool:
    """Return whether more of the characters beyond ASCII are whole than broken; a last one that was cut is not counted.

    Elsewhere the odd byte is a quotation mark of windows-1252. Where UTF-8 is not declared, one has to be whole.
    """
    text = data[:-3].decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return len(text) - len(text.encode("ascii", "ignore")) >= max(2 * broken, 0 if is_declared else 1)
