"""Represent the words of a text column as indexes into a vocabulary, and convert back.

Views process each distinct word once; loops over all words run in numpy and Arrow. A word is a longest run of letters,
digits, marks and ``_``. This is `re.findall(r"\\w+", text)`, except that a mark belongs to its letter: Python's ``\\w``
excludes marks, which splits Hindi and decomposed texts.
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
"""Longer words are neither looked up nor stemmed: no dictionary has them, and some algorithms are quadratic."""

_SPACE: Final = 0x20
_WORD_BYTE: Final = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() or chr(byte) == "_" else _SPACE for byte in range(256)
)
_CHUNK_BYTE: Final = bytes(_SPACE if byte < _SPACE or byte == 0x7F else byte for byte in range(256))
_FOREIGN_SEPARATORS: Final = r"[^\p{L}\p{N}\p{M}_\x00-\x7F]+"
_SHORT: Final = 8
"""Bytes of a word that is compared as one number; comparing strings takes five times as long."""
_LOW_BYTES: Final = np.array([(1 << 8 * length) - 1 for length in range(_SHORT + 1)], np.uint64)
_INLINE: Final = 12
"""Bytes of a string that Arrow's string view stores inline."""


@dataclass(frozen=True)
class Words:
    """The words of n texts.

    Args:
        vocabulary: Distinct words, in arbitrary order.
        codes: The index into `vocabulary` of each word, in text order.
        ends: n + 1 indexes into `codes`: the words of text i are ``codes[ends[i]:ends[i + 1]]``.
    """

    vocabulary: list[str]
    codes: Codes
    ends: Positions


def words(texts: pa.StringArray) -> Words:
    """Split *texts* (no nulls) into words.

    >>> split = words(pa.array(["Some day, some dog", "", "dog"]))
    >>> [[split.vocabulary[code] for code in split.codes[a:b]] for a, b in zip(split.ends, split.ends[1:])]
    [['Some', 'day', 'some', 'dog'], [], ['dog']]
    """
    return _numbered(texts, pc.match_substring_regex(texts, _FOREIGN_SEPARATORS), _FOREIGN_SEPARATORS, _WORD_BYTE)


def chunks(texts: pa.StringArray) -> Words:
    """Split *texts* (no nulls) at white space and control characters."""
    foreign_spaces = r"[\x{85}\p{Z}]"
    hits = pc.match_substring_regex(texts, foreign_spaces)
    return _numbered(texts, hits, foreign_spaces, _CHUNK_BYTE)


def _numbered(texts: pa.StringArray, hits: pa.BooleanArray, separators: str, table: bytes) -> Words:
    """Number the runs of bytes that *table* does not map to a space, after replacing *separators* with spaces."""
    cleaned = pc.replace_substring_regex(texts.filter(hits), separators, " ")
    texts = pc.replace_with_mask(texts, hits, cleaned)
    data, starts_of_texts = _bytes(texts, table)
    starts, lengths = _runs(data)
    ends = np.searchsorted(starts, starts_of_texts)
    vocabulary, codes = _encoded(data, starts, lengths)
    return Words(vocabulary, codes, ends)


def _bytes(texts: pa.StringArray, table: bytes) -> tuple[bytes, Positions]:
    """Return the bytes of all *texts*, each after a space and mapped by *table*, and all offsets."""
    parted = pc.binary_join_element_wise("", texts, " ")
    _, offsets, data = parted.buffers()
    bounds = np.frombuffer(offsets, np.int32, len(texts) + 1) if len(texts) else np.zeros(1, np.int32)
    size = int(bounds[-1])
    return (data.slice(0, size).to_pybytes() if size else b"").translate(table), bounds.astype(np.int64)


def _runs(data: bytes) -> tuple[Positions, Positions]:
    """Return starts and lengths of the runs without a space in *data*, which begins with a space or is empty."""
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
    """Return words of up to 8 bytes as numbers. Padding with NUL is unambiguous, because NUL is not a word byte."""
    at_each_byte: npt.NDArray[np.uint64] = np.ndarray(len(padded) - 7, "<u8", padded, strides=(1,))
    return pa.array(at_each_byte[starts] & _LOW_BYTES[lengths])


def _long_words(padded: bytes, starts: Positions, lengths: Positions) -> pa.StringArray:
    """Return words as strings, using string views (Arrow columnar format, variable-size binary view layout)."""
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


def spelled(split: Words, forms: Sequence[str]) -> pa.StringArray:
    """Return each text with words replaced by ``forms[code]``, separated by spaces. Empty forms are omitted.

    >>> spelled(words(pa.array(["a b a", "", "b"])), ["x", ""]).to_pylist()
    ['x x', '', '']
    """
    with_space = pa.array([form and form + " " for form in forms], pa.string())
    all_words = with_space.take(pa.array(split.codes))
    _, offsets, data = all_words.buffers()
    bounds = np.frombuffer(offsets, np.int32, len(all_words) + 1) if len(all_words) else np.zeros(1, np.int32)
    buffers = [None, pa.py_buffer(bounds[split.ends]), data or pa.py_buffer(b"")]
    texts = pa.Array.from_buffers(pa.string(), len(split.ends) - 1, buffers)
    return pc.utf8_rtrim(texts, " ")


class Remembered:
    """Caches the results of a function of words that is much slower than a look-up.

    Its results equal those of *function*, so the output does not depend on the cache.
    """

    def __init__(self, function: Callable[[list[str]], list[str]], *, max_words: int = 500_000) -> None:
        self._function = function
        self._max_words = max_words
        self._forms: dict[str, str] = {}

    def __call__(self, vocabulary: list[str]) -> list[str]:
        """Return the form of each word."""
        unknown = [word for word in vocabulary if word not in self._forms]
        if len(self._forms) + len(unknown) > self._max_words:
            self._forms, unknown = {}, vocabulary
        self._forms.update(zip(unknown, self._function(unknown), strict=True))
        return [self._forms[word] for word in vocabulary]
