"""Names of people: known from the record, after a word that announces one, or from lists of names.

A name that is found once is also replaced where only a part of it follows, except where it is part of a medical term
(`Parkinson disease`, `Foley catheter`) or an ordinary word (`White`, `May`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from corpusmill.schemas.deidentification.cues import (
    CREDENTIALS,
    INTRODUCED,
    LABELS,
    RELATIVES,
    STRICT,
    TITLES,
    cue_ends,
)
from corpusmill.schemas.deidentification.known import folded
from corpusmill.schemas.deidentification.lexicon import Lexicon, lexicon
from corpusmill.schemas.deidentification.patterns import compiled
from corpusmill.schemas.deidentification.spans import Span

_WORD: Final = compiled(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_GAP: Final = compiled(r"[ \t]|,[ \t]|\.[ \t]|[ \t]\n?[ \t]*")
_PARTICLES: Final = frozenset("de del della der den van von la le al bin ibn da dos du el ter st san o".split())
_BEFORE_INITIAL: Final = frozenset("by with from to per and of for dr mr mrs ms cc".split())
_TERM: Final = compiled(
    r"(?:['’]s?)?(?:[ -](?:[A-Z][\w'’-]+[ -]){0,2}|-[A-Z][\w-]*[ -]|/[A-Z]\w+[ -])"
    r"(?i:diseases?|syndromes?|signs?|tests?|tumou?rs?|catheters?|scale|scores?|scoring|class(?:ification)?|criteria|fractures?|palsy|lymphoma|sarcoma|cysts?|nodes?"
    r"|nodules?|maneuver|procedure|operation|repair|reflex|contracture|ulcers?|hernias?|bodies|cells?|stain|drains?|tubes?|clamps?|forceps|splint|traction"
    r"|position|triad|law|murmur|gland|duct|ligament|stage|staging|grade|index|phenomenon|anemia|purpura|thyroiditis|arteritis|encephalopathy|aphasia"
    r"|psychosis|chorea|esophagus|pouch|anastomosis|line|port|wires?|pins?|plate|lamp|chart|monitor|ultrasound|study|studies|coma|diverticul\w+|deformity"
    r"|neuroma|spots?|breathing|respirations?|sounds?|lactate|solution|virus|fever|bundle|fibers?|layer|canal|tubes|tendon|tendinitis|factor|protein|protocol"
    r"|block|rash|lines|nevus|dystrophy|disorder|paralysis|ataxia|method|medium|agar|technique|incision|approach|shunt|needle|suture|retractor|bandage|dressing"
    r"|bag|scissors|mask|cannula|suction|tip|knee|elbow|toe|thumb|finger|vertigo|deficiency|hemorrhoid|erythema|phlebitis|melanoma|carcinoma|malformation|anomaly"
    r"|gangrene|angina|granulomatosis|neuralgia|neuropathy|nephropathy|count|matter|blood|stool|lesion|infarct\w*|infection|borreliosis|risk|prognostic"
    r"|assessment|questionnaire|inventory|movement|response|waves?|rods?|thrombosis|lung|membrane|device|formula|equation|rule|rules|mobility|performance"
    r"|gait|stance|pupil|rhythm|aneurysm|type\b)"
)
"""What makes the name before it a medical term."""
_POSSESSIVE_TERM: Final = compiled(r"['’]s?\b")
_STREET_LIKE: Final = compiled(
    r"[ ](?:Street|St|Avenue|Ave|Road|Hospital|Clinic|Center|University|Unit|Ward|Building|Tower|Pavilion)\b"
)


class _Word(NamedTuple):
    start: int
    end: int
    word: str
    is_capitalized: bool
    is_upper: bool


class _Names:
    """The search in one text."""

    def __init__(self, text: str, known: frozenset[str]) -> None:
        self.text = text
        self.lexicon: Lexicon = lexicon()
        self.known = known
        self.words = [_as_word(match) for match in _WORD.finditer(text)]
        self.at = {word.start: index for index, word in enumerate(self.words)}
        self.marked: set[int] = set()
        self.caught: set[str] = set()

    def spans(self) -> Iterator[Span]:
        self._introduced()
        self._listed()
        self._repeated()
        self._initials()
        yield from self._joined()

    def _introduced(self) -> None:
        for end, strength in cue_ends(self.text):
            index = self.at.get(end)
            if index is not None:
                self._catch(self._run(index, with_comma=strength in (LABELS, STRICT)), strength)
        for match in CREDENTIALS.finditer(self.text):
            self._catch_before(match.start())
        for match in INTRODUCED.finditer(self.text):
            index = self.at.get(match.start("name"))
            if index is not None:
                self._catch(self._run(index, with_comma=False), LABELS)

    def _run(self, index: int, *, with_comma: bool) -> list[int]:
        """Return the words of the name that begins at *index*."""
        first = self.words[index]
        if not first.is_capitalized or first.word in self.lexicon.no_names:
            return []
        run = [index]
        while len(run) < 5 and index + 1 < len(self.words):
            word, gap = self.words[index + 1], self.text[self.words[index].end : self.words[index + 1].start]
            is_initial = len(self.words[index].word) == 1
            is_joined = (
                gap in (" ", "\t") or (gap == ". " and is_initial) or (gap == ", " and with_comma and len(run) == 1)
            )
            if not is_joined or not self._continues(word, first):
                break
            index += 1
            run.append(index)
        while len(run) > 1 and self.words[run[-1]].word in _PARTICLES and not self.words[run[-1]].is_capitalized:
            run.pop()
        return run

    def _continues(self, word: _Word, first: _Word) -> bool:
        if word.word in _PARTICLES and not word.is_upper:
            return True
        if not word.is_capitalized or (word.word in self.lexicon.no_names and len(word.word) > 1):
            return False
        if word.word in self.lexicon.common and not self._is_in_a_list(word.word):
            return False
        if not first.is_upper or len(first.word) == 1:
            return not word.is_upper or len(word.word) == 1 or word.word in self.lexicon.family
        return len(word.word) == 1 or self._is_listed(word.word)

    def _is_listed(self, word: str) -> bool:
        lists = self.lexicon
        return word in lists.sure_given or word in lists.sure_family or word in self.known or word in self.caught

    def _catch(self, run: list[int], strength: str) -> None:
        if not run or (strength != TITLES and (self._is_term(run[-1]) or self._is_term(run[0]))):
            return
        words = [self.words[index].word for index in run]
        is_named = any(self._is_listed(word) or self._is_in_a_list(word) for word in words)
        if strength == STRICT and not (is_named and not self._are_common(words)) and not self._looks_like_a_name(run):
            return
        if strength == RELATIVES and (self.words[run[0]].is_upper and not is_named):
            return
        self._mark(run)

    def _is_in_a_list(self, word: str) -> bool:
        return word in self.lexicon.given or word in self.lexicon.family

    def _are_common(self, words: list[str]) -> bool:
        return all(word in self.lexicon.common for word in words)

    def _looks_like_a_name(self, run: list[int]) -> bool:
        """Return whether two or more words in mixed case are no words that a text has in lower case."""
        words = [self.words[index] for index in run]
        lists = self.lexicon
        return len(run) > 1 and not any(
            word.is_upper or word.word in lists.common or word.word in lists.eponyms for word in words
        )

    def _mark(self, run: list[int]) -> None:
        self.marked.update(run)
        for index in run:
            word = self.words[index].word
            if word not in _PARTICLES:
                self.caught.update(part for part in {word, *word.split("-")} if len(part) > 1)

    def _catch_before(self, position: int) -> None:
        """Mark the name that ends right before *position*, where its credentials begin."""
        index = self._last_before(position)
        run: list[int] = []
        while index is not None and index >= 0 and len(run) < 4:
            word = self.words[index]
            following = self.words[run[0]].start if run else position
            gap = self.text[word.end : following]
            if (run and gap not in (" ", ". ", "  ")) or not word.is_capitalized or word.word in self.lexicon.no_names:
                break
            run.insert(0, index)
            index -= 1
        if run and not (
            len(run) == 1 and len(self.words[run[0]].word) < 3 and self.words[run[0]].word not in self.lexicon.family
        ):
            self._mark(run)

    def _last_before(self, position: int) -> int | None:
        start = max(
            (start for start in range(position - 1, max(position - 40, -1), -1) if start in self.at), default=None
        )
        return None if start is None else self.at[start]

    def _listed(self) -> None:
        lists = self.lexicon
        for index, word in enumerate(self.words):
            if not word.is_capitalized or index in self.marked or word.word in lists.no_names:
                continue
            is_given = word.word in lists.given
            if (
                word.word in lists.sure_given
                and not self._is_term(index)
                and not _STREET_LIKE.match(self.text, word.end)
            ):
                self._mark(self._with_family(index))
            elif is_given and (follower := self._follower(index)) is not None:
                other = self.words[follower].word
                if other in lists.sure_family and not self._is_term(follower):
                    self._mark(list(range(index, follower + 1)))
            elif word.word in lists.sure_family and self._precedes_given(index):
                self._mark([index, index + 1])

    def _with_family(self, index: int) -> list[int]:
        """Return *index*, and the words after it that are a family name."""
        follower = self._follower(index)
        if follower is None:
            return [index]
        first, last = self.words[index], self.words[follower]
        is_family = last.word in self.lexicon.family
        lists = self.lexicon
        is_ordinary = last.word in lists.no_names or last.word in lists.common or self._is_term(follower)
        is_unlisted = not first.is_upper and not last.is_upper and not is_ordinary
        return list(range(index, follower + 1)) if is_family or is_unlisted else [index]

    def _follower(self, index: int) -> int | None:
        """Return the capitalized word after *index*; an initial may stand between."""
        for step in (1, 2):
            if index + step >= len(self.words):
                return None
            before, word = self.words[index + step - 1], self.words[index + step]
            gap = self.text[before.end : word.start]
            if not word.is_capitalized or gap not in ((" ",) if step == 1 else (" ", ". ")):
                return None
            if len(word.word) > 1:
                return index + step
        return None

    def _precedes_given(self, index: int) -> bool:
        if index + 1 >= len(self.words):
            return False
        following = self.words[index + 1]
        gap = self.text[self.words[index].end : following.start]
        return gap in (", ", ",") and following.is_capitalized and following.word in self.lexicon.sure_given

    def _repeated(self) -> None:
        names = self.known | self.caught
        doubtful = []
        for index, word in enumerate(self.words):
            if index in self.marked or not self._is_part_of(word.word, names):
                continue
            if self._is_term(index):
                continue
            if self.lexicon.is_ordinary(word.word):
                doubtful.append(index)
            elif word.is_capitalized or word.word in self.known:
                self.marked.add(index)
        for index in (*doubtful, *reversed(doubtful)):
            if self._is_beside_a_name(index) or self._is_capitalized_inside(index):
                self.marked.add(index)

    def _is_part_of(self, word: str, names: frozenset[str] | set[str]) -> bool:
        return word in names or ("-" in word and any(part in names and len(part) > 2 for part in word.split("-")))

    def _is_beside_a_name(self, index: int) -> bool:
        word = self.words[index]
        if not word.is_capitalized:
            return False
        for other in (index - 1, index + 1):
            if 0 <= other < len(self.words) and (
                other in self.marked or (other != index and self._is_known_pair(index, other))
            ):
                first, second = sorted((index, other))
                gap = self.text[self.words[first].end : self.words[second].start]
                if len(gap) <= 3 and "\n" not in gap:
                    return True
        return False

    def _is_known_pair(self, index: int, other: int) -> bool:
        """Return whether both words are different names of the record."""
        one, two = self.words[index].word, self.words[other].word
        return one != two and one in self.known and two in self.known and self.words[other].is_capitalized

    def _is_capitalized_inside(self, index: int) -> bool:
        """Return whether an ordinary word is capitalized in the middle of a sentence in mixed case."""
        word = self.words[index]
        if not word.is_capitalized or word.is_upper or index == 0 or word.word in self.lexicon.no_names:
            return False
        before = self.words[index - 1]
        return self.text[before.end : word.start] in (" ", ", ") and not before.is_capitalized

    def _initials(self) -> None:
        """Mark initials between or right before names, and particles between them."""
        for index, word in enumerate(self.words):
            if index not in self.marked and len(word.word) == 1 and word.is_capitalized:
                after = index + 1 in self.marked and self._is_initial(index)
                before = index - 1 in self.marked and self._gap(index - 1) in (" ", ", ")
                follows = self.text[word.end : word.end + 1]
                if (after and word.word != "a") or (before and (after or follows in (".", ",", "\n", "", "^", ")"))):
                    self.marked.add(index)

    def _is_initial(self, index: int) -> bool:
        """Return whether the letter before a name is an initial, not the end of a sentence ("10/L. Ann")."""
        if self._gap(index) == " ":
            return self.words[index].word not in ("a", "i")
        start = self.words[index].start
        is_apart = start == 0 or self.text[start - 1] in " \t\n(,"
        before = self.words[index - 1] if index else None
        follows_lower = before is not None and not before.is_capitalized and before.word not in _BEFORE_INITIAL
        return self._gap(index) in (". ", ".") and is_apart and not follows_lower

    def _gap(self, index: int) -> str:
        return self.text[self.words[index].end : self.words[index + 1].start]

    def _is_term(self, index: int) -> bool:
        """Return whether the word is part of a medical term."""
        word = self.words[index]
        end = word.end
        if _TERM.match(self.text, end):
            return word.word in self.lexicon.eponyms or not (word.word in self.known or word.word in self.caught)
        if word.word in self.lexicon.eponyms:
            if _POSSESSIVE_TERM.match(self.text, end) and word.word not in self.caught:
                return True
            following = self.words[index + 1] if index + 1 < len(self.words) else None
            is_pair = following is not None and self.text[end : following.start] in (" ", "-")
            if (
                following is not None
                and is_pair
                and following.word in self.lexicon.eponyms
                and following.is_capitalized
            ):
                return bool(_TERM.match(self.text, following.end)) or self.text[end : following.start] == "-"
        return False

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
        gap = self._gap(index)
        return gap in (" ", ", ", "  ", "\t", "^") or (gap in (". ", ".") and len(self.words[index].word) == 1)

    def _span(self, run: list[int]) -> Span:
        last = self.words[run[-1]]
        end = last.end + (1 if len(last.word) == 1 and self.text[last.end : last.end + 1] == "." else 0)
        return Span(self.words[run[0]].start, end, "name")


def _as_word(match: re.Match[str]) -> _Word:
    word = match[0]
    end = match.end()
    if word[-2:] in ("'s", "’s", "'S", "’S"):
        word, end = word[:-2], end - 2
    return _Word(match.start(), end, folded(word), word[0].isupper(), len(word) > 1 and word.isupper())


def name_spans(text: str, known: frozenset[str] = frozenset()) -> Iterator[Span]:
    """Yield the names of people in *text*.

    Args:
        known: Folded words of names that the record states (`known.name_words`).

    >>> text = "Mr. Okonkwo saw Dr. Ana Lee for Parkinson disease. Okonkwo may have a Foley catheter."
    >>> [text[span.start : span.end] for span in name_spans(text)]
    ['Okonkwo', 'Ana Lee', 'Okonkwo']
    """
    return _Names(text, known).spans()
