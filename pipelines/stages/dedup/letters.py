"""The letters of a text: what two copies share that differ only in case, white space or punctuation."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.schemas.identity import ID_LENGTH

_LOWER: Final = bytes(range(256)).lower()
_DROPPED: Final = bytes(code for code in range(128) if not chr(code).isalnum())
"""ASCII without letters and digits. Bytes from 128 on belong to other characters of UTF-8."""
_WORD: Final = re.compile(r"[^\W_]")
_KEPT_CATEGORIES: Final = frozenset("LMN")
"""Letters, marks (which are vowels in Indic scripts) and numbers, as the first letter of a Unicode category."""


def letters(text: bytes) -> bytes:
    """Return the letters, marks and numbers of *text* (UTF-8), in the forms of NFKC and case-folded.

    Empty if there is no letter and no number.

    >>> letters("“Hello,  World!”".encode()), letters("Stra\u00dfe".encode()) == letters(b"STRASSE"), letters(b"* * *")
    (b'helloworld', True, b'')
    """
    plain = text.translate(_LOWER, _DROPPED)
    return plain if plain.isascii() else _unicode_letters(plain.decode())


def _unicode_letters(text: str) -> bytes:
    kept = _without_others(text)
    folded = unicodedata.normalize("NFKC", kept).casefold()
    if len(folded) != len(kept):
        folded = _without_others(folded)  # ½ becomes 1⁄2, with a sign between two digits
    return folded.encode() if _WORD.search(folded) else b""


def _without_others(text: str) -> str:
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    kept = _kept()[points]
    return text if kept.all() else points[kept].tobytes().decode("utf-32-le")


@cache
def _kept() -> npt.NDArray[np.bool_]:
    """Return, for each code point, whether it is kept. Takes 0.1 s, so it is computed for the first such text."""
    count = 0x110000
    return np.fromiter((unicodedata.category(chr(point))[0] in _KEPT_CATEGORIES for point in range(count)), bool, count)


def letter_hashes(texts: pa.StringArray) -> pa.StringArray:
    """Return the first 128 bits of SHA-256 over the `letters` of each text; null without any, and for null.

    >>> letter_hashes(pa.array(["A b.", "ab", "...", None])).to_pylist()[1:]
    ['fb8e20fc2e4c3f248c60c39bd652f3c1', None, None]
    """
    return pa.array(
        [_hash(letters(text)) if text else None for text in texts.cast(pa.binary()).to_pylist()], pa.string()
    )


def _hash(text: bytes) -> str | None:
    return hashlib.sha256(text).hexdigest()[:ID_LENGTH] if text else None
