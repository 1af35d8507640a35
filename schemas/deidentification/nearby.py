"""Names beside names, names that return, and initials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from corpusmill.schemas.deidentification.cues import CREDENTIALS, SPEECH, speaks_after
from corpusmill.schemas.deidentification.found import LONGEST_RUN, MODALS, PARTICLES, Found
from corpusmill.schemas.deidentification.lexicon import lexicon
from corpusmill.schemas.deidentification.patterns import compiled, word_starts
from corpusmill.schemas.deidentification.words import Word

_AND: Final = frozenset(("and", "or", "und", "y"))
_CHAIN: Final = frozenset((", ", " & ", "/", " / ", " + ", ","))
_AGE_BETWEEN: Final = compiled(r"[ ]?\(\d{1,2}\)[,;]?[ ]\Z")
"""Between the names of children: `Rosa (9), Abe (4)`."""
_PLACES_OF_CARE: Final = frozenset(
    "md rn np pa pt ot icu ed er ems ent ob gi id ir or us ct mri iv po im pcp hx ccu osh ice cpr".split()
)
"""Capitals after `by` that are no initials."""
_BETWEEN: Final = frozenset("of from and or with at in to for on by who as".split())
_QUOTED: Final = compiled(r"[\"“](?P<name>[A-Z][a-z]{1,12})[\"”]")


_CREDENTIAL_WORDS: Final = frozenset(
    "m md d do r rn n np l lpn pa ph phd crna dds dmd dpm pharmd pharm msw lcsw licsw aprn arnp fnp dnp cnm mbbs"
    " mph facs facc facp esq bsn msn cna cma rrt otr dpt ccc rdn lvn cwon cwocn psyd lmft lpc lmhc pgy ms pt ot rt"
    " rd ma cm sw jr sr ii iii iv".split()
)


def credited(found: Found) -> None:
    """Mark the names that stand before credentials."""
    if word_starts(found.text).keys().isdisjoint(_CREDENTIAL_WORDS):
        return
    ends = {word.end: index for index, word in enumerate(found.words)}
    for match in CREDENTIALS.finditer(found.text):
        index = ends.get(match.start())
        run: list[int] = []
        while index is not None and index >= 0 and len(run) < LONGEST_RUN:
            word = found.words[index]
            gap = found.words.gap(index)
            is_part = word.is_capitalized or (run and word.word in PARTICLES)
            if (
                (run and gap not in (" ", ". ", "  ", ", "))
                or not is_part
                or not _may_be_credited(word, has_more=bool(run))
            ):
                break
            run.insert(0, index)
            index -= 1
        while run and (not found.words[run[0]].is_capitalized):
            run.pop(0)
        if any(len(found.words[index].word) > 2 or found.words[index].traits.is_listed for index in run):
            found.mark(run)


def _may_be_credited(word: Word, *, has_more: bool) -> bool:
    if word.traits.is_excluded:
        return len(word.word) == 1 and has_more
    is_word = word.word in lexicon().common
    return word.traits.is_listed or not (is_word or word.traits.is_proper)


def quoted(found: Found) -> None:
    """Mark nicknames in quotes beside names, and after `goes by`."""
    for match in _QUOTED.finditer(found.text):
        index = found.at.get(match.start("name"))
        if index is None or index == 0:
            continue
        before = found.words[index - 1]
        near = index - 1 in found.marked or (index + 1 in found.marked and len(found.words.gap(index)) < 4)
        if near or before.word in ("by", "as", "prefers", "called", "nicknamed", "nickname", "aka"):
            found.mark([index])


def beside(found: Found, marked: set[int]) -> None:
    """Mark the words beside names, and those that `and`, a comma or a slash joins to them, that may be names."""
    agenda = sorted(marked)
    while agenda:
        index = agenda.pop()
        for other in (*_neighbors(found, index), *_joined_by_and(found, index)):
            if other not in found.marked:
                found.mark([other])
                agenda.append(other)


def _neighbors(found: Found, index: int) -> Iterator[int]:
    words = found.words
    if index + 1 < len(words) and words.gap(index) == " " and found.may_be_name(index + 1, like=index):
        yield index + 1
    before = index - 1
    if (
        before > 0
        and len(words[before].word) == 1
        and words.gap(before) in (". ", " ")
        and words[before].is_capitalized
    ):
        given = words[before - 1]
        if words.gap(before - 1) == " " and given.traits.is_listed and found.may_be_name(before - 1, like=index):
            yield before - 1
    if index and words.gap(before) in (" ", ". ") and words[before].word in PARTICLES:
        if words.gap(before) == " " or words[before].word == "st":
            yield before
    elif (
        index
        and words.gap(before) == " "
        and len(words[before].word) > 1
        and words[before].traits.is_listed
        and found.may_be_name(before, like=index)
    ):
        yield before


def _joined_by_and(found: Found, index: int) -> Iterator[int]:
    words = found.words
    after, before = index + 1, index - 1
    gap = words.gap(index)
    is_chain = gap in _CHAIN or gap.endswith("(") or _AGE_BETWEEN.match(gap) is not None
    if after < len(words) and is_chain and found.may_be_name(after, like=index):
        yield after
    elif after + 1 < len(words) and words[after].word in _AND and words.gap(after) == " ":
        is_eponym = after + 1 < len(words) and words[after + 1].traits.is_said_alone
        may_be = is_eponym and words[after + 1].is_capitalized and words[after + 1].traits.is_listed
        may_be = may_be and not words.is_term(after + 1)
        if words.gap(index) in (" ", ", ") and (may_be or found.may_be_name(after + 1, like=index)):
            yield after + 1
    if before >= 0 and words.gap(before) in _CHAIN and found.may_be_name(before, like=index):
        yield before
        return
    is_and = before > 0 and words[before].word in _AND and words.gap(before) == " "
    if is_and and words.gap(before - 1) in (" ", ", ") and found.may_be_name(before - 1, like=index):
        yield before - 1


def repeated(found: Found) -> None:
    """Mark where names of the record, and those that were found, stand again."""
    names = found.known | found.caught
    doubtful = []
    for index, word in enumerate(found.words):
        if index in found.marked or not _is_part_of(word.word, names):
            continue
        if found.words.is_term(index, is_name=True) or (word.traits.is_excluded and word.word not in found.known):
            continue
        if found.words.lexicon.is_ordinary(word.word) or word.traits.is_word:
            doubtful.append(index)
        elif word.is_capitalized or word.word in found.known or not word.traits.is_word:
            found.marked.add(index)
    for index in (*doubtful, *reversed(doubtful)):
        if _is_beside_a_name(found, index) or _is_doubtful_name(found, index):
            found.marked.add(index)


def _is_part_of(word: str, names: frozenset[str] | set[str]) -> bool:
    return word in names or ("-" in word and any(part in names and len(part) > 2 for part in word.split("-")))


def _is_beside_a_name(found: Found, index: int) -> bool:
    word = found.words[index]
    if not word.is_capitalized:
        return False
    for other in (index - 1, index + 1):
        if 0 <= other < len(found.words) and (other in found.marked or _is_known_pair(found, index, other)):
            gap = found.words.gap(min(index, other))
            if len(gap) <= 3 and "\n" not in gap:
                return True
    return False


def _is_known_pair(found: Found, index: int, other: int) -> bool:
    """Return whether both words are different names of the record."""
    one, two = found.words[index].word, found.words[other].word
    return one != two and one in found.known and two in found.known and found.words[other].is_capitalized


def _is_doubtful_name(found: Found, index: int) -> bool:
    """Return whether an ordinary word that is a name elsewhere in the text is capitalized as a name here."""
    word, words = found.words[index], found.words
    if not word.is_capitalized or word.traits.is_excluded:
        return False
    if word.is_upper:
        before = words.gap(index - 1) if index else "\n"
        return (
            word.word in found.caught and words.gap(index)[:1] in ("\n", "") and before[-2:] in ("/ ", ": ", "- ", "\n")
        )
    if words.is_inside_sentence(index):
        return True
    if word.traits.is_said_alone:
        return speaks_after(words, index)
    if word.word in found.known and index + 1 < len(words) and words.gap(index) == " ":
        following = words[index + 1]
        return following.is_capitalized or following.word in SPEECH or following.word in _BETWEEN
    if word.word in MODALS:
        return index + 1 < len(words) and (words.gap(index) != " " or words[index + 1].word in SPEECH)
    return True


def initials(found: Found) -> None:
    """Mark initials between or right before names, and those of a signature."""
    for index, word in enumerate(found.words):
        if index in found.marked or not word.is_capitalized:
            continue
        if len(word.word) == 1:
            after = index + 1 in found.marked and _is_initial(found, index)
            before = index - 1 in found.marked and found.words.gap(index - 1) in (" ", ", ")
            follows = found.text[word.end : word.end + 1]
            if (after and word.word != "a") or (before and (after or follows in (".", ",", "\n", "", "^", ")"))):
                found.marked.add(index)
        elif word.is_upper and len(word.word) <= 3 and _is_signature(found, index):
            found.marked.add(index)


def _is_signature(found: Found, index: int) -> bool:
    """Return whether two or three capitals at the end of a line sign it."""
    word, words = found.words[index], found.words
    if index == 0:
        return False
    if words[index - 1].word == "by" and words.gap(index - 1) == " ":
        return word.word not in _PLACES_OF_CARE and (index < 2 or words[index - 2].word != "followed")
    if word.traits.is_excluded or word.traits.is_word:
        return False
    after = found.text[word.end : word.end + 1]
    gap = words.gap(index - 1)
    return after in ("", "\n") and (gap in (". ", " - ", " -- ", ": ", " / ", "/") or gap.endswith((" / ", ". ")))


def _is_initial(found: Found, index: int) -> bool:
    """Return whether the letter before a name is an initial, not the end of a sentence ("10/L. Ann")."""
    gap = found.words.gap(index)
    if gap == " ":
        return found.words[index].word not in ("a", "i")
    start = found.words[index].start
    is_apart = start == 0 or found.text[start - 1] in " \t\n(,;:/"
    return gap in (". ", ".") and is_apart
