"""Regular expressions whose repetitions are bounded, so that searching a text takes linear time."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_BOUNDED: Final = re.compile(r"(?P<what>\\s|\\w|\[[^\[\]\n]*\])(?P<many>[*+])(?P<lazy>\??)")
_MOST: Final = 12
"""Spaces that may stand between two words of a pattern."""
_LONGEST: Final = 32
"""Signs of a word or a number in a pattern."""


_LETTERS: Final = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=4)
def words_of(text: str) -> frozenset[str]:
    """Return the words of *text* in lower case; a detector whose words are not among them need not search it.

    >>> sorted(words_of("MRN: 12, the mrn"))
    ['mrn', 'the']
    """
    return frozenset(_LETTERS.findall(text.lower()))


def first_words(pattern: str) -> frozenset[str]:
    """Return the words with which the alternatives of *pattern* begin: letters only.

    >>> sorted(first_words(r"mrn|chart\\s*no"))
    ['chart', 'mrn']
    """
    return frozenset(_LETTERS.findall(re.sub(r"\\[a-z]|\?", " ", pattern.lower())))


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compile *pattern* after bounding its repetitions of a class of characters.

    >>> compiled(r"a\\s*\\w+").pattern
    'a\\\\s{0,12}\\\\w{1,32}'
    """

    def bounded(match: re.Match[str]) -> str:
        least = 0 if match["many"] == "*" else 1
        is_space = ("s" in match["what"] and "\\s" in match["what"]) or match["what"].startswith("[ ")
        most = _MOST if is_space and "^" not in match["what"] else _LONGEST
        return f"{match['what']}{{{least},{_URL if '^' in match['what'] else most}}}{match['lazy']}"

    return re.compile(_BOUNDED.sub(bounded, pattern), flags)


_URL: Final = 2000
"""Signs of a web address or the rest of a line."""
