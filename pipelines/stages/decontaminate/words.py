"""Words as they are compared: case, white space and punctuation are ignored.

A word is that of `stages.dedup.shingles`, after full case folding (Unicode, section 3.13: ``ß`` is ``ss``) and with
``_`` as punctuation: one letter in scripts without spaces, otherwise a run of letters and digits. `folded` prepares
whole columns for `word_hashes`; `words` returns the same words of one text, with their positions.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.dedup.characters import unspaced_characters

Int64: TypeAlias = npt.NDArray[np.int64]

_FINAL_SIGMA: Final = "Σ"
"""The only letter that `str.lower` changes depending on its neighbors."""

_WORD: Final = re.compile(r"\w+")


class Characters(NamedTuple):
    """The characters ``[start, end)`` of a text that are a word, for each of its words."""

    starts: Int64
    ends: Int64


def words(text: str) -> list[str]:
    """Return the words of *text*.

    >>> words("Die GROẞE_Straße!"), words("中文 abc1")
    (['die', 'grosse', 'strasse'], ['中', '文', 'abc1'])
    """
    plain = _plain(text)
    return _pattern(plain).findall(plain)


def characters(text: str) -> Characters:
    """Return where the words of *text* are.

    >>> characters("中文 abc1").ends.tolist()
    [1, 2, 7]
    """
    plain = _plain(text)
    spans = np.array([match.span() for match in _pattern(plain).finditer(plain)], np.int64).reshape(-1, 2)
    starts, lasts = spans[:, 0], spans[:, 1] - 1
    if len(plain) != len(text):  # no letter becomes shorter, so equal lengths mean equal positions
        origin = np.repeat(np.arange(len(text)), [len(letter.casefold().lower()) for letter in text])
        starts, lasts = origin[starts], origin[lasts]
    return Characters(starts, lasts + 1)


def folded(texts: pa.StringArray) -> list[str]:
    """Return *texts* in a form whose words have hashes (`word_hashes`) independent of case; null is empty.

    Full case folding of non-ASCII text costs as much as everything else, so it is limited to texts in which it differs
    from the lower case that `word_hashes` uses.
    """
    values = pc.fill_null(texts, "").to_pylist()
    others = [place for place, text in enumerate(values) if not text.isascii()]
    differs = pc.match_substring_regex(texts.take(pa.array(others, pa.int64())), _folded_letters())
    for place in pc.array_take(pa.array(others, pa.int64()), pc.indices_nonzero(differs)).to_pylist():
        values[place] = values[place].casefold()
    return [text.replace("_", " ") for text in values]


def _plain(text: str) -> str:
    """Return *text* with letters that have the same length in any case, and with other letters folded."""
    return text.casefold().lower().replace("_", " ")


def _pattern(plain: str) -> re.Pattern[str]:
    """Return a pattern of the words of *plain*: the fast one, unless it has letters of scripts without spaces."""
    if plain.isascii():
        return _WORD
    letters, marks = _unspaced_letters()
    is_unspaced = pc.match_substring_regex(pa.scalar(plain), f"[{letters}{marks}]").as_py()
    return _unspaced_word(letters, marks) if is_unspaced else _WORD


@cache
def _folded_letters() -> str:
    """Return a pattern of the letters whose full case folding is not their lower case."""
    letters = map(chr, range(0x80, 0x1FFFF))
    different = [letter for letter in letters if letter.casefold().lower() != letter.lower()]
    return f"[{_FINAL_SIGMA}{''.join(different)}]"


@cache
def _unspaced_letters() -> tuple[str, str]:
    """Return the letters of scripts without spaces, and their marks, as ranges of a character class."""
    letters, marks = unspaced_characters()
    return _ranges(letters), _ranges(marks)


@cache
def _unspaced_word(letters: str, marks: str) -> re.Pattern[str]:
    return re.compile(f"[^\\W{letters}{marks}]+|[{letters}][{marks}]*|[{marks}]+")


def _ranges(flags: npt.NDArray[np.bool_]) -> str:
    """Return the code points with a flag as ranges of a character class.

    >>> _ranges(np.arange(128) // 2 == 33)
    'B-C'
    """
    points = np.flatnonzero(flags)
    edges = [0, *(np.flatnonzero(np.diff(points) > 1) + 1).tolist(), len(points)]
    return "".join(f"{chr(points[start])}-{chr(points[stop - 1])}" for start, stop in pairwise(edges))
