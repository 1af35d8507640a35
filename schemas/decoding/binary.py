"""Whether bytes are text in any encoding."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Final

from corpusmill.schemas.decoding.declarations import byte_order_mark
from corpusmill.schemas.decoding.letters import shipped

_HEAD_BYTES: Final = 8_192
_MAGIC: Final = (
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
_CONTROLS: Final = bytes([*range(1, 9), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])
"""What no text has (WHATWG MIME Sniffing, 3, "binary data byte"), but NUL."""
_MAX_CONTROLS: Final = 0.02
"""Pages with a stray control character exist; among random bytes a tenth are such."""
_MAX_NULS: Final = 0.02
_MAX_OTHER_NULS: Final = 0.02
_MIN_NULS: Final = 0.08
"""Share of spaces, figures and Latin letters in text of any script that has spaces."""
_BLOCKS: Final = 5
"""Pages of Unicode that text in a language is from, nearly all of it."""
_MIN_PAIRS: Final = 4
_ALPHABETS: Final = bytes((*range(3, 9), 0x0E, 0x0F))
"""First bytes of the letters of Greece to Syria, and of Thailand to Tibet."""
_EAST_ASIAN_BYTES: Final = 1_024
_MIN_FREQUENT: Final = 0.85
"""Share of frequent characters in text of East Asia; other bytes in pairs have a third."""


def is_binary(data: bytes, *, may_be_padded: bool = False) -> bool:
    """Return whether *data* is no text: a known signature, or many control characters near its beginning.

    With *may_be_padded*, NUL is not one of these: some pages are filled up with it.

    >>> is_binary(b"%PDF-1.7 ..."), is_binary(b"caf\\xe9"), is_binary("UTF-16".encode("utf-16-le"))
    (True, False, False)
    """
    head = data[:_HEAD_BYTES]
    if head.startswith(_MAGIC):
        return True
    controls = len(head) - len(head.translate(None, _CONTROLS))
    nuls = 0 if may_be_padded else head.count(0)
    if controls <= _MAX_CONTROLS * len(head) and nuls <= _MAX_NULS * len(head):
        return False
    return byte_order_mark(head) is None and utf16_by_shape(head) is None


def utf16_by_shape(data: bytes) -> str | None:
    """Return the UTF-16 in which *data* is, without a byte order mark.

    Every other byte is one of a few, and they are NUL or the control character that stands for an alphabet; or nearly
    all pairs are characters that are frequent in East Asia.

    >>> utf16_by_shape("Привет, мир, как дела".encode("utf-16-le")), utf16_by_shape(b"padded\\0\\0")
    ('utf-16-le', None)
    """
    sample = data[:_HEAD_BYTES]
    sample = sample[: len(sample) // 2 * 2]
    if len(sample) < 2 * _MIN_PAIRS:
        return None
    codecs = (("utf-16-le", sample[1::2], sample[::2]), ("utf-16-be", sample[::2], sample[1::2]))
    for codec, high, low in codecs:
        if low.count(0) <= max(_MAX_OTHER_NULS * len(low), high.count(0) // 4) and _has_few_blocks(high):
            return codec
    return next(
        (codec for codec, *_ in codecs if _is_east_asian(sample[:_EAST_ASIAN_BYTES].decode(codec, "replace"))), None
    )


def _has_few_blocks(high: bytes) -> bool:
    most = Counter(high).most_common(_BLOCKS)
    if sum(count for _, count in most) < (1 - _MAX_OTHER_NULS) * len(high):
        return False
    return high.count(0) >= _MIN_NULS * len(high) or (most[0][0] in _ALPHABETS and most[0][1] > len(high) // 2)


def _is_east_asian(text: str) -> bool:
    if text.isascii() or text.count("\ufffd") > 1:
        return False
    frequent = sum(character in _frequent() for character in text)
    return frequent >= _MIN_FREQUENT * len(text)


@cache
def _frequent() -> frozenset[str]:
    """Return the frequent characters of East Asia, and what stands between them."""
    ranges = ((0x20, 0x7F), (0x3000, 0x3100), (0xFF01, 0xFF5F))
    marks = (chr(code) for first, last in ranges for code in range(first, last))
    return frozenset("\n\r").union(marks, *shipped().ideographs.values())
