"""Make the lists of names and words of `schemas/deidentification` from word lists and public records.

    python -m benchmarks.deidentify.word_lists SMALL MEDIUM CENSUS BIRTHS ICD UNII

SMALL and MEDIUM are `american-english-small` and `american-english` of Debian's `wamerican-small` and `wamerican`
(parts of SCOWL up to size 35 and 60). CENSUS is a folder with `dist.all.last`, `dist.female.first` and
`dist.male.first` of the U.S. Census Bureau, "Frequently Occurring Surnames from Census 1990", "… First Names …".
BIRTHS is a table of given names by year of birth of the U.S. Social Security Administration (`first_name`, `count`).
ICD is the tabular list of ICD-10-CM as XML. UNII is the table of names of substances of the FDA. `sources.txt` has the
licenses.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
from collections import Counter
from pathlib import Path
from typing import Final

MAX_FAMILY_RANK: Final = 30_000
SURE_FAMILY_RANK: Final = 10_000
"""A rarer family name that any dictionary has is rather a word."""
MIN_BIRTHS: Final = 100
"""Births since 1880 from which on a given name is on the list."""
SURE_BIRTHS: Final = 1_000
"""From so many births on, a given name counts as a name although nothing beside it does."""
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
    """Write the four files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("small", "medium", "census", "births", "icd", "unii"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--to", type=Path, default=Path("schemas/deidentification"))
    options = parser.parse_args()
    surnames = _percents(options.census / "dist.all.last")
    sexes = [_percents(options.census / f"dist.{sex}.first") for sex in ("female", "male")]
    births = _births(options.births)
    frequent = frequent_names(surnames, sexes)
    common = common_words(options.small.read_text(encoding="utf-8"), names=frequent)
    medium = common_words(options.medium.read_text(encoding="utf-8"), names=frequent)
    medical = medical_words(options.icd.read_text(encoding="utf-8"))
    substances = substance_names(options.unii.read_text(encoding="utf-8"))
    sure = {name for name, number in births.items() if number >= MIN_BIRTHS} | set(list(surnames)[:MAX_FAMILY_RANK])
    lists = {
        "common_words": sorted(common),
        "rare_words": sorted((medium | (medical - frequent) | (substances - sure)) - common),
        "family_names": family_names(surnames, common, medium | medical),
        "given_names": given_names(sexes, births, common, medium | medical),
    }
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


def medical_words(xml: str) -> set[str]:
    """Return the words in lower case of the texts of ICD-10-CM.

    >>> medical_words("<desc>Paralytic ileus, NOS</desc>")
    {'ileus'}
    """
    return set(re.findall(r"(?<![\w'<>/-])[a-z]{3,}(?![\w'>=-])", re.sub(r"<[^>]*>", "\n", xml)))


def substance_names(table: str) -> set[str]:
    """Return the words of brand names and of official names of one word, in a table of names and their types."""
    names: set[str] = set()
    for line in table.splitlines():
        name, _, rest = line.partition("\t")
        kind, first = rest.split("\t", 1)[0], name.split(" ", 1)[0]
        if kind == "bn" or " COMPONENT " in name or (kind == "of" and first == name):
            names.add(first.lower())
    return {name for name in names if len(name) > 3 and name.isascii() and name.isalpha()}


def family_names(percents: dict[str, float], common: set[str], rare: set[str]) -> list[str]:
    """Return the most frequent names of *percents*, which begins with them; a star marks an ordinary word."""
    names = list(percents)[:MAX_FAMILY_RANK]
    return sorted(
        _starred(name, is_doubtful=_is_ordinary(name, common) or (rank >= SURE_FAMILY_RANK and name in rare))
        for rank, name in enumerate(names)
    )


def given_names(sexes: list[dict[str, float]], births: dict[str, int], common: set[str], rare: set[str]) -> list[str]:
    """Return the given names of the census and of births; a star marks an ordinary word and a rare name."""
    percents = {name: max(sex.get(name, 0) for sex in sexes) for sex in sexes for name in sex}
    names = percents.keys() | {name for name, number in births.items() if number >= MIN_BIRTHS}

    def is_doubtful(name: str) -> bool:
        if percents.get(name, 0) >= MIN_GIVEN_PERCENT:
            return _is_ordinary(name, common)
        return _is_ordinary(name, common | rare) or births.get(name, 0) < SURE_BIRTHS

    return sorted(_starred(name, is_doubtful=is_doubtful(name)) for name in names)


def _is_ordinary(name: str, common: set[str]) -> bool:
    return name in common or name in PLACES or name in CALENDAR_AND_PEOPLES or len(name) < 3


def _starred(name: str, *, is_doubtful: bool) -> str:
    return name + "*" * is_doubtful


def _births(path: Path) -> dict[str, int]:
    counts: Counter[str] = Counter()
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            counts[row["first_name"]] += int(float(row["count"]))
    return counts


def _percents(path: Path) -> dict[str, float]:
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {line[0].lower(): float(line[1]) for line in lines if line}


if __name__ == "__main__":
    main()
