"""Names with a capital letter: announced, on a list, in no dictionary, or words where none would be capitalized."""

from __future__ import annotations

from typing import Final

from corpusmill.schemas.deidentification.capitals import is_upper_name, upper_full, upper_pair
from corpusmill.schemas.deidentification.cues import (
    LABELS,
    RELATIVE_WORDS,
    RELATIVES,
    ROLES,
    STRICT,
    TITLES,
    cue_before,
    speaks_after,
)
from corpusmill.schemas.deidentification.found import LONGEST_RUN, MIN_UPPER, MODALS, PARTICLES, Found
from corpusmill.schemas.deidentification.patterns import compiled
from corpusmill.schemas.deidentification.words import Word

_MONTH_NAMES: Final = frozenset("may april june august".split())
_TIME: Final = frozenset("in since until during this early late mid last next of by from through every each on".split())
_ABOUT_SOMEBODY: Final = frozenset("is was has had will does did can".split())
_OWNERS: Final = frozenset("his her their my our the your".split())
_FRENCH: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZàâçèéêïñöüÀÂÇÈÉÊÏÑÖÜ'’-")
"""The letters of words of English with accents (`naïve`)."""
_LETTERED: Final = frozenset(
    "vitamin vit hepatitis hep type grade class stage part section group factor wave plan".split()
)
_ARTICLES: Final = frozenset("a an the this these no".split())
_AGENTS: Final = frozenset(
    "says by per from to told informed notified paged asked saw seen met consulted ask tell call called calling updated"
    " thanks thank hi hello remind notify contact contacted inform page spoke see meet named".split()
)
"""Words before whom somebody is named, at the beginning of a sentence too."""
_STREET_LIKE: Final = compiled(
    r"[ ](?:Street|St|Avenue|Ave|Road|Hospital|Clinic|Center|University|Unit|Ward|Building|Tower|Pavilion)\b"
)


def judge(found: Found, index: int) -> None:
    """Mark the capitalized word, and the name that begins with it, if it is one."""
    word, traits = found.words[index], found.words[index].traits
    cue = cue_before(found.words, index)
    if cue is not None:
        _catch(found, _run(found, index, with_comma=cue in (LABELS, STRICT)), cue)
    if index in found.marked or traits.is_excluded or len(word.word) == 1:
        return
    upper_pair(found, index)
    if word.is_upper:
        if is_upper_name(found, index):
            found.mark([index])
        upper_full(found, index)
    elif _is_plain_name(found, index) or _is_word_as_name(found, index) or _follows_initial(found, index):
        found.mark([index])


def _run(found: Found, index: int, *, with_comma: bool) -> list[int]:
    """Return the words of the name that begins at *index*."""
    first = found.words[index]
    run = [index]
    while len(run) < LONGEST_RUN and index + 1 < len(found.words):
        word, gap = found.words[index + 1], found.words.gap(index)
        is_initial = len(found.words[index].word) == 1
        is_joined = gap in (" ", "\t") or (gap == ". " and is_initial) or (gap == ", " and with_comma and len(run) == 1)
        if not is_joined or not _continues(word, first, has_comma=gap == ", "):
            break
        index += 1
        run.append(index)
    while len(run) > 1 and found.words[run[-1]].word in PARTICLES and not found.words[run[-1]].is_capitalized:
        run.pop()
    return run


def _continues(word: Word, first: Word, *, has_comma: bool) -> bool:
    if word.word in PARTICLES and not word.is_upper and not has_comma:
        return True
    if not word.is_capitalized or (word.traits.is_excluded and len(word.word) > 1):
        return False
    if word.traits.is_word and not word.traits.is_listed:
        return False
    if not first.is_upper or len(first.word) == 1:
        return not word.is_upper or len(word.word) == 1 or word.traits.is_listed
    if has_comma and word.is_upper:
        return word.traits.is_listed or not word.traits.is_word
    return len(word.word) == 1 or word.traits.is_sure or (word.is_upper and not word.traits.is_word)


def _catch(found: Found, run: list[int], strength: str) -> None:
    words = [found.words[index] for index in run]
    first = words[0]
    if first.traits.is_excluded and not (
        strength == TITLES and first.traits.is_listed and not first.is_upper and first.word not in MODALS
    ):
        return
    if strength == TITLES:
        if not (first.is_upper and first.traits.is_word and not first.traits.is_listed):
            found.mark(run)
        return
    if found.words.is_term(run[-1]) or found.words.is_term(run[0]) or found.words.is_dosed(run[-1]):
        return
    proper = [one for one in words if len(one.word) > 1]
    are_names = [(one.traits.is_listed or found.is_unlisted(one)) and not one.traits.is_proper for one in proper]
    if not proper:
        return
    is_single_upper = first.is_upper and len(proper) == 1
    if strength == LABELS:
        is_name = any(are_names)
    elif strength == RELATIVES:
        is_upper_name = first.word in found.words.lexicon.given or (
            not first.traits.is_word and (first.traits.is_listed or len(first.word) >= MIN_UPPER)
        )
        is_name = (
            are_names[0] and (first.word not in MODALS or not first.is_upper) and (is_upper_name or not is_single_upper)
        )
    else:
        are_sure = [
            found.words[at].traits.is_sure or (found.words.is_unknown(at) and not found.words[at].is_upper)
            for at in run
        ]
        is_name = any(are_sure) or (len(proper) > 1 and all(are_names) and not first.is_upper)
        is_name = is_name and not (first.word in MODALS and len(proper) == 1)
    if is_name:
        found.mark(run)


