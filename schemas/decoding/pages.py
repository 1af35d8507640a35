"""Decoding of web pages: declared encodings are checked against the bytes, and no page is refused."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.schemas.decoding.binary import utf16_by_shape
from corpusmill.schemas.decoding.declarations import byte_order_mark, declared_codecs, declared_language

_DEFAULT: Final = "cp1252"
_ISO_2022_JP: Final = "iso2022_jp"
_MAX_DAMAGE: Final = 0.005
"""Largest share of replacement characters with which a declared encoding is accepted: a page cut in the middle of a
character has one, a French page in the wrong encoding has 3 %."""
_OF_TERMINALS: Final = frozenset(("cp437", "cp850", "cp852"))
"""Encodings that no page has."""
_SHIFT: Final = re.compile(rb"\x1b\$[@B]")
"""The escape sequence before Japanese text in ISO-2022-JP, an encoding that uses only ASCII bytes."""

_SEVEN_BIT: Final = {"hz": b"~{", "iso2022_kr": b"\x1b$)C"}
"""Further encodings that use only ASCII bytes, with the sequence before their text. They count only if declared."""


def decode(data: bytes, media_type: str | None = None) -> str:
    """Decode a page.

    The encoding is the first of these that applies: a byte order mark; bytes that look like UTF-16; UTF-8, if all bytes
    are valid (which does not happen by chance in text with non-ASCII characters); the charset of *media_type*; the
    charset of the XML declaration or of a `<meta>`; UTF-8 with more valid than invalid characters; the most likely
    encoding of the text between the tags. If a declared encoding fits with few errors, it is used and the errors become
    replacement characters. NUL characters are removed.

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
    """Convert a page to UTF-8; valid UTF-8 is returned without a copy.

    >>> utf8("Привет, мир".encode("koi8-r"), "text/html; charset=koi8-r").decode(), utf8("мир".encode()).decode()
    ('Привет, мир', 'мир')
    """
    if not (b"\0" in data or b"\x1b" in data or b"~{" in data or byte_order_mark(data[:4])):
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
    plain = _codec_of_ascii(data, media_type)
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
    codec = _likeliest(data)
    return data.decode(codec, "replace"), codec


def _likeliest(data: bytes) -> str:
    """Return the most likely encoding of the text between the tags."""
    # Imported here because few pages need it, and importing numpy takes a crawl longer than reading 500 pages.
    from corpusmill.schemas.decoding.likelihood import MULTI_BYTE, SINGLE_BYTE, guesses
    from corpusmill.schemas.decoding.samples import page_sample

    codecs = frozenset((*SINGLE_BYTE, *MULTI_BYTE)) - _OF_TERMINALS
    likeliest = guesses(page_sample(data), codecs=codecs, language=declared_language(data))
    return likeliest[0].codec if likeliest else _DEFAULT


def _codec_of_ascii(data: bytes, media_type: str | None) -> str:
    """Return the codec to try before any declared one: UTF-8, or one that uses only ASCII bytes."""
    if _is_japanese(data, media_type):
        return _ISO_2022_JP
    if not any(mark in data for mark in _SEVEN_BIT.values()):
        return "utf-8"
    declared = next(iter(declared_codecs(data, media_type)), "utf-8")
    return declared if declared in _SEVEN_BIT and _SEVEN_BIT[declared] in data else "utf-8"


def _is_japanese(data: bytes, media_type: str | None) -> bool:
    """Return whether *data* is ISO-2022-JP and the first declared encoding, if any, does not contradict that."""
    return b"\x1b" in data and is_iso2022_jp(data) and declared_codecs(data, media_type)[:1] in ([], [_ISO_2022_JP])


def is_iso2022_jp(data: bytes) -> bool:
    """Return whether *data* is all ASCII and has an escape sequence of ISO-2022-JP; declarations are ignored."""
    return _SHIFT.search(data) is not None and data.isascii()


def is_mostly_utf8(data: bytes, *, is_declared: bool) -> bool:
    """Return whether at least as many non-ASCII characters are valid UTF-8 as invalid; a cut one at the end is ignored.

    Invalid bytes in such text are typically quotation marks of windows-1252. If UTF-8 is not declared, at least one
    character must be valid.
    """
    text = data[:-3].decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return len(text) - len(text.encode("ascii", "ignore")) >= max(2 * broken, 0 if is_declared else 1)
