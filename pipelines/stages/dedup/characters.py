"""Tables of characters: their lower case, and whether they belong to words."""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from corpusmill.pipelines.stages.dedup.scripts import UNSPACED

_BASIC: Final = 1 << 16
"""Number of code points of the Basic Multilingual Plane: characters of up to three bytes."""
_COMMON: Final = 1 << 18
"""Number of code points of the first four planes: those whose first byte is 0xF0, such as emoji."""
_IN_WORD: Final = 1
_UNSPACED_LETTER: Final = 2
_UNSPACED_MARK: Final = 4
_SPECIAL: Final = -1
_FINAL_SIGMA: Final = 0x3A3
"""The only letter whose lower case depends on its neighbors in `str.lower`."""
_FOUR_BYTES: Final = 0xF0
"""The least first byte of a character of four bytes."""


class Characters(NamedTuple):
    """For each code point: its lower case (int32, -1 if it is not one fixed character), and its classes (uint8).

    The classes are bits: 1 in words, 2 letter of a script without spaces, 4 mark on such a letter.
    """

    lower: npt.NDArray[np.int32]
    classes: npt.NDArray[np.uint8]


def characters_for(utf8: npt.NDArray[np.uint8]) -> Characters:
    """Return tables that cover all characters of *utf8*."""
    greatest = int(utf8.max()) if len(utf8) else 0
    if greatest < _FOUR_BYTES:
        return _characters(_BASIC)
    return _characters(_COMMON if greatest == _FOUR_BYTES else sys.maxunicode + 1)


def unspaced_characters() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which of all code points are letters of scripts without spaces, and which are marks on such letters."""
    classes = _characters(sys.maxunicode + 1).classes
    return (classes & _UNSPACED_LETTER) > 0, (classes & _UNSPACED_MARK) > 0


@cache
def _characters(count: int) -> Characters:
    text = "".join(map(chr, range(count)))
    classes = np.fromiter(map(str.isalnum, text), np.bool_, count).astype(np.uint8)
    classes[ord("_")] = _IN_WORD
    is_unspaced = np.zeros(count, np.bool_)
    for first, last in UNSPACED:
        is_unspaced[first : last + 1] = True
    for point in np.flatnonzero(is_unspaced & (classes == 0)).tolist():
        if unicodedata.category(text[point]) in ("Mn", "Mc"):
            classes[point] = _UNSPACED_MARK
    classes[is_unspaced & (classes == _IN_WORD)] |= _UNSPACED_LETTER
    return Characters(_lower_case(text), classes)


def _lower_case(text: str) -> npt.NDArray[np.int32]:
    """Return the lower case of each of the characters 0, 1, 2, … of *text*."""
    basic = [character.lower() for character in text[:_BASIC]]
    lower = np.array([ord(low) if len(low) == 1 else _SPECIAL for low in basic], np.int32)
    lower[_FINAL_SIGMA] = _SPECIAL
    astral = text[_BASIC:].lower().encode("utf-32-le")
    return np.concatenate([lower, np.frombuffer(astral, np.int32)])
