"""Ages over 89, which the Safe Harbor rule groups as one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from corpusmill.schemas.deidentification.patterns import compiled, word_starts
from corpusmill.schemas.deidentification.spans import Span

_OLD: Final = r"(?:9\d|1[0-2]\d)"
_BEFORE: Final = 40
_AFTER: Final = 60
"""Characters around a number that decide whether it is an age."""
_OLD_DIGITS: Final = compiled(r"(?=[19])(?<![\d.])(?:9\d|1[0-2]\d)(?!\d)")
_WORDS: Final = (
    r"(?:ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|one hundred(?:[- ](?:and )?\w+)?"
    r"|an? hundred(?:[- ]and[- ]\w+)?)"
)
_PATTERN: Final = compiled(
    rf"(?<![\w./-])(?P<a>(?:{_OLD}|{_WORDS})\s*-?\s*(?:years?|yrs?|yo|y/o|y\.o\.?|yr)(?:[-\s]+(?:old|of\s+age))?)"
    r"(?=(?P<tail>\W|\Z))"
    rf"|\b(?:age[ds]?|aged|turn(?:ed|ing|s)|at age|age is)\s*[:=]?\s*(?:of\s+)?(?P<b>{_OLD})(?![\w/%-]|\.\d)"
    rf"|\b(?P<c>{_OLD})(?:th|st|nd|rd)\s+birthday"
    rf"|(?:\A|[.,;:\n]\s*|\b(?:is an?|an?|for|this)\s+)(?P<d>{_OLD}\s?[MFmf])(?=\s+(?:with|w/|who|presents?"
    rf"|presenting|admitted|s/p|c/o|here|\())"
    rf"|(?<![\w./-])(?P<e>{_OLD}(?-i:[MF]))(?![\w/])"
    rf"|\b(?:she|he|they|who|is now|lived to(?:\s+be)?|died at|until|reached)\s+(?:is\s+|was\s+|are\s+)?(?:now\s+)?"
    rf"(?P<f>{_OLD}|{_WORDS})(?=[.,;)\n]|\s+(?:and|but|now|when)\b|\Z)"
    rf"|\bage[ds]?\s+(?:of\s+)?(?P<g>{_WORDS})\b(?!-|\s?(?:year|yr)|\s+and\b)",
    re.IGNORECASE,
)
_NO_AGE: Final = compiled(r"[-\s]*(?:pack|of (?!age)|history|ago|follow|smok|surviv|warrant|experience)", re.IGNORECASE)
_HAS_OLD: Final = compiled(r"(?:old|age|yo|y/o|y\.o\.?)\Z", re.IGNORECASE)


def _matches(text: str) -> Iterator[re.Match[str]]:
    """Yield the matches around the numbers and words that may be ages over 89; the pattern is slow to search with."""
    starts = [match.start() for match in _OLD_DIGITS.finditer(text)]
    words = word_starts(text)
    starts = sorted((*starts, *words.get("ninety", ()), *words.get("hundred", ())))
    at = 0
    for start in starts:
        for match in _PATTERN.finditer(text, max(at, start - _BEFORE), start + _AFTER):
            if match.start() > start:
                break  # it may be cut; it has a number of its own
            yield match
            at = match.end()


def age_spans(text: str) -> Iterator[Span]:
    """Yield the ages over 89 in *text*.

    >>> [span.replacement for span in age_spans("A 94-year-old man, age 94, smoked 90 pack-years, weighs 95 kg.")]
    ['90 or older', '90 or older']
    """
    for match in _matches(text):
        group = next(name for name in "abcdefg" if match[name] is not None)
        start, end = match.span(group)
        if group == "a" and not _HAS_OLD.search(match[group]) and _NO_AGE.match(text, end):
            continue
        if (
            group == "a"
            and match[group].lower().endswith(("year", "years", "yr", "yrs"))
            and not _is_person(text, start)
            and not (text[max(0, start - 2) : start] == ", " and text[end : end + 1] in (",", ";", "."))
        ):
            continue
        yield Span(start, end, "date", "90 or older")


_PERSON: Final = compiled(r"(?i:\b(?:is|age[ds]?|was|an?)[:\s]+)\Z")


def _is_person(text: str, start: int) -> bool:
    return _PERSON.search(text, max(0, start - 12), start) is not None
