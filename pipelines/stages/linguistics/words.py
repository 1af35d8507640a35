"""The words of a column of texts as numbers in a vocabulary, and back.

What a view does to a word it does once per distinct word of the column; the loops over all words run in numpy and
Arrow. A word is a longest run of letters, digits, marks and ``_``: as `re.findall(r"\\w+", text)`, except that a mark
belongs to its letter (Python's ``\\w`` leaves it out and cuts Hindi or decomposed texts into pieces).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Codes: TypeAlias = npt.NDArray[np.int32]
Positions: TypeAlias = npt.NDArray[np.int64]
Bytes: TypeAlias = npt.NDArray[np.uint8]

MAX_WORD_BYTES: Final = 100
"""A longer word is not looked up nor stemmed: no dictionary has it, and some algorithms are quadratic in its length."""

_SPACE: Final = 0x20
_WORD_BYTE: Final = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() or chr(byte) == "_" else _SPACE for byte in range(256)
)
_CHUNK_BYTE: Final = bytes(_SPACE if byte < _SPACE or byte == 0x7F else byte for byte in range(256))
_FOREIGN_SEPARATORS: Final = r"[^\p{L}\p{N}\p{M}_\x00-\x7F]+"
_SHORT: Final = 8
"""Bytes of a word that is compared as one number; strings cost five times as much."""
_LOW_BYTES: Final = np.array([(1 << 8 * length) - 1 for length in range(_SHORT + 1)], np.uint64)
_INLINE: Final = 12
"""Bytes of a string that Arrow's string view keeps in the view itself."""


@dataclass(frozen=True)
class Words:
    """The words of n texts.

    Args:
        vocabulary: Distinct words, in no order that means anything.
        codes: For each word in the order of the texts, its place in `vocabulary`.
        ends: n + 1 places in `codes`: the words of text i are ``codes[ends[i]:ends[i + 1]]``.
    """

    vocabulary: list[str]
    codes: Codes
    ends: Positions


def words(texts: pa.StringArray) -> Words:
    """Give the words of *texts* (no nulls).

    >>> found = words(pa.array(["Some day, some dog", "", "dog"]))
    >>> [[found.vocabulary[code] for code in found.codes[a:b]] for a, b in zip(found.ends, found.ends[1:])]
    [['Some', 'day', 'some', 'dog'], [], ['dog']]
    """
    return _numbered(texts, pc.match_substring_regex(texts, _FOREIGN_SEPARATORS), _FOREIGN_SEPARATORS, _WORD_BYTE)


def chunks(texts: pa.StringArray) -> Words:
    """Give what stands between white space and control characters in *texts* (no nulls)."""
    foreign_spaces = r"[\x{85}\p{Z}]"
    hits = pc.match_substring_regex(texts, foreign_spaces)
    return _numbered(texts, hits, foreign_spaces, _CHUNK_BYTE)


def _numbered(texts: pa.StringArray, hits: pa.BooleanArray, separators: str, table: bytes) -> Words:
    """Number the runs of bytes that *table* does not map to a space, after *separators* became spaces."""
    cleaned = pc.replace_substring_regex(texts.filter(hits), separators, " ")
    texts = pc.replace_with_mask(texts, hits, cleaned)
    data, starts_of_texts = _bytes(texts, table)
    starts, lengths = _runs(data)
    ends = np.searchsorted(starts, starts_of_texts)
    vocabulary, codes = _encoded(data, starts, lengths)
    return Words(vocabulary, codes, ends)


def _bytes(texts: pa.StringArray, table: bytes) -> tuple[bytes, Positions]:
    """Give the bytes of all *texts*, a space before each, mapped by *table*; and where each one begins, and the end."""
    parted = pc.binary_join_element_wise("", texts, " ")
    _, offsets, data = parted.buffers()
    bounds = np.frombuffer(offsets, np.int32, len(texts) + 1) if len(texts) else np.zeros(1, np.int32)
    size = int(bounds[-1])
    return (data.slice(0, size).to_pybytes() if size else b"").translate(table), bounds.astype(np.int64)


