"""Detection of binary data, and of UTF-16 without a byte order mark."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Final

from corpusmill.schemas.decoding.declarations import byte_order_mark

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
_CONTROLS: Final = bytes([*range(1, 9), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])
"""Bytes that do not occur in text (WHATWG MIME Sniffing, 3, "binary data byte"), except NUL and the vertical tab, with
which word processors break lines."""
_MAX_CONTROLS: Final = 0.02
"""Largest share of control characters in text: some pages have a stray one; of random bytes, a tenth are."""
_MAX_NULS: Final = 0.02
_MAX_OTHER_NULS: Final = 0.02
_MIN_NULS: Final = 0.08
"""Smallest share of spaces, digits and Latin letters in text of any script that uses spaces."""
_BLOCKS: Final = 5
"""Number of 256-character blocks of Unicode that contain nearly all text of a language."""
_MIN_PAIRS: Final = 4
_ALPHABETS: Final = bytes((*range(3, 9), 0x0E, 0x0F))
"""High bytes of the code points from Greek to Syriac, and from Thai to Tibetan."""
_EAST_ASIAN_BYTES: Final = 1_024
_MIN_FREQUENT: Final = 0.85
"""Smallest share of frequent characters in East Asian text; other bytes, read in pairs, have a third."""


def is_binary(data: bytes, *, may_be_padded: bool = False) -> bool:
    """Return whether *data* is binary: it has a known signature, or many control characters near its beginning.

    With *may_be_padded*, NUL does not count as a control character, because some pages are padded with it.

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
    """Return the byte order of UTF-16 without a byte order mark, or None if *data* is not UTF-16.

    In UTF-16, every second byte is one of a few values: NUL, or the control character that is the high byte of an
    alphabet. In East Asian text, nearly all pairs of bytes are frequent characters.

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
    """Return the frequent characters of East Asian languages, and their punctuation."""
    from corpusmill.schemas.decoding.letters import shipped  # imports numpy, which most pages do not need

    ranges = ((0x20, 0x7F), (0x3000, 0x3100), (0xFF01, 0xFF5F))
    marks = (chr(code) for first, last in ranges for code in range(first, last))
    return frozenset("\n\r").union(marks, *shipped().ideographs.values())
