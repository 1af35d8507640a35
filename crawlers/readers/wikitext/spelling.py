"""Whole numbers in English words, as ``{{convert|…|spell=in}}`` writes them."""

from __future__ import annotations

from typing import Final

_SMALL: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES: Final = ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred"))


def spelled(text: str) -> str:
    """Return the number *text* in words; numbers with decimals, and from 1,000 million on, as they are.

    >>> spelled("5"), spelled("1,342"), spelled("2.5"), spelled("60000")
    ('five', 'one thousand three hundred and forty-two', '2.5', 'sixty thousand')
    """
    digits = text.replace(",", "")
    return _words(int(digits)) if digits.isdecimal() and len(digits) < 10 else text


def _words(value: int) -> str:
    if value < len(_SMALL):
        return _SMALL[value]
    for scale, name in _SCALES:
        if value >= scale:
            count, rest = divmod(value, scale)
            joint = " and " if rest and (rest < 100 or scale == 100) else " "
            return f"{_words(count)} {name}" + (joint + _words(rest) if rest else "")
    ten, rest = divmod(value, 10)
    return _TENS[ten - 2] + (f"-{_SMALL[rest]}" if rest else "")
