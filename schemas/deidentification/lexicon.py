"""Lists of words: given and family names, eponyms of medicine, and words that never belong to a name.

The names are the most frequent ones of the 1990 census of the United States, in the public domain. A ``*`` marks a name
that is also an ordinary word or a place, or, for given names, rare: it counts as a name only beside another one.
`common_words.txt` has words of a small dictionary of English, and of medicine; a capitalized word that is not among
them is more likely a name. `sources.txt` names the sources and their licenses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent
FILES = ("given_names.txt", "family_names.txt", "eponyms.txt", "no_names.txt", "common_words.txt")


@dataclass(frozen=True)
class Lexicon:
    """The lists; `sure_given` and `sure_family` are hardly ever anything else than a name."""

    given: frozenset[str]
    family: frozenset[str]
    sure_given: frozenset[str]
    sure_family: frozenset[str]
    eponyms: frozenset[str]
    no_names: frozenset[str]
    common: frozenset[str]

    def is_ordinary(self, word: str) -> bool:
        """Return whether the folded *word* is a listed name that is also an ordinary word, or has two letters."""
        is_listed = word in self.given or word in self.family
        is_sure = word in self.sure_given or word in self.sure_family
        return len(word) < 3 or (is_listed and not is_sure) or word in self.no_names


@cache
def lexicon() -> Lexicon:
    """Return the lists, read once in each process."""
    given, family = (_read(name) for name in FILES[:2])
    eponyms = frozenset(_read("eponyms.txt"))
    sure_given, sure_family = (frozenset(name for name in names if not name.endswith("*")) for names in (given, family))
    return Lexicon(
        given=frozenset(name.rstrip("*") for name in given),
        family=frozenset(name.rstrip("*") for name in family),
        sure_given=sure_given - eponyms,
        sure_family=sure_family - eponyms,
        eponyms=eponyms,
        no_names=frozenset(_read("no_names.txt")),
        common=frozenset(_read("common_words.txt")) | {"not", "of"},
    )


def _read(name: str) -> list[str]:
    return (_FOLDER / name).read_text(encoding="utf-8").split()
