"""Whole notes of many styles with planted identifiers, and what de-identification did to each word of them."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.deidentify.facts import KINDS, Facts
from benchmarks.deidentify.persons import Person, Pool, person, pool
from corpusmill.schemas.deidentification.text import identifier_spans

_FOLDER: Final = Path(__file__).parent
_SLOT: Final = re.compile(r"\{(\w+)(?::(\w+))?\}")
_STATES: Final = frozenset(("OR", "GA", "NM", "Ohio"))
"""May stay."""
_WORD: Final = re.compile(r"\w+(?:['’-]\w+)*")


class Planted(NamedTuple):
    """An identifier at ``[start, end)`` of a note, with its kind and the slot that it fills."""

    start: int
    end: int
    kind: str
    form: str


class Note(NamedTuple):
    """A note and its identifiers."""

    style: str
    text: str
    planted: tuple[Planted, ...]


class Score(NamedTuple):
    """Counts over notes. `words` are those outside identifiers, and `masked` those of them that were replaced."""

    planted: Counter[tuple[str, str]]
    left: Counter[tuple[str, str]]
    words: int
    masked: Counter[str]
    examples: list[tuple[Planted, str]]

    def kinds(self) -> dict[str, tuple[int, int]]:
        """Return the planted and the left identifiers of each kind."""
        totals: dict[str, tuple[int, int]] = {}
        for (kind, form), number in sorted(self.planted.items()):
            planted, left = totals.get(kind, (0, 0))
            totals[kind] = planted + number, left + self.left[kind, form]
        return totals


SETS: Final = ("development", "held_out", "held_out_2", "held_out_3")
"""Folders with templates, names and places. Each was written before the detectors were measured on it."""


def notes(name: str, *, count: int, seed: int, people: str | None = None) -> Iterator[Note]:
    """Yield *count* notes of the set *name*; *people* is another folder to take the names from."""
    names, places = pool(people or name), _places(name)
    templates = [
        (path.stem, template.strip("\n"))
        for path in sorted((_FOLDER / name).glob("*.txt"))
        for template in path.read_text(encoding="utf-8").split("=====\n")
    ]
    for number in range(count):
        chance = random.Random(seed * 1_000_003 + number)
        style, template = templates[number % len(templates)]
        yield _Filling(names, Facts(chance, places), chance).note(style, template)


class _Filling:
    """Fills the slots of one note; each person keeps the name of the first mention."""

    def __init__(self, names: Pool, facts: Facts, chance: random.Random) -> None:
        self._names, self._facts, self._chance = names, facts, chance
        self._people: dict[str, Person] = {}

    def note(self, style: str, template: str) -> Note:
        pieces: list[str] = []
        planted: list[Planted] = []
        at = length = 0
        for match in _SLOT.finditer(template):
            made, kind = self._value(match[1], match[2])
            before = template[at : match.start()]
            length += len(before)
            if kind is not None:
                planted.append(Planted(length, length + len(made), kind, match[2] or match[1]))
            pieces += [before, made]
            length += len(made)
            at = match.end()
        return Note(style, "".join((*pieces, template[at:])), tuple(planted))

    def _value(self, slot: str, form: str | None) -> tuple[str, str | None]:
        """Return the text for a slot, and its kind; None if it identifies nobody."""
        if form is None:
            return self._facts.make(slot), KINDS[slot]
        if slot not in self._people:
            self._people[slot] = person(self._names, self._chance)
        forms = self._people[slot].forms()
        return (forms[form], "name") if form in forms else (self._people[slot].words()[form], None)


def score(name: str, *, count: int, seed: int, people: str | None = None) -> Score:
    """De-identify the notes of *name*. An identifier is left if a word of it with two characters or more is left."""
    planted: Counter[tuple[str, str]] = Counter()
    left: Counter[tuple[str, str]] = Counter()
    masked: Counter[str] = Counter()
    examples: list[tuple[Planted, str]] = []
    words = 0
    for note in notes(name, count=count, seed=seed, people=people):
        is_covered, is_planted = bytearray(len(note.text)), bytearray(len(note.text))
        for span in identifier_spans(note.text):
            is_covered[span.start : span.end] = b"\1" * (span.end - span.start)
        for one in note.planted:
            is_planted[one.start : one.end] = b"\1" * (one.end - one.start)
            planted[one.kind, one.form] += 1
            if _is_left(note.text, one, is_covered):
                left[one.kind, one.form] += 1
                examples.append((one, note.text[max(0, one.start - 40) : one.end + 25]))
        for word in _WORD.finditer(note.text):
            if not any(is_planted[word.start() : word.end()]):
                words += 1
                if any(is_covered[word.start() : word.end()]):
                    masked[word[0]] += 1
    return Score(planted, left, words, masked, examples)


def _is_left(text: str, planted: Planted, is_covered: bytearray) -> bool:
    return any(
        word.end() - word.start() > 1
        and not all(is_covered[word.start() : word.end()])
        and not (planted.kind == "place" and word[0] in _STATES)
        for word in re.finditer(r"\w+", text[: planted.end])
        if word.start() >= planted.start
    )


def _places(name: str) -> dict[str, tuple[str, ...]]:
    lines = (_FOLDER / name / "places.list").read_text(encoding="utf-8").splitlines()
    return {
        key: tuple(word.replace("_", " ") for word in words.split())
        for key, words in (line.split(": ", 1) for line in lines if line)
    }
