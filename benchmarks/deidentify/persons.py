"""Invented people of a note, whose names stand in it in several forms."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final, NamedTuple

_FOLDER: Final = Path(__file__).parent
WORD_SHARE: Final = 0.12
"""Share of given and of family names that are also words (`May`, `Stone`)."""
_NICKNAMES: Final = "Bud Skip Tex Dot Mickey Chip Buddy Trixie Ozzie Gigi".split()


class Pool(NamedTuple):
    """Names to draw from; `word_given` and `word_family` are also words."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    word_given: tuple[str, ...]
    word_family: tuple[str, ...]


def pool(name: str) -> Pool:
    """Read the names of a set of notes: one line for each field of `Pool`, an underscore for a space."""
    lines = (_FOLDER / name / "names.list").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return Pool(*(tuple(word.replace("_", " ") for word in fields[key].split()) for key in Pool._fields))


class Person(NamedTuple):
    """One person. `forms` has the ways to write the name."""

    given: str
    middle: str
    family: str
    nickname: str
    is_woman: bool

    def forms(self) -> dict[str, str]:
        """Return the name in each form that a note may ask for."""
        given, family, middle = self.given, self.family, self.middle
        return {
            "full": f"{given} {family}",
            "first": given,
            "last": family,
            "mid": f"{given} {middle}. {family}",
            "FULL": f"{given} {family}".upper(),
            "FIRST": given.upper(),
            "LAST": family.upper(),
            "LASTFIRST": f"{family}, {given} {middle}.".upper(),
            "lastfirst": f"{family}, {given}",
            "initial": f"{given[0]}. {family}",
            "initials2": f"{given[0]}{middle}{family[0]}".upper(),
            "lastinit": f"{family[0]}.",
            "lowfull": f"{given} {family}".lower(),
            "lowfirst": given.lower(),
            "lowlast": family.lower(),
            "lowinitial": f"{given[0]}. {family}".lower(),
            "nick": self.nickname,
            "nickq": f'"{self.nickname}"',
        }

    def words(self) -> dict[str, str]:
        """Return words about the person that are no names."""
        return {
            "title": "Mrs." if self.is_woman else "Mr.",
            "title2": "Dr.",
            "poss": "her" if self.is_woman else "his",
            "pron": "her" if self.is_woman else "him",
            "pron2": "she" if self.is_woman else "he",
        }


def person(names: Pool, chance: random.Random) -> Person:
    """Return a person with names from *names*; some family names are double or begin with a particle."""

    def given() -> str:
        return chance.choice(names.word_given if chance.random() < WORD_SHARE else names.given)

    def family() -> str:
        draw = chance.random()
        if draw < WORD_SHARE:
            return chance.choice(names.word_family)
        name = chance.choice(names.family)
        if draw < 0.2:
            return f"{name}-{chance.choice(names.family)}".replace(" ", "")
        if draw < 0.25:
            return chance.choice(("O'{}", "Mc{}", "van {}", "de la {}", "D'{}", "St. {}")).format(name)
        return name

    return Person(
        given(),
        chance.choice("ABCDEFGHJKLMNPRSTW"),
        family(),
        chance.choice(_NICKNAMES),
        is_woman=chance.random() < 0.5,
    )
