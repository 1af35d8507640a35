"""The words of a text, with what stands between them and what the lists say about them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from corpusmill.schemas.deidentification.known import folded
from corpusmill.schemas.deidentification.lexicon import Lexicon, Traits, lexicon
from corpusmill.schemas.deidentification.patterns import compiled

_WORD: Final = compiled(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_STRONG_TERM: Final = (
    r"diseases?|syndromes?|signs?|tests?|tumou?rs?|catheters?|scale|scores?|scoring|class(?:ification)?|criteria|fractures?"
    r"|palsy|lymphoma|sarcoma|cysts?|nodes?|nodules?|maneuver|procedure|operation|reflex|contracture|ulcers?|hernias?"
    r"|bodies|stain|drains?|tubes?|clamps?|forceps|splint|traction|triad|law|murmur|gland|duct|ligaments?|stag(?:e|ing)"
    r"|index|phenomenon|anemia|purpura|thyroiditis|arteritis|encephalopathy|aphasia|psychosis|chorea|esophagus|pouch"
    r"|anastomosis|wires?|pins?|lamp|retractor|bandage|incisions?|approach|shunt|cannula|virus|fever|bundle|fibers?"
    r"|canal|tendon|factor|protein|protocol|nevus|dystrophy|disorder|paralysis|ataxia|medium|agar|technique|scissors"
    r"|deficiency|malformation|anomaly|gangrene|angina|granulomatosis|neuralgia|neuropathy|nephropathy|borreliosis"
    r"|questionnaire|inventory|thrombosis|equation|formula|rhythm|pattern|space|point|angle|deformity|neuroma|effect"
    r"|ophthalmopathy|opacity|antigen|antibod(?:y|ies)|lines|cells?|glands?|plexus|guidelines?"
)
_WEAK_TERM: Final = (
    r"level|repair|position|grade|line|port|plate|chart|monitor|ultrasound|study|studies|coma|diverticul\w+|spots?|breathing"
    r"|respirations?|sounds?|lactate|solution|layer|block|rash|method|needle|suture|dressing|bag|mask|suction|tip|knee"
    r"|elbow|toe|thumb|finger|vertigo|hemorrhoid|erythema|phlebitis|melanoma|carcinoma|count|matter|blood|stool|lesion"
    r"|infarct\w*|infection|risk|prognostic|assessment|movement|response|waves?|rods?|lung|membrane|device|rules?|mobility"
    r"|performance|gait|stance|pupil|aneurysm|type|block|contrast|wrap|collar|boot|bed|balloon|stent|valve|pump|pouch"
)
_BEFORE_TERM: Final = r"(?:['’]s?)?(?:[ -](?:[A-Z][\w'’-]+[ -]){0,2}|-[A-Z][\w-]*[ -]|/[A-Z]\w+[ -])"
_STRONG: Final = compiled(rf"{_BEFORE_TERM}(?i:{_STRONG_TERM})\b")
_WEAK: Final = compiled(rf"{_BEFORE_TERM}(?i:{_WEAK_TERM})\b")
_POSSESSIVE: Final = compiled(r"['’]s?\b")
_DOSE: Final = compiled(
    r"[ \t](?:\d+(?:\.\d+)?[ \t]?(?:mg|mcg|ml|mL|g|units?|u|%|tabs?|mEq|gtts?|IU)\b(?!/\d)|(?:mg|mcg)\b)"
)
_NUMBERED: Final = compiled(
    r"[ \t]\d+(?:\.\d+)?(?![\w/]|[.-]\d|[ \t]?[-]?(?:y|Y|M\b|F\b|m/|year|male|female|man|woman))"
)
_VOWELS: Final = frozenset("aeiouy")


class Word(NamedTuple):
    """A word at ``[start, end)``, folded, with its traits.

    Args:
        is_upper: Two capital letters or more, and no others.
        is_accented: It has a letter that English has not.
    """

    start: int
    end: int
    word: str
    is_capitalized: bool
    is_upper: bool
    is_accented: bool
    traits: Traits


class Words(list[Word]):
    """The words of one text."""

    def __init__(self, text: str) -> None:
        super().__init__(_as_word(match.start(), match[0]) for match in _WORD.finditer(text))
        self.text = text
        self.lexicon: Lexicon = lexicon()
        ends = [*(word.start for word in self[1:]), len(text)][: len(self)]
        self.gaps = [text[word.end : end] for word, end in zip(self, ends, strict=True)]

    def gap(self, index: int) -> str:
        """Return what stands between the word at *index* and the next one; the rest of the text after the last one."""
        return self.gaps[index]

    def begins_sentence(self, index: int) -> bool:
        """Return whether a capital letter says nothing at *index*: after the end of a sentence, or among capitals."""
        if index == 0:
            return True
        gap, before = self.gap(index - 1), self[index - 1]
        return gap not in (" ", ", ", "'s ", "’s ") or (before.is_capitalized and not before.traits.is_excluded)

    def is_inside_sentence(self, index: int) -> bool:
        """Return whether a word in lower case precedes the word at *index*, in the same sentence."""
        if index == 0:
            return False
        before, gap = self[index - 1], self.gap(index - 1)
        return not before.is_capitalized and gap in (
            " ",
            ", ",
            " (",
            ' "',
            "\n",
            " -",
            " & ",
            " + ",
            "/",
            "/ ",
            "'s ",
            " \n",
        )

    def is_unknown(self, index: int) -> bool:
        """Return whether no list has the word or, of a word with hyphens, one of its parts, and it is not a brand."""
        word = self[index]
        if "-" in word.word:
            return self._is_unknown_compound(word)
        letters = self.text[word.start : word.end]
        return _is_pronounceable(word.word) and word.traits.is_unknown and not _is_camel(letters)

    def _is_unknown_compound(self, word: Word) -> bool:
        parts = self.text[word.start : word.end].split("-")
        if word.is_capitalized and not all(part[:1].isupper() and len(part) > 1 for part in parts):
            return False
        traits = [self.lexicon.traits(folded(part)) for part in parts]
        is_brand = any(trait.is_word and not trait.is_listed for trait in traits)
        if any(trait.is_said_alone for trait in traits) or word.traits.is_proper or word.traits.is_word:
            return False
        if is_brand:
            return any(trait.is_sure for trait in traits)
        return any(
            trait.is_sure or (trait.is_unknown and _is_pronounceable(folded(part)) and len(part) > 2)
            for part, trait in zip(parts, traits, strict=True)
        )

    def is_dosed(self, index: int) -> bool:
        """Return whether a dose follows the word, or, of a word that is on no list, a number."""
        word = self[index]
        if _DOSE.match(self.text, word.end):
            return True
        return not word.traits.is_sure and _NUMBERED.match(self.text, word.end) is not None

    def is_term(self, index: int, *, is_name: bool = False) -> bool:
        """Return whether the word is part of a medical term. *is_name*: the note or the record says it is a name."""
        word = self[index]
        if _STRONG.match(self.text, word.end):
            return word.traits.is_eponym or not is_name
        if not word.traits.is_eponym:
            return word.traits.is_unknown and not is_name and _WEAK.match(self.text, word.end) is not None
        is_possessive = _POSSESSIVE.match(self.text, word.end) is not None
        if _WEAK.match(self.text, word.end) and (word.traits.is_said_alone or not is_possessive):
            return True
        if is_possessive and word.traits.is_said_alone and not is_name:
            return True
        if index + 1 < len(self):
            gap, following = self.gap(index), self[index + 1]
            if gap in (" ", "-") and following.traits.is_eponym and following.is_capitalized:
                return gap == "-" or _STRONG.match(self.text, following.end) is not None
        return False


def _as_word(start: int, word: str) -> Word:
    length, plain, is_capitalized, is_upper, is_accented, traits = _shape(word)
    return Word(start, start + length, plain, is_capitalized, is_upper, is_accented, traits)


@lru_cache(maxsize=50_000)
def _shape(word: str) -> tuple[int, str, bool, bool, bool, Traits]:
    """Return the length of *word* without a possessive ending, and the fields of a `Word` after its end.

    Irish names may be capitalized inside: `Ó hAonghusa`.
    """
    if word[-2:] in ("'s", "’s", "'S", "’S"):
        word = word[:-2]
    lists, plain, is_upper = lexicon(), folded(word), len(word) > 1 and word.isupper()
    is_capitalized = word[0].isupper() or (word[0] in "hnt" and word[1:2].isupper() and word[2:].islower())
    traits = lists.traits(plain)
    if is_upper and plain in lists.acronyms:
        traits = traits._replace(is_excluded=True)
    return len(word), plain, is_capitalized, is_upper, not word.isascii() and "’" not in word, traits


def _is_pronounceable(word: str) -> bool:
    return len(word) > 2 and not _VOWELS.isdisjoint(word)


def _is_camel(letters: str) -> bool:
    """Return whether *letters* have a capital inside, as brands have, and names after `Mc`, `De` and an apostrophe.

    >>> [_is_camel(word) for word in ("DuoNeb", "McAdoo", "DeLuca", "O'Neil", "OKAFOR")]
    [True, False, False, False, False]
    """
    if letters.isupper() or letters[1:].islower():
        return False
    inside = [at for at in range(1, len(letters)) if letters[at].isupper() and letters[at - 1].isalpha()]
    return any(letters[:at] not in _PREFIXES for at in inside)


_PREFIXES: Final = frozenset("Mc Mac De Di Du La Le Van Von Fitz Del Da Al El San Ter Abd Ab Ibn Bin Ben Ul".split())
