"""Join the halves of a word that a line end divides, by the words of the document itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from corpusmill.crawlers.readers.pdf.glyphs import HYPHENS

_WORD: Final = re.compile(r"\w+(?:[-\u2010]\w+)*")
_FIRST_HALF: Final = re.compile(rf"([\w\u2010-]*\w)[{HYPHENS}]$")
_SECOND_HALF: Final = re.compile(r"\w+(?:-\w+)*")
_CONTROLS: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd\ufeff]")
"""Controls and private characters, which fonts of formulas use for parts of brackets."""
_KEEP: Final = frozenset("self well ex non quasi cross all half high low long short state so vice multi".split())
_JOINED: Final = frozenset("non multi".split())
"""Prefixes of `_KEEP` that are also written without a hyphen; only the words of the document decide."""


def words_of(lines: Iterable[str]) -> Counter[str]:
    """Count the words of *lines* in lower case, except a last one that a hyphen ends and the half that follows it."""
    counts: Counter[str] = Counter()
    follows = False
    for line in lines:
        words = [word.casefold().replace("\u2010", "-") for word in _WORD.findall(line)]
        divided = bool(_FIRST_HALF.search(line))
        counts.update(words[1 if follows else 0 : -1 if divided else None])
        follows = divided
    return counts


def joined(first: str, second: str, words: Counter[str]) -> str:
    """Return the line *first* followed by the line *second*.

    >>> joined("is repre-", "sented here", Counter()), joined("a well-", "known fact", Counter())
    ('is represented here', 'a well-known fact')
    >>> joined("the Ex-", "Präsident", Counter()), joined("an end-", "point", Counter({"end-point": 1}))
    ('the Ex-Präsident', 'an end-point')
    >>> joined("漢字", "仮名", Counter()), joined("two", "words", Counter())
    ('漢字仮名', 'two words')
    """
    half = _FIRST_HALF.search(first)
    rest = _SECOND_HALF.match(second)
    if half is None or rest is None:
        is_tight = bool(first and second) and ((_is_dense(first[-1]) and _is_dense(second[0])) or first[-1] == "/")
        return clean(first) + ("" if is_tight else " ") + second
    hyphen = "-" if _keeps_hyphen(half[1], rest[0], words) else ""
    return clean(first[:-1]) + hyphen + second


def clean(text: str) -> str:
    """Return *text* with the hyphens of the library as hyphens, and without soft ones."""
    return _CONTROLS.sub("", text.replace("\x02", "-").replace("\ufffe", "-").replace("\xad", ""))


def _keeps_hyphen(first: str, second: str, words: Counter[str]) -> bool:
    if not second[0].isalpha() or not first[-1].isalpha():
        return True
    low, high = first.casefold(), second.casefold()
    whole, hyphenated = words[low + high], words[f"{low}-{high}"]
    if whole or hyphenated:
        return hyphenated > whole
    if "-" in first or not second[0].islower():
        return True
    if low in _KEEP and low not in _JOINED:
        return True
    head = high.partition("-")[0]
    return len(low) > 3 and len(head) > 3 and words[low] > 1 and words[head] > 1


def _is_dense(character: str) -> bool:
    """Return whether *character* is of a script that has no spaces between words."""
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or "\uff00" <= character <= "\uffef"