def _is_plain_name(found: Found, index: int) -> bool:
    """Return whether the word is on a list of names and no word, or on no list at all."""
    word, words = found.words[index], found.words
    if word.traits.is_sure:
        return not (words.is_term(index, is_name=word.word in found.caught) or _STREET_LIKE.match(found.text, word.end))
    if word.is_accented and len(word.word) > 1:
        is_word = word.traits.is_word and _FRENCH.issuperset(found.text[word.start : word.end])
        return not (word.traits.is_eponym or word.traits.is_proper or is_word)
    is_word_here = word.word in found.in_lower_case or found.text[word.end : word.end + 1].isdigit()
    is_name = words.is_unknown(index) or found.is_no_word(index)
    return not is_word_here and is_name and not words.is_term(index) and not words.is_dosed(index)


def _is_word_as_name(found: Found, index: int) -> bool:
    """Return whether a name that is also a word is a name here."""
    words, word = found.words, found.words[index]
    if not word.traits.is_listed or words.is_dosed(index) or words.is_term(index):
        return False
    if word.traits.is_proper and word.word not in _MONTH_NAMES:
        return False
    before = words[index - 1].word if index else ""
    follows_agent = before in _AGENTS and words.gap(index - 1) in (" ", ", ")
    if _is_possessive(found, word) and not word.traits.is_said_alone:
        return True
    is_enclosed = index > 0 and words.gap(index - 1).endswith("(") and words.gap(index)[:1] in (")", ",")
    if is_enclosed and (word.word in words.lexicon.given or words[index - 1].traits.is_excluded):
        return not word.traits.is_said_alone
    if words.is_inside_sentence(index) or follows_agent:
        if before in _ARTICLES or _STREET_LIKE.match(found.text, word.end):
            return False
        if word.word in _MONTH_NAMES:
            return before not in _TIME and not found.text[word.end : word.end + 2].strip()[:1].isdigit()
        return follows_agent or before in RELATIVE_WORDS if word.traits.is_said_alone else True
    return _begins_as_a_name(found, index)


def _is_possessive(found: Found, word: Word) -> bool:
    return found.text[word.end : word.end + 2] in ("'s", "’s") and not word.is_upper


def _begins_as_a_name(found: Found, index: int) -> bool:
    """Return whether what follows a word at the beginning of a sentence is said of a person."""
    words, word = found.words, found.words[index]
    if speaks_after(words, index):
        return True
    gap, following = words.gap(index), words[index + 1] if index + 1 < len(words) else None
    if following is None or gap != " ":
        return following is not None and _is_explained(found, gap, index + 1)
    if following.word in _ABOUT_SOMEBODY and not following.is_capitalized:
        return word.word in words.lexicon.given and word.word not in MODALS
    return (
        word.word in words.lexicon.given
        and following.is_capitalized
        and not following.is_upper
        and following.word in words.lexicon.family
        and not (following.traits.is_excluded or following.traits.is_proper or words.is_term(index + 1))
    )


def _is_explained(found: Found, gap: str, index: int) -> bool:
    """Return whether what follows a name says who it is: `(wife)`, `, who`, `, his wife`."""
    following = found.words[index].word
    if gap == " (":
        is_abbreviation = found.words[index].is_upper and len(following) < 5 and found.words.gap(index)[:1] == ")"
        return following in RELATIVE_WORDS or is_abbreviation
    next_words = {word.word for word in found.words[index + 1 : index + 3]}
    is_described = following in _OWNERS and not next_words.isdisjoint(RELATIVE_WORDS | ROLES)
    return gap == ", " and (following in ("who", "whose", "whom") or following in ROLES or is_described)


def _follows_initial(found: Found, index: int) -> bool:
    """Return whether an initial stands before the word, as in `by E. Street`."""
    word, words = found.words[index], found.words
    if index == 0 or len(words[index - 1].word) > 1 or words.gap(index - 1) not in (". ", "."):
        return False
    start = words[index - 1].start
    is_apart = start == 0 or found.text[start - 1] in " \t\n(/"
    is_initial = words[index - 1].is_capitalized and is_apart
    before_word = words[index - 2] if index > 1 else None
    follows_noun = before_word is not None and words.gap(index - 2) == " " and before_word.word in _LETTERED
    return (
        is_initial
        and not follows_noun
        and word.word not in MODALS
        and (word.traits.is_listed or words.is_unknown(index))
    )
