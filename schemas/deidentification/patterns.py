"""Regular expressions whose repetitions are bounded, so that searching a text takes linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

_BOUNDED: Final = re.compile(r"(?P<what>\\s|\\w|\[[^\[\]\n]*\])(?P<many>[*+])(?P<lazy>\??)")
_MOST: Final = 12
"""Spaces that may stand between two words of a pattern."""
_LONGEST: Final = 32
"""Signs of a word or a number in a pattern."""


_LETTERS: Final = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=4)
def word_starts(text: str) -> dict[str, list[int]]:
    """Return where each word of *text* begins, by the word in lower case.

    Searching only there is several times faster than trying a long list of words at each position.

    >>> word_starts("MRN: 12, the mrn")
    {'mrn': [0, 13], 'the': [9]}
    """
    starts: dict[str, list[int]] = {}
    for match in _LETTERS.finditer(text):
        starts.setdefault(match[0].lower(), []).append(match.start())
    return starts


def matches_at(pattern: re.Pattern[str], text: str, words: frozenset[str]) -> Iterator[re.Match[str]]:
    """Yield the matches of *pattern* that begin with one of *words*, in the order of the text, without overlaps."""
    starts = word_starts(text)
    at = 0
    for start in sorted(start for word in starts.keys() & words for start in starts[word]):
        match = pattern.match(text, start) if start >= at else None
        if match is not None:
            yield match
            at = match.end()


def first_words(pattern: str) -> frozenset[str]:
    """Return the words of *pattern*, among them those with which its alternatives begin: letters only.

    >>> sorted(first_words(r"mrn|charts?\\s*no"))
    ['chart', 'charts', 'mrn', 'no']
    """
    both = re.sub(r"\\[a-z]", " ", re.sub(r"([a-z]+)([a-z])\?", r"\1\2 \1 ", pattern.lower()))
    return frozenset(_LETTERS.findall(both))


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
