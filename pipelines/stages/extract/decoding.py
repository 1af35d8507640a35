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
_FIRST_BYTES: Final = 8_192
"""That tell whether data is binary; more would take a twentieth of the time of a page."""
_GUESS_BYTES: Final = 4_096
_MAX_DAMAGE: Final = 0.005
"""Share of replacement characters up to which a declared encoding is believed: a page cut in the middle of a character
has one, a French page in the wrong encoding has 3 %."""
_NON_LATIN: Final = 0.3
"""Least share of letters beyond ASCII in a text of another script; Czech has 0.15, Vietnamese 0.25."""
_LANGUAGE: Final = re.compile(rb"<html\b[^>]{0,500}?\slang\s*=\s*[\"']?([a-zA-Z]{2})(?![a-zA-Z])", re.IGNORECASE)
_LATIN: Final = {
    **dict.fromkeys(("az", "tr"), "cp1254"),
    **dict.fromkeys(("et", "lt", "lv"), "cp1257"),
    **dict.fromkeys(("bs", "cs", "hr", "hu", "pl", "ro", "sk", "sl", "sq"), "cp1250"),
    "vi": "cp1258",
}
"""What a page of a language in Latin script is written in when it is not in windows-1252 (HTML Standard, 13.2.3.2)."""
_HIGH: Final = bytes(range(128, 256))
_LETTERS: Final = bytes((*range(65, 91), *range(97, 123)))
_ONLY_WINDOWS: Final = bytes(range(128, 160))
_MARKUP: Final = re.compile(rb"<[^>]{0,2000}>")
_LONG_ASCII: Final = re.compile(rb"[\x00-\x7f]{200,}")
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
    sample = data[:_FIRST_BYTES]
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
        if name.startswith("utf-16") or (name == "utf-8" and not _is_mostly_utf8(data)):
            continue
        text = data.decode(name, "replace")
        if text.count("\ufffd") <= max(3, _MAX_DAMAGE * len(text)):
            return text
    return data.decode(_guess(data), "replace")


def _is_mostly_utf8(data: bytes) -> bool:
    """Tell whether more of the characters beyond ASCII are whole than broken; a last one that was cut is not counted.

    Elsewhere the odd byte is a quotation mark of windows-1252.
    """
    text = data[:-3].decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return len(text) - len(text.encode("ascii", "ignore")) >= 2 * broken


def _utf16_by_shape(sample: bytes) -> str | None:
    """Give the UTF-16 that has NUL in nearly every second byte, as markup has."""
    pairs = len(sample) // 2
    if pairs and sample[1::2].count(0) > 0.6 * pairs and sample[::2].count(0) < 0.1 * pairs:
        return "utf-16-le"
    if pairs and sample[::2].count(0) > 0.6 * pairs and sample[1::2].count(0) < 0.1 * pairs:
        return "utf-16-be"
    return None


def _guess(data: bytes) -> str:
    """Guess from the bytes outside markup; for Latin script from the language that the page declares."""
    sample = _MARKUP.sub(b" ", data[: 8 * _SAMPLE_BYTES])
    high = len(sample) - len(sample.translate(None, _HIGH))
    letters = len(sample) - len(sample.translate(None, _LETTERS))
    if high < _NON_LATIN * (high + letters):
        return _latin(data, sample)
    from charset_normalizer import from_bytes

    names = sorted(_WEB_ENCODINGS - {"iso8859-16", "mac-cyrillic", "cp866"})
    best = from_bytes(_LONG_ASCII.sub(b" ", sample)[:_GUESS_BYTES], cp_isolation=names).best()
    return best.encoding if best is not None else _DEFAULT


def _latin(data: bytes, sample: bytes) -> str:
    declared = _LANGUAGE.search(data[:_GUESS_BYTES])
    name = _LATIN.get(declared[1].decode().lower(), _DEFAULT) if declared else _DEFAULT
    if name == "cp1250" and len(sample) == len(sample.translate(None, _ONLY_WINDOWS)):
        return "iso8859-2"
    return name
