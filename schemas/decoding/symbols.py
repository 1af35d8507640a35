"""Character classes for the encoding statistics: letters of a script, and a few classes for everything else."""

from __future__ import annotations

import unicodedata
from typing import Final

SPACE, DIGIT, CLOSE, OPEN, APOSTROPHE, ASCII, OPENING, CLOSING, DASH, NO_BREAK, UNIT, SUFFIX, RARE, BAD = range(14)
LETTER, IDEOGRAPH, IDEOGRAPHIC_MARK = range(14, 17)
CLASSES: Final = 17

_CLASS_OF: Final = {
    **dict.fromkeys(" \t\n\r\f\u3000", SPACE),
    **dict.fromkeys("0123456789", DIGIT),
    **dict.fromkeys(".,;:!?)]}\u060c\u061b\u061f", CLOSE),
    **dict.fromkeys("([{", OPEN),
    **dict.fromkeys("'\u2019´", APOSTROPHE),
    **dict.fromkeys("“‘„‚«‹¿¡", OPENING),
    **dict.fromkeys("”»›…", CLOSING),
    **dict.fromkeys("–—•·", DASH),
    "\u00a0": NO_BREAK,
    **dict.fromkeys("£€¥§©№₪₫", UNIT),
    **dict.fromkeys("°®™‰²³½¼¾ªº¢", SUFFIX),
    **dict.fromkeys("\u200e\u200f\u200c\u200d\u00ad", RARE),
}
_BASE: Final = (1.5, 4.0, 4.0, 6.0, 5.0, 6.0, 7.5, 7.5, 7.0, 6.0, 8.5, 8.5, 11.0, 14.0, 0.0, 0.0, 1.0)
"""Cost in nats of a character of each class; letters and ideographs have costs per language."""
_AFTER: Final = {
    (LETTER, OPENING): 5.0,
    (SPACE, OPENING): -2.0,
    (OPEN, OPENING): -1.0,
    (OPENING, SPACE): 2.5,
    (OPENING, CLOSE): 3.0,
    (SPACE, CLOSING): 3.0,
    (LETTER, CLOSING): -1.0,
    (CLOSE, CLOSING): -1.0,
    (CLOSING, LETTER): 5.0,
    (CLOSING, DIGIT): 2.0,
    (LETTER, APOSTROPHE): -1.0,
    (SPACE, APOSTROPHE): 4.0,
    (SPACE, DASH): -2.0,
    (LETTER, DASH): 1.5,
    (SPACE, UNIT): -1.0,
    (LETTER, UNIT): 5.0,
    (UNIT, LETTER): 4.0,
    (UNIT, DIGIT): -3.0,
    (DIGIT, SUFFIX): -1.5,
    (LETTER, SUFFIX): 2.5,
    (SPACE, SUFFIX): 3.0,
    (SUFFIX, LETTER): 3.0,
    (DIGIT, LETTER): 3.0,
    (LETTER, DIGIT): 3.0,
    (LETTER, RARE): 2.0,
    (RARE, LETTER): 2.0,
    (RARE, RARE): -2.0,
    (DIGIT, DIGIT): -2.5,
    (SPACE, SPACE): -0.5,
    (CLOSE, SPACE): -1.0,
    (CLOSE, LETTER): 2.0,
    (SPACE, CLOSE): 3.0,
    (ASCII, ASCII): -2.0,
    (SPACE, NO_BREAK): -1.0,
    (NO_BREAK, NO_BREAK): -5.0,
    (NO_BREAK, SPACE): -0.5,
    (LETTER, NO_BREAK): 1.0,
    (NO_BREAK, LETTER): 1.0,
    (LETTER, IDEOGRAPH): 9.0,
    (IDEOGRAPH, LETTER): 7.0,
    (IDEOGRAPH, SPACE): 1.0,
    (IDEOGRAPH, DIGIT): 1.0,
    **{(IDEOGRAPH, other): 2.0 for other in (OPENING, CLOSING, DASH, NO_BREAK, UNIT, SUFFIX, RARE)},
}
"""Nats added for the class of the previous character: `£` is common before digits, and `”` after letters."""


def class_of(character: str) -> int:
    """Return the class of *character*.

    >>> [class_of(character) == wanted for character, wanted in (("é", LETTER), ("£", UNIT), ("語", IDEOGRAPH))]
    [True, True, True]
    """
    known = _CLASS_OF.get(character)
    if known is not None:
        return known
    code = ord(character)
    if code < 128:
        return LETTER if character.isalpha() else BAD if code < 32 or code == 127 else ASCII
    if 0x3001 <= code <= 0x3030 or 0xFF01 <= code <= 0xFF20 or code in (0x30FB, 0x30FC):
        return IDEOGRAPHIC_MARK
    if code >= 0x2E80:
        is_known = 0x3040 <= code < 0xE000 or 0xF900 <= code < 0xFB00 or code >= 0x20000
        return IDEOGRAPH if is_known and not 0xD800 <= code < 0xE000 else BAD
    kind = unicodedata.category(character)
    if kind[0] == "L" or kind in ("Mn", "Mc"):
        return LETTER
    return BAD if kind[0] == "C" or 0x2500 <= code < 0x2600 else RARE


def class_costs() -> list[list[float]]:
    """Return the cost in nats of each class (column) after each class (row)."""
    return [
        [max(0.0, _BASE[after] + _AFTER.get((before, after), 0.0)) for after in range(CLASSES)]
        for before in range(CLASSES)
    ]


CASE_COSTS: Final = ((0.0, 0.2, 1.6), (0.0, 0.0, 6.0), (0.0, 0.45, 1.0))
"""Cost in nats of the case of a character (column: none, lower, upper) after another character's case (row).

A capital is common at the start of a word and in words of capitals only.
"""


def case_of(character: str) -> int:
    """Return 0 for a character without case, 1 for a lower-case and 2 for an upper-case letter.

    >>> [case_of(character) for character in "1éÉ"]
    [0, 1, 2]
    """
    if class_of(character) != LETTER or character.lower() == character.upper():
        return 0
    return 2 if character.isupper() else 1