def _runs(data: bytes) -> tuple[Positions, Positions]:
    """Give starts and lengths of the runs without a space in *data*, which begins with one (or is empty)."""
    if not data:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    inside = np.frombuffer(data, np.uint8) != _SPACE
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    if inside[-1]:
        edges = np.append(edges, len(data))
    return edges[0::2], edges[1::2] - edges[0::2]


def _encoded(data: bytes, starts: Positions, lengths: Positions) -> tuple[list[str], Codes]:
    is_short = lengths <= _SHORT
    padded = data + b"\0" * 16
    numbers = _short_words(padded, starts[is_short], lengths[is_short]).dictionary_encode()
    strings = _long_words(padded, starts[~is_short], lengths[~is_short]).dictionary_encode()
    codes = np.empty(len(starts), np.int32)
    codes[is_short] = numbers.indices.to_numpy()
    codes[~is_short] = strings.indices.to_numpy() + len(numbers.dictionary)
    distinct = np.asarray(numbers.dictionary.to_numpy(), "<u8").view(f"S{_SHORT}").tolist()
    return [word.decode() for word in distinct] + strings.dictionary.to_pylist(), codes


def _short_words(padded: bytes, starts: Positions, lengths: Positions) -> pa.UInt64Array:
    """Give words of up to 8 bytes as numbers. A NUL is no word byte, so padding with it is no other word."""
    at_each_byte: npt.NDArray[np.uint64] = np.ndarray(len(padded) - 7, "<u8", padded, strides=(1,))
    return pa.array(at_each_byte[starts] & _LOW_BYTES[lengths])


def _long_words(padded: bytes, starts: Positions, lengths: Positions) -> pa.StringArray:
    """Give words as strings, by the way of views (Arrow columnar format, variable-size binary view layout)."""
    at_each_byte: npt.NDArray[np.uint32] = np.ndarray(len(padded) - 3, "<u4", padded, strides=(1,))
    views = np.empty((len(starts), 4), "<u4")
    views[:, 0] = lengths
    views[:, 1] = at_each_byte[starts]
    views[:, 2] = at_each_byte[starts + 4]
    views[:, 3] = at_each_byte[starts + 8] & _LOW_BYTES[np.clip(lengths - 8, 0, 4)].astype(np.uint32)
    is_outside = lengths > _INLINE
    views[is_outside, 2] = 0
    views[is_outside, 3] = starts[is_outside]
    buffers = [None, pa.py_buffer(views), pa.py_buffer(padded)]
    return pa.Array.from_buffers(pa.string_view(), len(starts), buffers).cast(pa.string())


def spelled(found: Words, forms: Sequence[str]) -> pa.StringArray:
    """Give each text again with ``forms[code]`` for each word, a space between two; an empty form leaves no trace.

    >>> spelled(words(pa.array(["a b a", "", "b"])), ["x", ""]).to_pylist()
    ['x x', '', '']
    """
    with_space = pa.array([form and form + " " for form in forms], pa.string())
    all_words = with_space.take(pa.array(found.codes))
    _, offsets, data = all_words.buffers()
    bounds = np.frombuffer(offsets, np.int32, len(all_words) + 1) if len(all_words) else np.zeros(1, np.int32)
    buffers = [None, pa.py_buffer(bounds[found.ends]), data or pa.py_buffer(b"")]
    texts = pa.Array.from_buffers(pa.string(), len(found.ends) - 1, buffers)
    return pc.utf8_rtrim(texts, " ")


class Remembered:
    """A function of words that remembers what it gave: for functions that cost much more than a look-up.

    It gives what *function* gives, so nothing depends on what it remembers.
    """

    def __init__(self, function: Callable[[list[str]], list[str]], *, max_words: int = 500_000) -> None:
        self._function = function
        self._max_words = max_words
        self._forms: dict[str, str] = {}

    def __call__(self, vocabulary: list[str]) -> list[str]:
        """Give the form of each word."""
        unknown = [word for word in vocabulary if word not in self._forms]
        if len(self._forms) + len(unknown) > self._max_words:
            self._forms, unknown = {}, vocabulary
        self._forms.update(zip(unknown, self._function(unknown), strict=True))
        return [self._forms[word] for word in vocabulary]
