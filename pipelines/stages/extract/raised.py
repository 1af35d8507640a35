"""Superscripts and subscripts in plain text: `10⁶` and `H₂O`, so that numbers keep their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from corpusmill.pipelines.stages.extract.content import Block, Span

_SIGNS: Final = {
    "sup": str.maketrans("0123456789+-−=()abcdefghijklmnoprstuvwxyz", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"),
    "sub": str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ"),
}
"""Superscripts and Subscripts of Unicode (U+2070 to U+209F), with modifier letters for missing ones."""
_MARKS: Final = {"sup": "^", "sub": "_"}
_MAX_CHARS: Final = 12
"""Maximum length; longer text is small print."""
_NOTE: Final = re.compile(r"\[.*\]|[*†‡§¶#,\s]+|\(.*\)", re.DOTALL)
"""Note marks: `[1]`, `*`, `(a)`."""
_WORD: Final = re.compile(r"[^\W\d_]{4,}$")
_BASE: Final = re.compile(r"(?<![^\W\d_])(?:[^\W\d_]{1,2}|\d+)$|[)\]}⟩|′]$")
"""Text that can have an exponent or index: a name of one or two letters, a number, a bracket."""
_ENDS_SENTENCE: Final = frozenset(".,;:!?…\"'”’»。，、」』")
_ISOTOPE: Final = re.compile(r"[A-Z][a-z]?(?![^\W\d_])")
_NUMBER: Final = re.compile(r"(?:\d|(?<![^\W\d_])[IVXLCDM]+)$")
_NUMERO: Final = re.compile(r"(?<![^\W\d_])[Nn]$")
"""Of `No`, the word for a number."""
_DENOMINATOR: Final = re.compile(r"[/⁄]\d")
_ENDS_IN_NUMBER: Final = re.compile(r"\d[.,]?$")
_ORDINALS: Final = frozenset("aeoºª")
"""Letters that make a number an ordinal: `1e`, `2o`, `3a`."""


class Change(NamedTuple):
    """A replacement of the characters `start` to `end` of a text."""

    start: int
    end: int
    text: str


def changes(block: Block) -> Iterator[Change]:
    """Yield the replacements for exponents and indices of *block*, excluding note marks and ordinals.

    >>> [change.text for change in changes(Block("paragraph", "3×106 m", spans=(Span("sup", 4, 5),)))]
    ['⁶']

    The mark of a note directly behind a number is put in brackets, because it would make another number of it.

    >>> note = Block("paragraph", "in 12041 by", spans=(Span("sup", 7, 8), Span("link", 7, 8, "#fn1")))
    >>> [change.text for change in changes(note)]
    ['[1]']
    """
    links = [span for span in block.spans if span.kind == "link"]
    for span in _apart(block.spans):
        raised = block.text[span.start : span.end]
        if _is_note(raised, span, links):
            if raised[:1].isdecimal() and _ENDS_IN_NUMBER.search(block.text, 0, span.start):
                yield Change(span.start, span.end, f"[{raised}]")
        elif _changes_meaning(raised, block.text, span):
            yield Change(span.start, span.end, _with_inner(raised, span, block.spans))


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Return the outermost superscript and subscript spans, in order."""
    outermost: list[Span] = []
    for span in sorted((span for span in spans if span.kind in _SIGNS), key=lambda span: (span.start, -span.end)):
        if span.start < span.end and (not outermost or span.start >= outermost[-1].end):
            outermost.append(span)
    return outermost


def _is_note(raised: str, span: Span, links: Iterable[Span]) -> bool:
    """Return whether a mark refers to a note: all of it is a link, or it is written like a note mark."""
    if span.kind == "sup" and _NOTE.fullmatch(raised):
        return True
    width = len(raised.strip())
    return any(
        link.start < span.end and span.start < link.end and width - 2 <= link.end - link.start <= width + 2
        for link in links
    )


def _changes_meaning(raised: str, text: str, span: Span) -> bool:
    """Return whether *raised* is a number, formula or letter that belongs to the text before it.

    This excludes the letters of `21st`, `Mlle` and `™`, and numbers after the end of a sentence or after a word.
    """
    before = text[: span.start]
    if len(raised) > _MAX_CHARS or raised != raised.strip() or " " in raised or "\n" in raised:
        return False
    if not before or before[-1].isspace():
        follows = _ISOTOPE.match(text, span.end) or _DENOMINATOR.match(text, span.end)
        return span.kind == "sup" and raised.isdecimal() and follows is not None
    if before[-1] in _ENDS_SENTENCE:
        return False
    if raised.isalpha():
        is_ordinal = raised in _ORDINALS and (_NUMBER.search(before) or _NUMERO.search(before)) is not None
        is_short = len(raised) == 1 or span.kind == "sub"
        return is_short and not is_ordinal and raised not in "™℠®©" and _BASE.search(before) is not None
    if span.kind == "sup" and raised.isdecimal() and _WORD.search(before):
        return False
    return any(map(str.isalnum, raised)) or all(sign in "+-−±∓" for sign in raised)


def _with_inner(raised: str, span: Span, spans: Iterable[Span]) -> str:
    """Write *raised*, which may itself contain an exponent: x^(y²)."""
    within = (other for other in spans if span.start < other.start < other.end <= span.end)
    inner = next((other for other in within if other.kind in _SIGNS), None)
    if inner is None:
        return _written(raised, span.kind)
    start, end = inner.start - span.start, inner.end - span.start
    return f"{_MARKS[span.kind]}({raised[:start]}{_written(raised[start:end], inner.kind)}{raised[end:]})"


def _written(raised: str, kind: str) -> str:
    """Write *raised* in Unicode superscripts or subscripts if all of its characters exist, otherwise after `^` or `_`.

    >>> _written("-3", "sup"), _written("GS", "sub"), _written("a,b", "sub")
    ('⁻³', '_GS', '_(a,b)')
    """
    if all(ord(sign) in _SIGNS[kind] for sign in raised):
        return raised.translate(_SIGNS[kind])
    return f"{_MARKS[kind]}{raised}" if raised.isalnum() else f"{_MARKS[kind]}({raised})"
