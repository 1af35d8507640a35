"""Bytes to characters: what was declared, checked against what the bytes say."""

from __future__ import annotations

import re
from typing import Final

from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding, read_bom

_WEB_ENCODINGS: Final = frozenset(
    "utf-8 cp866 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-10 iso8859-13 "
    "iso8859-14 iso8859-15 iso8859-16 koi8-r koi8-u mac-roman cp874 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 "
    "cp1257 cp1258 mac-cyrillic gb18030 big5hkscs euc_jp iso2022_jp cp932 cp949 utf-16 utf-16-le utf-16-be".split()
)
"""Python's names of the encodings in the WHATWG Encoding Standard; any other codec (`zip`, `rot13`) is never run."""
_DEFAULT: Final = "cp1252"
_SAMPLE_BYTES: Final = 65_536
_GUESS_BYTES: Final = 4_096
_MAX_DAMAGE: Final = 0.005
"""Share of replacement characters up to which a declared encoding is believed: a page cut in the middle of a character
has one, a French page in the wrong encoding has 3 %."""
_MARKUP: Final = re.compile(rb"<[^>]{0,2000}>|[\x00-\x7f]{200,}")
_CONTROLS: Final = bytes((*range(1, 9), *range(14, 27), *range(28, 32), 127))
_MAX_CONTROLS: Final = 0.02
_MAGIC: Final = (
    b"%PDF-",
    b"\x89PNG",
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"GIF8",
    b"\xff\xd8\xff",
    b"RIFF",
    b"\x7fELF",
    b"BZh9",
)


def is_binary(data: bytes) -> bool:
    """Tell whether *data* is no text in any encoding of the web: a known signature, or many control characters.

    NUL is not counted: UTF-16 is full of it, and some pages are padded with it.

    >>> is_binary(b"%PDF-1.7 ..."), is_binary(b"<p>text"), is_binary(bytes(range(256)))
    (True, False, True)
    """
    if data.startswith(_MAGIC):
        return True
    sample = data[:_SAMPLE_BYTES]
    if _utf16_by_shape(sample) or read_bom(sample)[0]:
        return False
    return len(sample) - len(sample.translate(None, _CONTROLS)) > _MAX_CONTROLS * len(sample)


def decode(data: bytes, media_type: str | None = None) -> str:
    """Give the characters of a page.

    In this order: byte order mark; UTF-8, when there are characters beyond ASCII and all bytes fit (which no other
    encoding does by chance); the charset of *media_type*; that of `<meta>`; the shape of UTF-16; a guess. A declared
    encoding that fits but for some damage is used with replacement characters. NUL characters are left out.

    >>> decode("Порт".encode("koi8-r"), "text/html; charset=koi8-r")
    'Порт'
    """
    return _decode(data, media_type).replace("\0", "")


def utf8(data: bytes, media_type: str | None = None) -> bytes:
    """Give the characters of a page as UTF-8: the bytes themselves, where they are that already.

    >>> utf8("Привет, мир".encode("koi8-r"), "text/html; charset=koi8-r").decode(), utf8("мир".encode()).decode()
    ('Привет, мир', 'мир')
    """
    if not (b"\0" in data or b"\x1b" in data or read_bom(data[:4])[0]):  # ESC begins the shifts of ISO-2022
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return data
    return decode(data, media_type).encode("utf-8", "replace")


def _decode(data: bytes, media_type: str | None) -> str:
    marked, mark = read_bom(data[:4])
    if marked is not None and mark is not None:
        return data[len(mark) :].decode(marked, "replace")
    declared = [http_content_type_encoding(media_type), html_body_declared_encoding(data)]
    known = [name for name in declared if name in _WEB_ENCODINGS]
    if "iso2022_jp" not in known:  # whose bytes are all ASCII
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
    if shape := _utf16_by_shape(data[:_SAMPLE_BYTES]):
        return data.decode(shape, "replace")
    for name in [*known, "utf-8"]:
        text = data.decode(name, "replace")
        if text.count("\ufffd") <= max(3, _MAX_DAMAGE * len(text)) and name not in ("utf-16", "utf-16-le", "utf-16-be"):
            return text
    return data.decode(_guess(data), "replace")


def _utf16_by_shape(sample: bytes) -> str | None:
    """Give the UTF-16 that has NUL in nearly every second byte, as markup has."""
    pairs = len(sample) // 2
    if pairs and sample[1::2].count(0) > 0.6 * pairs and sample[::2].count(0) < 0.1 * pairs:
        return "utf-16-le"
    if pairs and sample[::2].count(0) > 0.6 * pairs and sample[1::2].count(0) < 0.1 * pairs:
        return "utf-16-be"
    return None


def _guess(data: bytes) -> str:
    """Guess from the bytes outside markup; windows-1252 when nothing fits."""
    from charset_normalizer import from_bytes

    sample = _MARKUP.sub(b" ", data[: 8 * _SAMPLE_BYTES])[:_GUESS_BYTES]
    best = from_bytes(sample, cp_isolation=sorted(_WEB_ENCODINGS - {"iso8859-16", "mac-cyrillic", "cp866"})).best()
    return best.encoding if best is not None else _DEFAULT
