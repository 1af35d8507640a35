"""Notes with planted identifiers, and what de-identification did to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from benchmarks.deidentify.templates import Templates
from benchmarks.deidentify.values import KIND_OF, Values
from corpusmill.schemas.deidentification.text import deidentified

_SLOT: Final = re.compile(r"\{(\w+)\}")
_SIGNS: Final = re.compile(r"[A-Za-z0-9]+(?:['-][A-Za-z0-9]+)*")


class Planted(NamedTuple):
    """An identifier of a note."""

    kind: str
    value: str
    sentence: str


class Note(NamedTuple):
    """A generated note: its text, its identifiers, and the sentences that must stay."""

    text: str
    planted: tuple[Planted, ...]
    negatives: tuple[str, ...]


class Score(NamedTuple):
    """Counts over notes: identifiers planted and left by kind, sentences kept and changed."""

    planted: Counter[str]
    left: Counter[str]
    examples: list[Planted]
    negatives: int
    changed: list[tuple[str, str]]

    def recall(self, kind: str) -> float:
        """Return the share of identifiers of *kind* that are gone."""
        return 1 - self.left[kind] / self.planted[kind]


def notes(templates: Templates, *, count: int, seed: int) -> Iterator[Note]:
    """Yield *count* notes, each with sentences that must stay between those with identifiers."""
    kinds = list(templates.notes)
    for number in range(count):
        values = Values(seed * 1_000_003 + number)
        lines: list[str] = []
        planted: list[Planted] = []
        negatives: list[str] = []
        for template in templates.notes[kinds[number % len(kinds)]]:
            line, inside = _filled(template, values)
            lines.append(line)
            planted += inside
            negatives.append(values.pick(templates.negatives))
            lines.append(negatives[-1])
        yield Note("\n".join(lines), tuple(planted), tuple(negatives))


def _filled(template: str, values: Values) -> tuple[str, list[Planted]]:
    planted: list[Planted] = []

    def value(match: re.Match[str]) -> str:
        made = values.make(match[1])
        planted.append(Planted(KIND_OF.get(match[1], match[1]), made, template))
        return made

    return _SLOT.sub(value, template), planted


def score(templates: Templates, *, count: int, seed: int) -> Score:
    """De-identify generated notes, without structured fields, and compare the result with what was planted."""
    total: Counter[str] = Counter()
    left: Counter[str] = Counter()
    examples: list[Planted] = []
    changed: list[tuple[str, str]] = []
    negatives = 0
    for note in notes(templates, count=count, seed=seed):
        before, (after, _) = note.text.split("\n"), deidentified(note.text)
        kept = set(after.split("\n"))
        for planted in note.planted:
            total[planted.kind] += 1
            if _is_left(planted, after):
                left[planted.kind] += 1
                examples.append(planted)
        for sentence in note.negatives:
            negatives += 1
            if sentence not in kept:
                changed.append((sentence, after.split("\n")[before.index(sentence)]))
    return Score(total, left, examples, negatives, changed)


def _is_left(planted: Planted, after: str) -> bool:
    """Return whether any word of a name or place, or the whole of another identifier, is still in the text."""
    if planted.kind == "age over 89":
        return re.search(rf"(?<![\w.]){planted.value}[ -]year|[Aa]ge {planted.value}(?! or older)", after) is not None
    if planted.kind not in ("name", "place"):
        return re.search(rf"(?<![\w]){re.escape(planted.value)}(?![\w])", after) is not None
    words = [word for word in _SIGNS.findall(planted.value) if len(word) > 3 and word not in _PUBLIC]
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", after) for word in words)


_PUBLIC: Final = frozenset("Street Road Lane Drive Blvd Court Avenue General Hospital Medical Center Community".split())
