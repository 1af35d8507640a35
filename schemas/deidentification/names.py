"""Names of people: known from the record, after a word that announces one, on a list, or in no dictionary.

A capitalized word that no dictionary of English, medicine or drugs has is a name. A name that is also a word (`Rose`,
`White`) counts where a word would not be capitalized, after a word that announces a name, and beside a name. A name
that is found once is also replaced where only a part of it follows, except where it is part of a medical term
(`Parkinson disease`, `Foley catheter`).
"""

from __future__ import annotations

from collections.abc import Iterator

from corpusmill.schemas.deidentification.capitalized import judge
from corpusmill.schemas.deidentification.found import PARTICLES, Found
from corpusmill.schemas.deidentification.lower_case import judge_lower
from corpusmill.schemas.deidentification.nearby import beside, credited, initials, quoted, repeated
from corpusmill.schemas.deidentification.spans import Span


def name_spans(text: str, known: frozenset[str] = frozenset()) -> Iterator[Span]:
    """Yield the names of people in *text*.

    Args:
        known: Folded words of names that the record states (`known.name_words`).

    >>> text = "Mr. Okonkwo saw Dr. Ana Lee for Parkinson disease. Okonkwo may have a Foley catheter."
    >>> [text[span.start : span.end] for span in name_spans(text)]
    ['Okonkwo', 'Ana Lee', 'Okonkwo']
    """
    found = Found(text, known)
    credited(found)
    for index, word in enumerate(found.words):
        if word.is_capitalized:
            judge(found, index)
        elif not (word.traits.is_plain_word and len(word.word) > 1 and word.word not in PARTICLES):
            judge_lower(found, index)
    quoted(found)
    beside(found, found.marked)
    before = set(found.marked)
    repeated(found)
    beside(found, found.marked - before)
    initials(found)
    yield from _joined(found)


def _joined(found: Found) -> Iterator[Span]:
    """Yield the marked words; those of one name are one span."""
    run: list[int] = []
    for index in sorted(found.marked):
        if run and not (index == run[-1] + 1 and _is_within_name(found, run[-1])):
            yield _span(found, run)
            run = []
        run.append(index)
    if run:
        yield _span(found, run)


def _is_within_name(found: Found, index: int) -> bool:
    """Return whether what follows the word belongs to the same name as the word."""
    gap = found.words.gap(index)
    is_short = len(found.words[index].word) == 1 or found.words[index].word == "st"
    return gap in (" ", ", ", "  ", "\t", "^") or (gap in (". ", ".") and is_short)


def _span(found: Found, run: list[int]) -> Span:
    last = found.words[run[-1]]
    end = last.end + (1 if len(last.word) == 1 and found.text[last.end : last.end + 1] == "." else 0)
    return Span(found.words[run[0]].start, end, "name")
