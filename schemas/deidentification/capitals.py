"""Names in capitals, and names whose order says that they are names: `FAMILY, GIVEN M.`."""

from __future__ import annotations

from typing import Final

from corpusmill.schemas.deidentification.found import MIN_UPPER, MODALS, Found

_MIN_LOWER: Final = 4


def is_upper_name(found: Found, index: int) -> bool:
    """Return whether the word in capitals is on a list of names and no word, or long and on no list."""
    word, words = found.words[index], found.words
    letters = word.word.replace("-", "")
    if words.is_term(index) or word.traits.is_word or words.is_dosed(index):
        return False
    if word.traits.is_sure:
        return len(letters) >= _MIN_LOWER
    return (len(letters) >= MIN_UPPER and words.is_unknown(index)) or word.is_accented


def upper_pair(found: Found, index: int) -> None:
    """Mark `FAMILY, GIVEN M.` in capitals."""
    words = found.words
    if index + 1 >= len(words) or words.gap(index) not in (", ", ","):
        return
    pair = (words[index], words[index + 1])
    if any(one.traits.is_excluded or one.traits.is_proper or not one.is_capitalized for one in pair):
        return
    if not all(one.is_upper for one in pair):
        _mixed_pair(found, index)
        return
    has_initial = index + 2 < len(words) and words.gap(index + 1) == " " and len(words[index + 2].word) == 1
    is_labeled = index == 0 or any(sign in words.gap(index - 1) for sign in ":\n=")
    are_names = [one.traits.is_listed or not one.traits.is_word for one in pair]
    are_sure = [one.traits.is_sure or (not one.traits.is_word and len(one.word) >= MIN_UPPER) for one in pair]
    if all(are_names) and (any(are_sure) or has_initial or is_labeled) and (has_initial or is_labeled or all(are_sure)):
        found.mark([index, index + 1, index + 2] if has_initial else [index, index + 1])


def _mixed_pair(found: Found, index: int) -> None:
    """Mark `Family, Given` at the beginning of a line or after a label, before a number or the end of a field."""
    words = found.words
    family, given = words[index], words[index + 1]
    is_labeled = index == 0 or any(sign in words.gap(index - 1) for sign in ":\n=") or words.gap(index - 1)[-2:] == "  "
    is_labeled = is_labeled or words.gap(index - 1) == ". "
    after = words.gap(index + 1)
    is_field = after[:1] in ("\n", "", "\t") or after[:2] in ("  ", " (") or any(map(str.isdigit, after))
    are_names = family.word in words.lexicon.family and given.word in words.lexicon.given
    if is_labeled and is_field and are_names and not words.is_dosed(index + 1):
        found.mark([index, index + 1])


def upper_full(found: Found, index: int) -> None:
    """Mark `GIVEN M. FAMILY` in capitals, where both are words and names."""
    words, given, family = found.words, found.words[index], index + 1
    if given.word not in words.lexicon.given or given.word in MODALS or words.gap(index) != " ":
        return
    if family + 1 < len(words) and len(words[family].word) == 1 and words.gap(family) in (". ", " "):
        family += 1
    if family == len(words) or not words[family].is_upper or words[family].word not in words.lexicon.family:
        return
    if not (words[family].traits.is_excluded or words[family].traits.is_proper or words.is_term(family)):
        found.mark(list(range(index, family + 1)))
