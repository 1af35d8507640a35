"""Make the lists of names and words of `schemas/deidentification` from a word list and the census of 1990.

    python -m benchmarks.deidentify.word_lists WORDS CENSUS

WORDS is `american-english-small` of Debian's `wamerican-small` (parts of SCOWL up to size 35). CENSUS is a folder with
`dist.all.last`, `dist.female.first` and `dist.male.first` of the U.S. Census Bureau, "Frequently Occurring Surnames
from Census 1990", "… First Names …". `schemas/deidentification/sources.txt` has licenses.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

MAX_FAMILY_RANK: Final = 10_000
MIN_GIVEN_PERCENT: Final = 0.02
"""A rarer given name counts only beside another name: about one person in 5,000 of a sex has it."""

MIN_NAME_PERCENT: Final = {"family": 0.03, "given": 0.05}
"""From this share of people on, a name is rather a name than a word, unless `ORDINARY` has it."""
ORDINARY: Final = frozenset(
    "amber angel baker ball banks barber bell berry bill bishop black bob brandy brooks brown burns bush cannon"
    " carol carpenter chambers cook cross crystal curry daisy dawn day dean don earl farmer fields fisher ford"
    " foster fuller gene glen grace grant graves gray green guy hale hall hardy hazel heather hill holly hunt"
    " hunter iris jay joy ken king knight lance lane little long love mark mason may melody miles mills misty moss"
    " opal page parks pearl penny pierce porter powers price ray rice robin rose rosemary ruby sandy sharp stone"
    " sue victor viola violet wade walker ward weaver wells west white wood woods young".split()
)
"""Frequent names that are as likely words in a note."""
PLACES: Final = frozenset(
    "africa alabama alaska albany alexandria america arizona arlington asia atlanta augusta austin berlin boston"
    " bronx brooklyn california canada carolina charleston chester chicago china cleveland colorado columbus cuba"
    " dakota dallas denver dublin durham egypt england florence florida france geneva georgia germany greenland"
    " hampton hartford havana holland houston india indiana ireland israel italy jackson jamaica jersey jordan"
    " kansas kent kentucky kenya kingston lancaster lincoln london louisiana lourdes madison maryland memphis"
    " mexico miami milan missouri montana montgomery nevada newport norfolk oakland odessa oregon orlando paris"
    " philadelphia phoenix princeton richmond rochester rome salem savannah scotland sheffield spain stanford"
    " sydney tennessee texas trenton troy vermont victoria vienna virginia wales warsaw washington york".split()
)
"""Names that are also countries, states or cities; these are dealt with elsewhere, and states must stay."""
CALENDAR_AND_PEOPLES: Final = frozenset(
    "american april arab august christian christmas dutch easter english february french friday german greek"
    " january july june latin march may monday november october polish roman saturday september spanish sunday"
    " thursday tuesday wednesday welsh".split()
)
"""Names that are also months, days or peoples."""
MEDICAL: Final = frozenset((Path(__file__).parent / "medical_words.txt").read_text(encoding="utf-8").split())
"""Words of clinical notes that a small dictionary of English lacks; written down for this purpose."""


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", type=Path)
    parser.add_argument("census", type=Path)
    parser.add_argument("--to", type=Path, default=Path("schemas/deidentification"))
    options = parser.parse_args()
    surnames = _percents(options.census / "dist.all.last")
    sexes = [_percents(options.census / f"dist.{sex}.first") for sex in ("female", "male")]
    common = common_words(options.words.read_text(encoding="utf-8"), names=frequent_names(surnames, sexes))
    family = family_names(surnames, common)
    lists = {"common_words": sorted(common), "family_names": family, "given_names": given_names(sexes, common)}
    for name, lines in lists.items():
        (options.to / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def frequent_names(surnames: dict[str, float], sexes: list[dict[str, float]]) -> set[str]:
    """Return the names that count as names wherever they are capitalized, although a dictionary has them.

    >>> sorted(frequent_names({"smith": 1.0, "long": 0.1, "archer": 0.02}, [{"mike": 0.1, "grace": 0.3}]))
    ['mike', 'smith']
    """
    family = {name for name, percent in surnames.items() if percent >= MIN_NAME_PERCENT["family"]}
    given = {name for sex in sexes for name, percent in sex.items() if percent >= MIN_NAME_PERCENT["given"]}
    return (family | given) - ORDINARY


def common_words(text: str, *, names: set[str]) -> set[str]:
    """Return the words of *text* in lower case, and medical ones, without *names*.

    >>> sorted(common_words("Smith smith's smith desk", names={"smith"})) == sorted({"desk", *MEDICAL})
    True
    """
    words = {word for word in text.split() if word.isascii() and word.isalpha() and word.islower()}
    return (words | MEDICAL) - names


def family_names(percents: dict[str, float], common: set[str]) -> list[str]:
    """Return the most frequent names of *percents*, which begins with them; a star marks an ordinary word."""
    names = list(percents)[:MAX_FAMILY_RANK]
    return sorted(_starred(name, is_doubtful=_is_ordinary(name, common)) for name in names)


def given_names(sexes: list[dict[str, float]], common: set[str]) -> list[str]:
    """Return all given names; a star marks an ordinary word and a rare name."""
    percents = {name: max(sex.get(name, 0) for sex in sexes) for sex in sexes for name in sex}
    return sorted(
        _starred(name, is_doubtful=_is_ordinary(name, common) or percent < MIN_GIVEN_PERCENT)
        for name, percent in percents.items()
    )


def _is_ordinary(name: str, common: set[str]) -> bool:
    return name in common or name in PLACES or name in CALENDAR_AND_PEOPLES or len(name) < 3


def _starred(name: str, *, is_doubtful: bool) -> str:
    return name + "*" * is_doubtful


def _percents(path: Path) -> dict[str, float]:
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {line[0].lower(): float(line[1]) for line in lines if line}


if __name__ == "__main__":
    main()
