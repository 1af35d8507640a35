"""Names of people: known from the record, after a word that announces one, on a list, or in no dictionary.

A capitalized word that no dictionary of English, medicine or drugs has is a name. A name that is also a word (`Rose`,
`White`) counts where a word would not be capitalized, after a word that announces a name, and beside a name. A name that
is found once is also replaced where only a part of it follows, except where it is part of a medical term (`Parkinson
disease`, `Foley catheter`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from corpusmill.schemas.deidentification.cues import (
    CREDENTIALS,
    LABELS,
    RELATIVE_WORDS,
    RELATIVES,
    SPEECH,
    STRICT,
    TITLES,
    cue_before,
    speaks_after,
)
from corpusmill.schemas.deidentification.patterns import compiled
from corpusmill.schemas.deidentification.spans import Span
from corpusmill.schemas.deidentification.words import Word, Words

PARTICLES: Final = frozenset("de del della der den van von la le al bin ibn da dos du el ter st san di y e".split())
_AND: Final = frozenset(("and", "or", "und", "y"))
_CHAIN: Final = frozenset((", ", " & ", "/", " / ", " + ", "; ", ","))
_AGE_BETWEEN: Final = compiled(r"[ ]?\(\d{1,2}\)[,;]?[ ]\Z")
"""Between the names of children: `Rosa (9), Abe (4)`."""
_MODALS: Final = frozenset(("will", "may"))
_MONTH_NAMES: Final = frozenset("may april june august".split())
_TIME: Final = frozenset("in since until during this early late mid last next of by from through every each on".split())
_PLACES_OF_CARE: Final = frozenset("md rn np pa pt ot icu ed er ems ent ob gi id ir or us ct mri iv po im pcp hx ccu osh ice cpr".split())
"""Capitals after `by` that are no initials."""
_BETWEEN: Final = frozenset("of from and or with at in to for on by who as".split())
_ABOUT_SOMEBODY: Final = frozenset("is was has had will does did can".split())
_OWNERS: Final = frozenset("his her their my our the your".split())
_FRENCH: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZàâçèéêïñöüÀÂÇÈÉÊÏÑÖÜ'’-")
"""The letters of words of English with accents (`naïve`)."""
_LETTERED: Final = frozenset("vitamin vit hepatitis hep type grade class stage part section group factor wave plan".split())
_ARTICLES: Final = frozenset("a an the this these no".split())
_AGENTS: Final = frozenset(
    "by per from to told informed notified paged asked saw seen met consulted ask tell call called calling updated thanks"
    " thank hi hello remind notify contact contacted inform page spoke see meet named".split()
)
"""Words before whom somebody is named, at the beginning of a sentence too."""
_STREET_LIKE: Final = compiled(
    r"[ ](?:Street|St|Avenue|Ave|Road|Hospital|Clinic|Center|University|Unit|Ward|Building|Tower|Pavilion)\b"
)
_QUOTED: Final = compiled(r"[\"“](?P<name>[A-Z][a-z]{1,12})[\"”]")
_LOW_CREDENTIALS: Final = frozenset("md rn lpn np cna pa".split())
_MIN_UPPER: Final = 5
"""Letters of a word in capitals that is a name because no dictionary has it; a shorter one is an abbreviation."""
_MIN_LOWER: Final = 4
_LONGEST_RUN: Final = 5


class _Names:
    """The search in one text."""

    def __init__(self, text: str, known: frozenset[str]) -> None:
        self.text = text
        self.words = Words(text)
        self.known = known
        self.in_lower_case = {word.word for word in self.words if not word.is_capitalized}
        self.at = {word.start: index for index, word in enumerate(self.words)}
        self.marked: set[int] = set()
        self.caught: set[str] = set()

    def spans(self) -> Iterator[Span]:
        self._credited()
        for index, word in enumerate(self.words):
            if word.is_capitalized:
                self._judge(index)
            elif not (word.traits.is_plain_word and len(word.word) > 1 and word.word not in PARTICLES):
                self._judge_lower(index)
        self._quoted()
        self._beside(self.marked)
        before = set(self.marked)
        self._repeated()
        self._beside(self.marked - before)
        self._initials()
        yield from self._joined()

    def _judge(self, index: int) -> None:
        """Mark the capitalized word, and the name that begins with it, if it is one."""
        word, traits = self.words[index], self.words[index].traits
        cue = cue_before(self.words, index)
        if cue is not None:
            self._catch(self._run(index, with_comma=cue in (LABELS, STRICT)), cue)
        if index in self.marked or traits.is_excluded or len(word.word) == 1:
            return
        self._upper_pair(index)
        if word.is_upper:
            if self._is_upper_name(index):
                self._mark([index])
            self._upper_full(index)
        elif self._is_plain_name(index) or self._is_word_as_name(index) or self._follows_initial(index):
            self._mark([index])

    def _is_plain_name(self, index: int) -> bool:
        """Return whether the word is on a list of names and no word, or on no list at all."""
        word, words = self.words[index], self.words
        if word.traits.is_sure:
            return not (
                words.is_term(index, is_name=word.word in self.caught) or _STREET_LIKE.match(self.text, word.end)
            )
        if word.is_accented and len(word.word) > 1:
            is_word = word.traits.is_word and _FRENCH.issuperset(self.text[word.start : word.end])
            return not (word.traits.is_eponym or word.traits.is_proper or is_word)
        is_word_here = word.word in self.in_lower_case or self.text[word.end : word.end + 1].isdigit()
        is_name = words.is_unknown(index) or self._is_no_word(index)
        return not is_word_here and is_name and not words.is_term(index) and not words.is_dosed(index)

    def _is_word_as_name(self, index: int) -> bool:
        """Return whether a name that is also a word is a name here."""
        words, word = self.words, self.words[index]
        if not word.traits.is_listed or words.is_dosed(index) or words.is_term(index):
            return False
        if word.traits.is_proper and word.word not in _MONTH_NAMES:
            return False
        before = words[index - 1].word if index else ""
        follows_agent = before in _AGENTS and words.gap(index - 1) in (" ", ", ")
        if self._is_possessive(word) and not word.traits.is_said_alone:
            return True
        if index and words.gap(index - 1).endswith("(") and words.gap(index).startswith(")"):
            if word.word in words.lexicon.given or words[index - 1].traits.is_excluded:
                return not word.traits.is_said_alone
        if words.is_inside_sentence(index) or follows_agent:
            if before in _ARTICLES or _STREET_LIKE.match(self.text, word.end):
                return False
            if word.word in _MONTH_NAMES:
                return before not in _TIME and not self.text[word.end : word.end + 2].strip()[:1].isdigit()
            return follows_agent or before in RELATIVE_WORDS if word.traits.is_said_alone else True
        return self._begins_as_a_name(index)

    def _is_explained(self, gap: str, index: int) -> bool:
        """Return whether what follows a name says who it is: `(wife)`, `, who`, `, his wife`."""
        following = self.words[index].word
        if gap == " (":
            return following in RELATIVE_WORDS
        is_relative = index + 1 < len(self.words) and self.words[index + 1].word in RELATIVE_WORDS
        return gap == ", " and (following in ("who", "whose", "whom") or (following in _OWNERS and is_relative))

    def _is_possessive(self, word: Word) -> bool:
        return self.text[word.end : word.end + 2] in ("'s", "’s") and not word.is_upper

    def _begins_as_a_name(self, index: int) -> bool:
        """Return whether what follows a word at the beginning of a sentence is said of a person."""
        words, word = self.words, self.words[index]
        if speaks_after(words, index):
            return True
        gap, following = words.gap(index), words[index + 1] if index + 1 < len(words) else None
        if following is None or gap != " ":
            return following is not None and self._is_explained(gap, index + 1)
        if following.word in _ABOUT_SOMEBODY and not following.is_capitalized:
            return word.word in words.lexicon.given and word.word not in _MODALS
        return (
            word.word in words.lexicon.given
            and following.is_capitalized
            and not following.is_upper
            and following.word in words.lexicon.family
            and not (following.traits.is_excluded or following.traits.is_proper or words.is_term(index + 1))
        )

    def _follows_initial(self, index: int) -> bool:
        """Return whether an initial stands before the word, as in `by E. Street`."""
        word, words = self.words[index], self.words
        if index == 0 or len(words[index - 1].word) > 1 or words.gap(index - 1) not in (". ", "."):
            return False
        start = words[index - 1].start
        is_apart = start == 0 or self.text[start - 1] in " \t\n(/"
        is_initial = words[index - 1].is_capitalized and is_apart
        before_word = words[index - 2] if index > 1 else None
        follows_noun = before_word is not None and words.gap(index - 2) == " " and before_word.word in _LETTERED
        return is_initial and not follows_noun and word.word not in _MODALS and (word.traits.is_listed or words.is_unknown(index))

    def _is_upper_name(self, index: int) -> bool:
        word, words = self.words[index], self.words
        letters = word.word.replace("-", "")
        if words.is_term(index) or word.traits.is_word or words.is_dosed(index):
            return False
        if word.traits.is_sure:
            return len(letters) >= _MIN_LOWER
        return len(letters) >= _MIN_UPPER and words.is_unknown(index) or word.is_accented

    def _upper_pair(self, index: int) -> None:
        """Mark `FAMILY, GIVEN M.` in capitals."""
        words = self.words
        if index + 1 >= len(words) or words.gap(index) not in (", ", ","):
            return
        pair = (words[index], words[index + 1])
        if any(one.traits.is_excluded or one.traits.is_proper or not one.is_capitalized for one in pair):
            return
        if not all(one.is_upper for one in pair):
            self._mixed_pair(index)
            return
        has_initial = (
            index + 2 < len(words) and words.gap(index + 1) == " " and len(words[index + 2].word) == 1
        )
        is_labeled = index == 0 or any(sign in words.gap(index - 1) for sign in ":\n=")
        are_names = [one.traits.is_listed or not one.traits.is_word for one in pair]
        are_sure = [one.traits.is_sure or (not one.traits.is_word and len(one.word) >= _MIN_UPPER) for one in pair]
        if all(are_names) and (any(are_sure) or has_initial or is_labeled) and (has_initial or is_labeled or all(are_sure)):
            self._mark([index, index + 1, index + 2] if has_initial else [index, index + 1])

    def _mixed_pair(self, index: int) -> None:
        """Mark `Family, Given` at the beginning of a line or after a label, before a number or the end of a field."""
        words = self.words
        family, given = words[index], words[index + 1]
        is_labeled = index == 0 or any(sign in words.gap(index - 1) for sign in ":\n=") or words.gap(index - 1)[-2:] == "  "
        after = words.gap(index + 1)
        is_field = after[:1] in ("\n", "", "\t") or after[:2] in ("  ",) or any(map(str.isdigit, after))
        are_names = family.word in words.lexicon.family and given.word in words.lexicon.given
        if is_labeled and is_field and are_names and not words.is_dosed(index + 1):
            self._mark([index, index + 1])

    def _upper_full(self, index: int) -> None:
        """Mark `GIVEN M. FAMILY` in capitals, where both are words and names."""
        words, given, family = self.words, self.words[index], index + 1
        if given.word not in words.lexicon.given or given.word in _MODALS or words.gap(index) != " ":
            return
        if family + 1 < len(words) and len(words[family].word) == 1 and words.gap(family) in (". ", " "):
            family += 1
        if family < len(words) and words[family].is_upper and words[family].word in words.lexicon.family:
            if not (words[family].traits.is_excluded or words[family].traits.is_proper or words.is_term(family)):
                self._mark(list(range(index, family + 1)))

    def _judge_lower(self, index: int) -> None:
        """Mark a name in lower case: after a title or a relative, or a name that is no word."""
        word, words = self.words[index], self.words
        traits = word.traits
        if index in self.marked:
            return
        if len(word.word) < 2:
            self._lower_signature(index)
            return
        if traits.is_excluded:
            if word.word in _LOW_CREDENTIALS:
                self._lower_credited(index)
            return
        cue = cue_before(words, index)
        is_certain = traits.is_sure and not traits.is_word
        if cue is not None and word.word in PARTICLES and index + 1 < len(words) and not words[index + 1].traits.is_word:
            self._mark([index])
            self._mark_lower([index + 1])
        elif cue == TITLES:
            is_weak_word = word.word in SPEECH or word.word in _MODALS or word.word in RELATIVE_WORDS
            if (traits.is_listed and not is_weak_word) or not (traits.is_word or traits.is_proper):
                self._mark_lower([index])
        elif cue in (RELATIVES, LABELS):
            is_given = word.word in words.lexicon.given and word.word not in _MODALS and word.word not in SPEECH
            if is_certain or words.is_unknown(index) or is_given:
                self._mark_lower([index])
        elif cue == STRICT and self._is_lower_patient(index):
            self._mark_lower([index, index + 1])
        elif cue == STRICT and self._is_no_word(index) and not is_certain:
            following = words[index + 1] if index + 1 < len(words) and words.gap(index) == " " else None
            if following is not None and (self._is_no_word(index + 1) or self._is_weak_name(index, index + 1)):
                self._mark([index, index + 1])
        elif is_certain and len(word.word) >= _MIN_LOWER and not traits.is_said_alone:
            self._mark_lower([index])

    def _is_no_word(self, index: int) -> bool:
        """Return whether the word is on no list of words; it may be on one of names."""
        traits = self.words[index].traits
        return self.words.is_unknown(index) or (
            traits.is_listed and not (traits.is_word or traits.is_proper or traits.is_excluded or traits.is_eponym)
        )

    def _is_lower_patient(self, index: int) -> bool:
        """Return whether a given and a family name, which may be words, follow `pt` or `patient`."""
        words = self.words
        if index + 1 >= len(words) or words[index - 1].word not in ("pt", "patient") or words.gap(index) != " ":
            return False
        names = ((words[index].word, words.lexicon.given), (words[index + 1].word, words.lexicon.family))
        is_verb = any(word in SPEECH or word in _MODALS or word in words.lexicon.no_names for word, _ in names)
        return all(word in listed for word, listed in names) and not is_verb

    def _may_be_lower_name(self, index: int) -> bool:
        word = self.words[index]
        is_verb = word.word in SPEECH or word.word in _MODALS or len(word.word) < 3
        return self._is_no_word(index) or (word.traits.is_listed and not word.traits.is_excluded and not is_verb)

    def _is_weak_name(self, index: int, other: int) -> bool:
        """Return whether *other* is a name that is also a word, after a listed name that is none."""
        traits, following = self.words[index].traits, self.words[other]
        is_name = following.traits.is_listed and not following.traits.is_excluded
        return traits.is_listed and is_name and following.word not in SPEECH and following.word not in _MODALS

    def _mark_lower(self, run: list[int]) -> None:
        """Mark *run*, and the names in lower case that follow."""
        words = self.words
        while run[-1] + 1 < len(words) and words.gap(run[-1]) == " " and len(run) < _LONGEST_RUN:
            following = words[run[-1] + 1]
            is_name = self._is_no_word(run[-1] + 1)
            is_ordinary = following.traits.is_listed and following.word not in SPEECH and words.gap(run[-1] + 1) != " "
            if following.is_capitalized or following.traits.is_excluded or not (is_name or is_ordinary):
                break
            run.append(run[-1] + 1)
        self._mark(run)

    def _lower_credited(self, index: int) -> None:
        """Mark one or two words in lower case before credentials in lower case."""
        run: list[int] = []
        while index and len(run) < 2 and self.words.gap(index - 1) in (" ", ", ") and self._may_be_lower_name(index - 1):
            index -= 1
            run.insert(0, index)
        if run:
            self._mark(run)

    def _lower_signature(self, index: int) -> None:
        """Mark an initial and a name in lower case, as in `- n. okafor rn`."""
        words = self.words
        start, last = words[index].start, index + 1
        line = self.text[max(0, start - 4) : start].rstrip(" \t")
        is_announced = line[-1:] in ("", "\n", "-", "–", ":") or (index and words[index - 1].word == "by")
        if not is_announced or last >= len(words) or words.gap(index) not in (".", ". "):
            return
        while words[last].word in PARTICLES and last + 1 < len(words):
            last += 1
        ends = words.gap(last)
        is_signed = last + 1 == len(words) or "\n" in ends or words[last + 1].word in _LOW_CREDENTIALS
        if is_signed and not words[last].traits.is_excluded:
            self._mark(list(range(index, last + 1)))

    def _run(self, index: int, *, with_comma: bool) -> list[int]:
        """Return the words of the name that begins at *index*."""
        first = self.words[index]
        run = [index]
        while len(run) < _LONGEST_RUN and index + 1 < len(self.words):
            word, gap = self.words[index + 1], self.words.gap(index)
            is_initial = len(self.words[index].word) == 1
            is_joined = (
                gap in (" ", "\t") or (gap == ". " and is_initial) or (gap == ", " and with_comma and len(run) == 1)
            )
            if not is_joined or not self._continues(word, first, has_comma=gap == ", "):
                break
            index += 1
            run.append(index)
        while len(run) > 1 and self.words[run[-1]].word in PARTICLES and not self.words[run[-1]].is_capitalized:
            run.pop()
        return run

    def _continues(self, word: Word, first: Word, *, has_comma: bool) -> bool:
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

    def _catch(self, run: list[int], strength: str) -> None:
        words = [self.words[index] for index in run]
        first = words[0]
        if first.traits.is_excluded and not (
            strength == TITLES and first.traits.is_listed and not first.is_upper and first.word not in _MODALS
        ):
            return
        if strength == TITLES:
            if not (first.is_upper and first.traits.is_word and not first.traits.is_listed):
                self._mark(run)
            return
        if self.words.is_term(run[-1]) or self.words.is_term(run[0]) or self.words.is_dosed(run[-1]):
            return
        proper = [one for one in words if len(one.word) > 1]
        are_names = [(one.traits.is_listed or self._is_unlisted(one)) and not one.traits.is_proper for one in proper]
        if not proper:
            return
        is_single_upper = first.is_upper and len(proper) == 1
        if strength == LABELS:
            is_name = any(are_names)
        elif strength == RELATIVES:
            is_upper_name = first.word in self.words.lexicon.given or (
                not first.traits.is_word and (first.traits.is_listed or len(first.word) >= _MIN_UPPER)
            )
            is_name = are_names[0] and first.word not in _MODALS and (is_upper_name or not is_single_upper)
        else:
            are_sure = [
                self.words[at].traits.is_sure or (self.words.is_unknown(at) and not self.words[at].is_upper) for at in run
            ]
            is_name = any(are_sure) or (len(proper) > 1 and all(are_names) and not first.is_upper)
            is_name = is_name and not (first.word in _MODALS and len(proper) == 1)
        if is_name:
            self._mark(run)

    def _is_unlisted(self, word: Word) -> bool:
        return not (word.traits.is_word or word.traits.is_eponym or word.traits.is_proper or word.traits.is_excluded)

    def _mark(self, run: list[int]) -> None:
        self.marked.update(run)
        for index in run:
            word = self.words[index].word
            if word not in PARTICLES:
                self.caught.update(part for part in {word, *word.split("-")} if len(part) > 1)

    def _credited(self) -> None:
        """Mark the names that stand before credentials."""
        ends = {word.end: index for index, word in enumerate(self.words)}
        for match in CREDENTIALS.finditer(self.text):
            index = ends.get(match.start())
            run: list[int] = []
            while index is not None and index >= 0 and len(run) < _LONGEST_RUN:
                word = self.words[index]
                gap = self.words.gap(index)
                is_part = word.is_capitalized or (run and word.word in PARTICLES)
                if (run and gap not in (" ", ". ", "  ", ", ")) or not is_part or not self._may_be_credited(word, bool(run)):
                    break
                run.insert(0, index)
                index -= 1
            while run and (not self.words[run[0]].is_capitalized):
                run.pop(0)
            if any(len(self.words[index].word) > 2 or self.words[index].traits.is_listed for index in run):
                self._mark(run)

    def _may_be_credited(self, word: Word, has_more: bool) -> bool:
        if word.traits.is_excluded:
            return len(word.word) == 1 and has_more
        return word.traits.is_listed or not (word.traits.is_word or word.traits.is_proper)

    def _quoted(self) -> None:
        """Mark nicknames in quotes beside names, and after `goes by`."""
        for match in _QUOTED.finditer(self.text):
            index = self.at.get(match.start("name"))
            if index is None or index == 0:
                continue
            before = self.words[index - 1]
            near = index - 1 in self.marked or (index + 1 in self.marked and len(self.words.gap(index)) < 4)
            if near or before.word in ("by", "as", "prefers", "called", "nicknamed", "nickname", "aka"):
                self._mark([index])

    def _beside(self, marked: set[int]) -> None:
        """Mark the words beside names, and those that `and`, a comma or a slash joins to them, that may be names."""
        agenda = sorted(marked)
        while agenda:
            index = agenda.pop()
            for other in (*self._neighbors(index), *self._joined_by_and(index)):
                if other not in self.marked:
                    self._mark([other])
                    agenda.append(other)

    def _neighbors(self, index: int) -> Iterator[int]:
        words = self.words
        if index + 1 < len(words) and words.gap(index) == " " and self._may_be_name(index + 1, like=index):
            yield index + 1
        before = index - 1
        if index and words.gap(before) in (" ", ". ") and words[before].word in PARTICLES:
            if words.gap(before) == " " or words[before].word == "st":
                yield before
        elif index and words.gap(before) == " " and len(words[before].word) > 1:
            if words[before].traits.is_listed and self._may_be_name(before, like=index):
                yield before

    def _joined_by_and(self, index: int) -> Iterator[int]:
        words = self.words
        after, before = index + 1, index - 1
        gap = words.gap(index)
        is_chain = gap in _CHAIN or gap.endswith("(") or _AGE_BETWEEN.match(gap) is not None
        if after < len(words) and is_chain and self._may_be_name(after, like=index):
            yield after
        elif after + 1 < len(words) and words[after].word in _AND and words.gap(after) == " ":
            is_eponym = after + 1 < len(words) and words[after + 1].traits.is_said_alone
            may_be = is_eponym and words[after + 1].is_capitalized and words[after + 1].traits.is_listed
            may_be = may_be and not words.is_term(after + 1)
            if words.gap(index) in (" ", ", ") and (may_be or self._may_be_name(after + 1, like=index)):
                yield after + 1
        if before >= 0 and words.gap(before) in _CHAIN and self._may_be_name(before, like=index):
            yield before
        elif before > 0 and words[before].word in _AND and words.gap(before) == " " and words.gap(before - 1) in (" ", ", "):
            if self._may_be_name(before - 1, like=index):
                yield before - 1

    def _may_be_name(self, index: int, *, like: int) -> bool:
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
            return (is_given_before or is_family_after) and word.word not in SPEECH and word.word not in _MODALS
        if traits.is_said_alone:
            return traits.is_listed and index == like + 1 and words.gap(like) == " "
        return traits.is_listed or words.is_unknown(index) or traits.is_sure or (
            len(word.word) == 2 and not traits.is_word and not word.is_upper
        )

    def _repeated(self) -> None:
        names = self.known | self.caught
        doubtful = []
        for index, word in enumerate(self.words):
            if index in self.marked or not self._is_part_of(word.word, names):
                continue
            if self.words.is_term(index, is_name=True) or word.traits.is_excluded and word.word not in self.known:
                continue
            if self.words.lexicon.is_ordinary(word.word) or word.traits.is_word:
                doubtful.append(index)
            elif word.is_capitalized or word.word in self.known or not word.traits.is_word:
                self.marked.add(index)
        for index in (*doubtful, *reversed(doubtful)):
            if self._is_beside_a_name(index) or self._is_doubtful_name(index):
                self.marked.add(index)

    def _is_part_of(self, word: str, names: frozenset[str] | set[str]) -> bool:
        return word in names or ("-" in word and any(part in names and len(part) > 2 for part in word.split("-")))

    def _is_beside_a_name(self, index: int) -> bool:
        word = self.words[index]
        if not word.is_capitalized:
            return False
        for other in (index - 1, index + 1):
            if 0 <= other < len(self.words) and (other in self.marked or self._is_known_pair(index, other)):
                gap = self.words.gap(min(index, other))
                if len(gap) <= 3 and "\n" not in gap:
                    return True
        return False

    def _is_known_pair(self, index: int, other: int) -> bool:
        """Return whether both words are different names of the record."""
        one, two = self.words[index].word, self.words[other].word
        return one != two and one in self.known and two in self.known and self.words[other].is_capitalized

    def _is_doubtful_name(self, index: int) -> bool:
        """Return whether an ordinary word that is a name elsewhere in the text is capitalized as a name here."""
        word, words = self.words[index], self.words
        if not word.is_capitalized or word.is_upper or word.traits.is_excluded:
            return False
        if words.is_inside_sentence(index):
            return True
        if word.traits.is_said_alone:
            return speaks_after(words, index)
        if word.word in self.known and index + 1 < len(words) and words.gap(index) == " ":
            following = words[index + 1]
            return following.is_capitalized or following.word in SPEECH or following.word in _BETWEEN
        if word.word in _MODALS:
            return index + 1 < len(words) and (words.gap(index) != " " or words[index + 1].word in SPEECH)
        return True

    def _initials(self) -> None:
        """Mark initials between or right before names, and those of a signature."""
        for index, word in enumerate(self.words):
            if index in self.marked or not word.is_capitalized:
                continue
            if len(word.word) == 1:
                after = index + 1 in self.marked and self._is_initial(index)
                before = index - 1 in self.marked and self.words.gap(index - 1) in (" ", ", ")
                follows = self.text[word.end : word.end + 1]
                if (after and word.word != "a") or (before and (after or follows in (".", ",", "\n", "", "^", ")"))):
                    self.marked.add(index)
            elif word.is_upper and len(word.word) <= 3 and self._is_signature(index):
                self.marked.add(index)

    def _is_signature(self, index: int) -> bool:
        """Return whether two or three capitals at the end of a line sign it."""
        word, words = self.words[index], self.words
        if index == 0:
            return False
        if words[index - 1].word == "by" and words.gap(index - 1) == " ":
            return word.word not in _PLACES_OF_CARE and (index < 2 or words[index - 2].word != "followed")
        if word.traits.is_excluded or word.traits.is_word:
            return False
        after = self.text[word.end : word.end + 1]
        gap = words.gap(index - 1)
        return after in ("", "\n") and (gap in (". ", " - ", " -- ", ": ", " / ", "/") or gap.endswith((" / ", ". ")))

    def _is_initial(self, index: int) -> bool:
        """Return whether the letter before a name is an initial, not the end of a sentence ("10/L. Ann")."""
        gap = self.words.gap(index)
        if gap == " ":
            return self.words[index].word not in ("a", "i")
        start = self.words[index].start
        is_apart = start == 0 or self.text[start - 1] in " \t\n(,;:/"
        return gap in (". ", ".") and is_apart

    def _joined(self) -> Iterator[Span]:
        """Yield the marked words; those of one name are one span."""
        run: list[int] = []
        for index in sorted(self.marked):
            if run and not (index == run[-1] + 1 and self._is_within_name(run[-1])):
                yield self._span(run)
                run = []
            run.append(index)
        if run:
            yield self._span(run)

    def _is_within_name(self, index: int) -> bool:
        """Return whether what follows the word belongs to the same name as the word."""
        gap = self.words.gap(index)
        is_short = len(self.words[index].word) == 1 or self.words[index].word == "st"
        return gap in (" ", ", ", "  ", "\t", "^") or (gap in (". ", ".") and is_short)

    def _span(self, run: list[int]) -> Span:
        last = self.words[run[-1]]
        end = last.end + (1 if len(last.word) == 1 and self.text[last.end : last.end + 1] == "." else 0)
        return Span(self.words[run[0]].start, end, "name")


def name_spans(text: str, known: frozenset[str] = frozenset()) -> Iterator[Span]:
    """Yield the names of people in *text*.

    Args:
        known: Folded words of names that the record states (`known.name_words`).

    >>> text = "Mr. Okonkwo saw Dr. Ana Lee for Parkinson disease. Okonkwo may have a Foley catheter."
    >>> [text[span.start : span.end] for span in name_spans(text)]
    ['Okonkwo', 'Ana Lee', 'Okonkwo']
    """
    return _Names(text, known).spans()
