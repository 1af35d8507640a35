"""Keys by which pieces of text are equal: 128 bits of the hash of their words, whatever their case and white space."""

# ruff: noqa: N806, N815 - names of arrays end in their shape

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.dedup.pieces.spans import (
    Bytes,
    Int64,
    Spans,
    Texts,
    Unit,
    is_space,
    spans,
    with_plain_spaces,
)

_BLANK: Final = 32
_WORD: Final = re.compile(r"[^\W_]")
_KEY_BYTES: Final = 16


class Pieces(NamedTuple):
    """The pieces of a column of texts (D texts, P pieces, K different pieces per text in all)."""

    spans: Spans
    """All pieces, in bytes of the column."""
    numbers_P: Int64
    """Number of each piece among the different pieces of its text, by first occurrence; -1 if it is not compared."""
    counts_D: Int64
    """How many different pieces of each text are compared."""
    keys_K2: Int64
    """Two numbers for each of them, in order: 128 bits of its hash."""

    def is_repeated(self) -> npt.NDArray[np.bool_]:
        """Return which pieces repeat an earlier one of their text."""
        compared = np.flatnonzero(self.numbers_P >= 0)
        bases_D = np.cumsum(self.counts_D) - self.counts_D
        different = bases_D[self.spans.rows[compared]] + self.numbers_P[compared]
        _, first = np.unique(different, return_index=True)
        repeated = self.numbers_P >= 0
        repeated[compared[first]] = False
        return repeated


def pieces(column: pa.StringArray, unit: Unit, *, min_characters: int) -> Pieces:
    r"""Return the pieces of the texts of *column* (no nulls), with the keys of those that are compared.

    These are pieces with a letter or digit and at least *min_characters* code points. Pieces are equal if they are
    after case-folding, with every run of white space as one blank.

    >>> two = pieces(pa.array(["One piece.\n\n* * *\n\nONE  piece.", "one\nPiece."]), "paragraph", min_characters=1)
    >>> two.numbers_P.tolist(), two.counts_D.tolist(), bool((two.keys_K2[0] == two.keys_K2[1]).all())
    ([0, -1, 0, 0], [1, 1], True)
    """
    plain = with_plain_spaces(Texts.of(column))
    all_spans = spans(plain, unit)
    is_compared, keys = _keys(_folded(plain), unit, min_characters=min_characters)
    compared = np.flatnonzero(is_compared)
    numbers, first = _numbered(all_spans.rows[compared], keys)
    numbers_P = np.full(len(all_spans.rows), -1, np.int64)
    counts_D = np.bincount(all_spans.rows[compared][first], minlength=len(column))
    bases_D = np.cumsum(counts_D) - counts_D
    numbers_P[compared] = numbers - bases_D[all_spans.rows[compared]]
    return Pieces(all_spans, numbers_P, counts_D, keys[first])


def _folded(texts: Texts) -> Texts:
    """Return *texts* case-folded. Their pieces stay in place: folding neither adds nor removes white space."""
    column = texts.column()
    if pc.all(pc.string_is_ascii(column)).as_py() is not False:
        return Texts(np.frombuffer(texts.data.tobytes().lower(), np.uint8), texts.offsets)
    return Texts.of(pa.array([text.casefold() for text in column.to_pylist()], pa.string()))


def _keys(texts: Texts, unit: Unit, *, min_characters: int) -> tuple[npt.NDArray[np.bool_], Int64]:
    """Return which pieces of the folded *texts* are compared, and the keys of these, shape (compared, 2)."""
    data, starts, ends = _collapsed(texts, unit)
    continued = np.flatnonzero((data & 0xC0) == 0x80)  # bytes of a character after its first one
    characters = ends - starts - (np.searchsorted(continued, ends) - np.searchsorted(continued, starts))
    is_compared = characters >= min_characters
    has_words = _have_ascii_words(data, starts)
    content = memoryview(data.tobytes())
    for piece in np.flatnonzero(is_compared & ~has_words).tolist():
        is_compared[piece] = _WORD.search(str(content[starts[piece] : ends[piece]], "utf-8")) is not None
    places = zip(starts[is_compared].tolist(), ends[is_compared].tolist(), strict=True)
    digests = b"".join(hashlib.sha256(content[start:end]).digest()[:_KEY_BYTES] for start, end in places)
    return is_compared, np.frombuffer(digests, ">i8").astype(np.int64).reshape(-1, 2)


def _collapsed(texts: Texts, unit: Unit) -> tuple[Bytes, Int64, Int64]:
    """Return the bytes of *texts* with one blank for each run of white space, and the range of each piece in them."""
    whole = spans(texts, unit)
    space = is_space(texts.data)
    keep = ~space
    keep[1:] |= ~space[:-1]  # the first of a run of white space stays
    data = np.where(space, np.uint8(_BLANK), texts.data)[keep]
    dropped = np.flatnonzero(~keep)
    starts, ends = (edges - np.searchsorted(dropped, edges) for edges in (whole.starts, whole.ends))
    return data, starts + (data[starts] == _BLANK), ends - (data[ends - 1] == _BLANK)


def _have_ascii_words(data: Bytes, starts: Int64) -> npt.NDArray[np.bool_]:
    """Return which pieces of folded *data* have an ASCII letter or digit. Between pieces there is only white space."""
    is_word = (data - np.uint8(ord("a")) < 26) | (data - np.uint8(ord("0")) < 10)
    return np.logical_or.reduceat(is_word, starts) if len(starts) else np.zeros(0, np.bool_)


def _numbered(rows: Int64, keys: Int64) -> tuple[Int64, Int64]:
    """Number the different (row, key) by first occurrence; return the number of each piece, and the first pieces."""
    if not len(rows):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    order = np.lexsort((keys[:, 1], keys[:, 0], rows))  # stable: the first occurrence of a group comes first
    changes = (np.diff(rows[order]) != 0) | (np.diff(keys[order], axis=0) != 0).any(axis=1)
    group = np.concatenate([[0], np.cumsum(changes)])
    firsts = order[np.concatenate([[True], changes])]
    by_first = np.argsort(firsts)
    number_of_group = np.empty(len(firsts), np.int64)
    number_of_group[by_first] = np.arange(len(firsts))
    numbers = np.empty(len(rows), np.int64)
    numbers[order] = number_of_group[group]
    return numbers, firsts[by_first]
