"""Lists of words: given and family names, eponyms of medicine, and words that never belong to a name.

The names are the most frequent ones of the census of 1990 and of the births of the United States, in the public
domain. A ``*`` marks a name that is also an ordinary word or a place, or, for given names, rare: alone, it counts as a
name only where an ordinary word would not be capitalized. `common_words.txt` has words of a small dictionary of
English, and of medicine; `rare_words.txt` has further ones, and drugs; `proper_words.txt` has words that are always
capitalized and no names of people; in `eponyms.txt`, a star marks a frequent name. A capitalized word that is in none
of them is a name. `sources.txt` names the sources and licenses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from corpusmill.schemas.deidentification.patterns import compiled

_FOLDER = Path(__file__).parent
FILES = (
    "given_names.txt",
    "family_names.txt",
    "eponyms.txt",
    "no_names.txt",
    "common_words.txt",
    "rare_words.txt",
    "proper_words.txt",
)
_MEDICAL_ENDING: Final = compiled(
    r"(?:itis|osis|oses|emia|emic|uria|pathy|pathic|ectomy|otomy|ostomy|plasty|scopy|scopic|gram|graphy|graphic|trophy"
    r"|algia|oma|omas|omata|cillin|mycin|cycline|azole|prazole|sartan|statin|olol|pril|dipine|mab|tinib|ciclib|parin"
    r"|xaban|gliptin|gliflozin|glutide|afil|azepam|zolam|barbital|caine|sone|olone|vir|vudine|oxacin|setron|triptan"
    r"|tidine|semide|thiazide|coccus|cocci|coccal|bacter|bacteria|plegia|paresis|phasia|phagia|pnea|rrhea|rrhage|lysis"
    r"|lytic|genic|genesis|centesis|desis|pexy|stomy|tomy|tripsy|meter|metry|ology|ologist|ologic|cyte|cytic|penia"
    r"|ases?|typic|tropic|metric|ular|ulose|philia|phobia|edema|iform|aceous|ization|izing|ized)\Z"
)
"""Ends of words of medicine that no dictionary has all of."""
_PREFIX: Final = compiled(
    r"(?:non|pre|post|anti|bio|electro|nano|micro|macro|sero|immuno|neuro|cardio|hyper|hypo|inter|intra|super|multi|poly"
    r"|photo|over|under|auto|ultra|trans|extra|pseudo|semi|peri|endo|exo|retro|thermo|hydro|chemo|radio|out|mis|sub|mid)"
    r"(?P<rest>[a-z]{5,})\Z"
)
_MIN_ENDED: Final = 6
_CONTRACTED: Final = frozenset(("t", "ll", "ve", "re", "m", "d"))
_INFLECTIONS: Final = ("s", "ed", "ing", "ly", "er", "al", "ic", "d")


class Traits(NamedTuple):
    """What the lists say about a folded word.

    Args:
        is_sure: It is hardly ever anything else than a name.
        is_listed: It is on a list of names.
        is_word: It is in a dictionary, or has the form of a word of medicine.
        is_excluded: It never belongs to a name.
        is_proper: It is always capitalized, and no name of a person.
        is_eponym: It is a name that medical terms have.
        is_said_alone: It is an eponym that notes use without a noun (`a Foley`), and no frequent name.
        is_plain_word: It is in a dictionary, and on no list of names.
    """

    is_sure: bool
    is_listed: bool
    is_word: bool
    is_excluded: bool
    is_proper: bool
    is_eponym: bool
    is_said_alone: bool
    is_plain_word: bool

    @property
    def is_unknown(self) -> bool:
        """Whether no list has the word."""
        return not any(self)


@dataclass(frozen=True)
class Lexicon:
    """The lists; `sure_given` and `sure_family` are hardly ever anything else than a name.

    `acronyms` are no names in capitals only, as in `TIA` and `Tia`.
    """

    given: frozenset[str]
    family: frozenset[str]
    sure_given: frozenset[str]
    sure_family: frozenset[str]
    eponyms: frozenset[str]
    said_alone: frozenset[str]
    no_names: frozenset[str]
    acronyms: frozenset[str]
    common: frozenset[str]
    rare: frozenset[str]
    proper: frozenset[str]
    _traits: dict[str, Traits] = field(default_factory=dict, compare=False)

    def traits(self, word: str) -> Traits:
        """Return what the lists say about the folded *word*; the answers for the last words are kept."""
        known = self._traits.get(word)
        if known is None:
            if len(self._traits) > _MAX_KEPT:
                self._traits.clear()
            known = self._traits[word] = self._looked_up(word)
        return known

    def _looked_up(self, word: str) -> Traits:
        word = word.replace("'", "") if word.startswith(("o'", "d'")) else word
        is_listed, is_word = word in self.given or word in self.family, self._is_word(word)
        is_plural = word.endswith("s") and word[:-1] in self.said_alone and not is_listed
        return Traits(
            is_sure=len(word) > 2 and (word in self.sure_given or word in self.sure_family),
            is_listed=is_listed,
            is_word=is_word,
            is_excluded=word in self.no_names,
            is_proper=word in self.proper,
            is_eponym=word in self.eponyms or is_plural,
            is_said_alone=word in self.said_alone or is_plural,
            is_plain_word=is_word and not is_listed and word not in self.no_names,
        )

    def _is_word(self, word: str) -> bool:
        if word in self.common or word in self.rare or ("'" in word and word.rpartition("'")[2] in _CONTRACTED):
            return True
        if len(word) >= _MIN_ENDED and _MEDICAL_ENDING.search(word):
            return True
        prefix = _PREFIX.match(word)
        if prefix is not None and (prefix["rest"] in self.common or prefix["rest"] in self.rare):
            return True
        stems = (word[: -len(end)] for end in _INFLECTIONS if word.endswith(end) and len(word) - len(end) > 3)
        return any(stem in self.common or stem in self.rare for stem in stems)

    def is_ordinary(self, word: str) -> bool:
        """Return whether the folded *word* is a listed name that is also an ordinary word, or has two letters."""
        is_listed = word in self.given or word in self.family
        is_sure = word in self.sure_given or word in self.sure_family
        return len(word) < 3 or (is_listed and not is_sure) or word in self.no_names


_MAX_KEPT: Final = 50_000


@cache
def lexicon() -> Lexicon:
    """Return the lists, read once in each process."""
    given, family = (_read(name) for name in FILES[:2])
    sure_given, sure_family = (frozenset(name for name in names if not name.endswith("*")) for names in (given, family))
    eponyms = _read("eponyms.txt")
    excluded = _read("no_names.txt")
    said_alone = frozenset(word for word in eponyms if not word.endswith("*"))
    proper = frozenset(_read("proper_words.txt"))
    return Lexicon(
        given=frozenset(name.rstrip("*") for name in given),
        family=frozenset(name.rstrip("*") for name in family),
        sure_given=sure_given - said_alone - proper,
        sure_family=sure_family - said_alone - proper,
        eponyms=frozenset(word.rstrip("*") for word in eponyms),
        said_alone=said_alone,
        no_names=frozenset(word for word in excluded if word.islower()),
        acronyms=frozenset(word.lower() for word in excluded if word.isupper()),
        common=frozenset(_read("common_words.txt")) | {"not", "of"},
        rare=frozenset(_read("rare_words.txt")),
        proper=proper,
    )


def _read(name: str) -> list[str]:
    return (_FOLDER / name).read_text(encoding="utf-8").split()
