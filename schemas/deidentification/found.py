"""What is known about the names in one text while it is searched."""

from __future__ import annotations

from typing import Final

from corpusmill.schemas.deidentification.cues import SPEECH
from corpusmill.schemas.deidentification.words import Word, Words

PARTICLES: Final = frozenset("de del della der den van von la le al bin ibn da dos du el ter st san di y e".split())
MODALS: Final = frozenset(("will", "may"))
MIN_UPPER: Final = 5
"""Letters of a word in capitals that is a name because no dictionary has it; a shorter one is an abbreviation."""
LONGEST_RUN: Final = 5
"""Words of a name."""


class Found:
    """The words of a text, and those that are names.

    Args:
        known: Folded words of names that the record states.
    """

    def __init__(self, text: str, known: frozenset[str]) -> None:
        self.text = text
        self.words = Words(text)
        self.known = known
        self.at = {word.start: index for index, word in enumerate(self.words)}
        self.in_lower_case = {word.word for word in self.words if not word.is_capitalized}
        self.marked: set[int] = set()
        self.caught: set[str] = set()

    def mark(self, run: list[int]) -> None:
        """Take the words at the indexes *run* for a name."""
        self.marked.update(run)
        for index in run:
            word = self.words[index].word
            if word not in PARTICLES:
                self.caught.update(part for part in {word, *word.split("-")} if len(part) > 1)

    def is_no_word(self, index: int) -> bool:
        """Return whether the word is on no list of words; it may be on one of names."""
        traits = self.words[index].traits
        return self.words.is_unknown(index) or (
            traits.is_listed and not (traits.is_word or traits.is_proper or traits.is_excluded or traits.is_eponym)
        )

    def is_unlisted(self, word: Word) -> bool:
        """Return whether no list of words has *word*; lists of names may."""
        return not (word.traits.is_word or word.traits.is_eponym or word.traits.is_proper or word.traits.is_excluded)

    def may_be_name(self, index: int, *, like: int) -> bool:
        """Return whether the word at *index* may be a name because it stands beside the name at *like*."""
        word, words = self.words[index], self.words
        traits = word.traits
        if not word.is_capitalized or len(word.word) == 1 or traits.is_excluded or traits.is_proper:
            return False
        if words.is_term(index) or words.is_dosed(index):
            return False
        if word.is_upper != words[like].is_upper and word.is_upper and not (traits.is_sure and len(word.word) > 3):
            return False
        if word.is_upper and traits.is_word:
            is_given_before = index < like and word.word in words.lexicon.given
            is_family_after = index == like + 1 and word.word in words.lexicon.family and words.gap(like) == " "
            return (is_given_before or is_family_after) and word.word not in SPEECH and word.word not in MODALS
        is_after = index == like + 1 and words.gap(like) == " "
        if traits.is_said_alone:
            return traits.is_listed and (is_after or (index + 1 == like and words.gap(index) == ", "))
        follows_given = is_after and words[like].word in words.lexicon.given and not word.is_upper
        if follows_given and word.word not in SPEECH and word.word not in MODALS:
            return words[like].traits.is_sure or word.word not in words.lexicon.common
        return (
            traits.is_listed
            or words.is_unknown(index)
            or traits.is_sure
            or (len(word.word) == 2 and not traits.is_word and not word.is_upper)
        )
