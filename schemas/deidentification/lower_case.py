"""Names in lower case, as in telegraphic notes: `pt jane doe`, `- n. okafor rn`."""

from __future__ import annotations

from typing import Final

from corpusmill.schemas.deidentification.cues import (
    LABELS,
    RELATIVE_WORDS,
    RELATIVES,
    SPEECH,
    STRICT,
    TITLES,
    cue_before,
)
from corpusmill.schemas.deidentification.found import LONGEST_RUN, MODALS, PARTICLES, Found

_LOW_CREDENTIALS: Final = frozenset("md rn lpn np cna pa".split())
_GIVEN: Final = frozenset("given handed returned report reported sent assigned".split())
_MIN_LOWER: Final = 4


def judge_lower(found: Found, index: int) -> None:
    """Mark a name in lower case: after a title or a relative, or a name that is no word."""
    word, words = found.words[index], found.words
    traits = word.traits
    if index in found.marked:
        return
    if len(word.word) < 2:
        _lower_signature(found, index)
        return
    if traits.is_excluded:
        if word.word in _LOW_CREDENTIALS:
            _lower_credited(found, index)
        return
    cue = cue_before(words, index)
    is_certain = traits.is_sure and not traits.is_word
    if cue is not None and word.word in PARTICLES and index + 1 < len(words) and not words[index + 1].traits.is_word:
        found.mark([index])
        _mark_lower(found, [index + 1])
    elif cue == TITLES:
        is_weak_word = word.word in SPEECH or word.word in MODALS or word.word in RELATIVE_WORDS
        if (traits.is_listed and not is_weak_word) or not (traits.is_word or traits.is_proper) or word.is_accented:
            _mark_lower(found, [index])
    elif cue in (RELATIVES, LABELS):
        is_given = word.word in words.lexicon.given and word.word not in MODALS and word.word not in SPEECH
        if is_certain or words.is_unknown(index) or is_given:
            _mark_lower(found, [index])
    elif _is_lower_person(found, index):
        _mark_lower(found, [index])
    elif cue == STRICT and _is_lower_patient(found, index):
        _mark_lower(found, [index, index + 1])
    elif cue == STRICT and found.is_no_word(index) and not is_certain:
        following = words[index + 1] if index + 1 < len(words) and words.gap(index) == " " else None
        if following is not None and (found.is_no_word(index + 1) or _is_weak_name(found, index, index + 1)):
            found.mark([index, index + 1])
    elif is_certain and len(word.word) >= _MIN_LOWER and not traits.is_said_alone:
        _mark_lower(found, [index])


def _is_lower_person(found: Found, index: int) -> bool:
    """Return whether a word that no dictionary has is spoken of as a person: `states ikenna is`, `given to ikenna.`."""
    words = found.words
    if index == 0 or len(words[index].word) < _MIN_LOWER or not found.is_no_word(index):
        return False
    before, after = words[index - 1].word, words[index + 1].word if index + 1 < len(words) else ""
    gap = words.gap(index)
    if words.gap(index - 1) == " " and gap == " " and after in SPEECH:
        return before in SPEECH or words[index].traits.is_listed
    is_last = words.gap(index - 1) == " " and gap[:1] in (".", ",", ";", "\n", "")
    is_given = index > 1 and before == "to" and words[index - 2].word in _GIVEN
    return is_last and (is_given or (before in ("to", "by", "from") and words[index].traits.is_listed))


def _mark_lower(found: Found, run: list[int]) -> None:
    """Mark *run*, and the names in lower case that follow."""
    words = found.words
    while run[-1] + 1 < len(words) and words.gap(run[-1]) == " " and len(run) < LONGEST_RUN:
        following = words[run[-1] + 1]
        is_name = found.is_no_word(run[-1] + 1)
        is_ordinary = following.traits.is_listed and following.word not in SPEECH and words.gap(run[-1] + 1) != " "
        if following.is_capitalized or following.traits.is_excluded or not (is_name or is_ordinary):
            break
        run.append(run[-1] + 1)
    found.mark(run)


def _is_lower_patient(found: Found, index: int) -> bool:
    """Return whether a given and a family name, which may be words, follow `pt` or `patient`."""
    words = found.words
    if index + 1 >= len(words) or words[index - 1].word not in ("pt", "patient") or words.gap(index) != " ":
        return False
    given, family = words[index].word, words[index + 1].word
    is_verb = any(word in SPEECH or word in MODALS or word in words.lexicon.no_names for word in (given, family))
    is_family = family in words.lexicon.family or found.is_no_word(index + 1)
    return given in words.lexicon.given and is_family and not is_verb


def _may_be_lower_name(found: Found, index: int) -> bool:
    word = found.words[index]
    is_verb = word.word in SPEECH or word.word in MODALS or len(word.word) < 3
    return found.is_no_word(index) or (word.traits.is_listed and not word.traits.is_excluded and not is_verb)


def _is_weak_name(found: Found, index: int, other: int) -> bool:
    """Return whether *other* is a name that is also a word, after a listed name that is none."""
    traits, following = found.words[index].traits, found.words[other]
    is_name = following.traits.is_listed and not following.traits.is_excluded
    return traits.is_listed and is_name and following.word not in SPEECH and following.word not in MODALS


def _lower_credited(found: Found, index: int) -> None:
    """Mark one or two words in lower case before credentials in lower case."""
    run: list[int] = []
    while index and len(run) < 2 and found.words.gap(index - 1) in (" ", ", ") and _may_be_lower_name(found, index - 1):
        index -= 1
        run.insert(0, index)
    if run:
        found.mark(run)


def _lower_signature(found: Found, index: int) -> None:
    """Mark an initial and a name in lower case, as in `- n. okafor rn`."""
    words = found.words
    start, last = words[index].start, index + 1
    line = found.text[max(0, start - 4) : start].rstrip(" \t")
    is_announced = line[-1:] in ("", "\n", "-", "–", ":", ".") or (index and words[index - 1].word == "by")
    if not is_announced or last >= len(words) or words.gap(index) not in (".", ". "):
        return
    while words[last].word in PARTICLES and last + 1 < len(words):
        last += 1
    ends = words.gap(last)
    is_signed = last + 1 == len(words) or "\n" in ends or words[last + 1].word in _LOW_CREDENTIALS
    if is_signed and not words[last].traits.is_excluded:
        found.mark(list(range(index, last + 1)))
