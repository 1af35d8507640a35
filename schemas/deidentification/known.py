"""What the structured part of a record says about its people, and where that stands in the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from corpusmill.schemas.deidentification.spans import Span

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_DIGITS: Final = re.compile(r"(?<![\w])\+?\(?\d[\d ().-]{3,24}\d(?!\w)")
_DISEASE: Final = re.compile(r"\s+(?:disease|syndrome|virus|fever|borreliosis)", re.IGNORECASE)
"""After a word that is also a place: Lyme disease."""
_MIN_VALUE: Final = 4
_MIN_MIXED: Final = 3
"""Signs of a value with letters and digits, such as `P-77`."""
_MIN_DIGITS: Final = 5
_TITLES: Final = frozenset("dr mr mrs ms miss md do rn np pa phd prof jr sr ii iii iv dds the of and".split())


@dataclass(frozen=True)
class Known:
    """Identifiers of the people of a record.

    Args:
        names: Words of their names, folded with `folded`.
        values: Numbers, addresses and the like, with their kinds.
        births: Dates of birth.
    """

    names: frozenset[str] = frozenset()
    values: tuple[tuple[str, str], ...] = ()
    births: frozenset[date] = frozenset()

    def __or__(self, other: Known) -> Known:
        """Return what either knows."""
        return Known(self.names | other.names, tuple(sorted({*self.values, *other.values})), self.births | other.births)


@dataclass
class Gathered:
    """Collects identifiers from the fields of a record."""

    _names: set[str] = field(default_factory=set)
    _values: set[tuple[str, str]] = field(default_factory=set)
    _births: set[date] = field(default_factory=set)

    def name(self, name: str | None) -> None:
        """Add the words of a *name*."""
        self._names.update(word for word in name_words(name or "") if word not in _TITLES)

    def value(self, value: str | None, kind: str) -> None:
        """Add a number, an address or the like. Values that are too short to mean anything alone are left out."""
        value = (value or "").strip()
        signs = sum(map(str.isalnum, value))
        has_digits = any(map(str.isdigit, value))
        least = _MIN_MIXED if has_digits and any(map(str.isalpha, value)) else _MIN_VALUE
        if signs >= least and (not value.isdigit() or signs >= _MIN_DIGITS) and (has_digits or kind != "id"):
            self._values.add((value, kind))

    def birth(self, born: date | None) -> None:
        """Add a date of birth."""
        if born is not None:
            self._births.add(born)

    def known(self) -> Known:
        """Return what was collected."""
        return Known(frozenset(self._names), tuple(sorted(self._values)), frozenset(self._births))


def name_words(name: str) -> Iterator[str]:
    """Yield the folded words of *name*, also the parts of a word with a hyphen; no initials.

    >>> sorted(name_words("García-Lee, Ana M."))
    ['ana', 'garcia', 'garcia-lee', 'lee']
    """
    for word in _WORD.findall(name):
        yield from (folded(part) for part in {word, *word.split("-")} if len(part) > 1)


def folded(word: str) -> str:
    """Return *word* in lower case without accents and with plain apostrophes.

    >>> folded("O’Núñez")
    "o'nunez"
    """
    if word.isascii():
        return word.lower()
    plain = unicodedata.normalize("NFKD", word.replace("’", "'"))
    return "".join(sign for sign in plain if not unicodedata.combining(sign)).casefold()


def value_spans(text: str, values: Iterable[tuple[str, str]]) -> Iterator[Span]:
    """Yield where *values* stand in *text*, in any case, and numbers with any separators.

    >>> text = "555.010.2000 or 5550102000"
    >>> [text[span.start : span.end] for span in value_spans(text, [("(555) 010-2000", "phone")])]
    ['555.010.2000', '5550102000']
    """
    lower = text.lower()
    lower = lower if len(lower) == len(text) else text
    numbers: dict[str, str] = {}
    for value, kind in values:
        digits = "".join(filter(str.isdigit, value))
        if len(digits) >= _MIN_DIGITS and not any(map(str.isalpha, value)):
            numbers[digits] = kind
            if len(digits) == 11 and digits.startswith("1"):
                numbers[digits[1:]] = kind
        is_word = kind == "place" and not digits
        for at in _places(lower, value.lower()):
            if not (is_word and (text[at].islower() or _DISEASE.match(text, at + len(value)))):
                yield Span(at, at + len(value), kind)
    if numbers:
        for match in _DIGITS.finditer(text):
            digits = "".join(filter(str.isdigit, match[0]))
            found = numbers.get(digits) or numbers.get(digits[1:])
            if found is not None:
                yield Span(*match.span(), found)


def _places(text: str, value: str) -> Iterator[int]:
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not (text[at - 1 : at].isalnum() and value[0].isalnum()) and not text[end : end + 1].isalnum():
            yield at
        at = text.find(value, at + 1)
