"""The index of all n-grams of the evaluation texts, and the n-grams of documents that are in it.

A document costs a few array operations: the hashes of its n-grams are looked up in a table of flags, then in the sorted
hashes of the index. A hash that is there is verified by comparing the words, so a collision is never a match.

The hash of an n-gram is the sum of the hashes of its words, each times a power of `MULTIPLIER`, modulo 2^64. All sums
of a batch follow from one running sum, whatever the length of the n-grams.

Shapes: W words of a batch, D its documents; T evaluation texts, P positions in the row of all their words, G n-grams.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.decontaminate.words import Int64, folded, words
from corpusmill.pipelines.stages.dedup.shingles import word_hashes

UInt64: TypeAlias = npt.NDArray[np.uint64]
Int32: TypeAlias = npt.NDArray[np.int32]

UNKNOWN: Final = -1
"""Number of a word that no evaluation text has."""
_SLOTS: Final = 16
"""Flags (bytes) for each n-gram, at least. Each n-gram sets two, so at most one in 64 other n-grams passes both."""
_CHUNK_BYTES: Final = 1 << 19
"""Text that is hashed at once, so that its arrays stay in the cache of a core."""
MULTIPLIER: Final = 0x94D049BB133111EB
"""Odd, so that its powers can be divided out."""
_INVERSE: Final = pow(MULTIPLIER, -1, 1 << 64)


class Entry(NamedTuple):
    """A text of an evaluation set.

    Args:
        file: The file, as the recipe writes it.
        record: Number of the record in the file, from 1: the line in JSON Lines, otherwise the row.
        field: Place of the text in the record, such as ``choices.0``.
        records: Number of times that the texts of all files have exactly these words.
    """

    file: str
    record: int
    field: str
    text: str
    records: int = 1


@dataclass(frozen=True)
class Sizes:
    """How the n-grams of a text are chosen: *ngram* words, or *short* for texts with fewer, down to *least* words."""

    ngram: int
    short: int
    least: int

    def of(self, count: int) -> int | None:
        """Return the words of an n-gram in a text of *count* words; None: the text is too short to be compared.

        >>> sizes = Sizes(13, 8, 5)
        >>> [sizes.of(count) for count in (20, 13, 12, 7, 4)]
        [13, 13, 8, 7, None]
        """
        if count < self.least:
            return None
        return self.ngram if count >= self.ngram else self.short if count >= self.short else count


class Grams:
    """Distinct n-grams of one length: their hashes, sorted, with the positions of each.

    Args:
        first: The number of the first of them among those of all tables.
        hashes_P: Hash of the n-gram at each of *positions_P*, in which equal hashes mean equal words.
    """

    def __init__(self, length: int, first: int, hashes_P: UInt64, positions_P: Int64) -> None:  # noqa: N803
        order = np.argsort(hashes_P, kind="stable")
        self.length = length
        self.first = first
        self.positions_P = positions_P[order].astype(np.int32)
        self.hashes_G, starts = np.unique(hashes_P[order], return_index=True)
        self.starts_G = np.append(starts, len(positions_P)).astype(np.int32)
        bits = max(10, (_SLOTS * len(self.hashes_G) - 1).bit_length())
        self._shift = np.uint64(64 - bits)
        self._is_used = np.zeros(1 << bits, np.bool_)
        self._is_used[self._first_slots(self.hashes_G)] = True
        self._is_used[self._second_slots(self.hashes_G)] = True

    def look_up(self, hashes_W: UInt64) -> tuple[Int64, Int64]:  # noqa: N803
        """Return the places in *hashes_W* of hashes that are in the index, and their numbers among the n-grams."""
        places = np.flatnonzero(self._is_used[self._first_slots(hashes_W)])
        places = places[self._is_used[self._second_slots(hashes_W[places])]]
        numbers = np.searchsorted(self.hashes_G, hashes_W[places])
        numbers[numbers == len(self.hashes_G)] = 0
        is_equal = self.hashes_G[numbers] == hashes_W[places]
        return places[is_equal], numbers[is_equal]

    def _first_slots(self, hashes: UInt64) -> Int64:
        """Return the slots that the first bits of *hashes* mean."""
        return (hashes >> self._shift).view(np.int64)

    def _second_slots(self, hashes: UInt64) -> Int64:
        """Return the slots that the last bits of *hashes* mean."""
        return (hashes & np.uint64(len(self._is_used) - 1)).view(np.int64)

    def postings(self, numbers: Int64) -> tuple[Int64, Int64]:
        """Return all positions of the n-grams *numbers*, and for each the number of its n-gram."""
        starts, counts = self.starts_G[numbers], self.starts_G[numbers + 1] - self.starts_G[numbers]
        shifts = np.repeat(starts - (np.cumsum(counts) - counts), counts)
        return self.positions_P[np.arange(counts.sum()) + shifts].astype(np.int64), np.repeat(numbers, counts)


class Candidates(NamedTuple):
    """The n-grams of one length of a document whose hashes are in the index.

    Args:
        places: Number of the first word of each, in the document.
        numbers: Its number among the n-grams of the index.
    """

    grams: Grams
    places: Int64
    numbers: Int64


class Index:
    """The n-grams of the distinct *entries* that are long enough.

    Texts with the same words count as one, the first.
    """

    def __init__(self, entries: Iterable[Entry], sizes: Sizes) -> None:
        self.vocabulary: dict[str, int] = {}
        texts: dict[bytes, Entry] = {}
        for entry in entries:
            numbers = self._learned(words(entry.text))
            if sizes.of(len(numbers)) is None:
                continue
            key = numbers.tobytes()
            first = texts.get(key)
            texts[key] = entry if first is None else first._replace(records=first.records + 1)
        self.entries = tuple(texts.values())
        self.numbers_P = np.frombuffer(b"".join(texts), np.int32)
        self.counts_T = np.array([len(key) // 4 for key in texts], np.int64)
        self.ends_T = np.cumsum(self.counts_T)
        self._lengths_T = np.array([sizes.of(count) for count in self.counts_T.tolist()], np.int64)
        self.grams = tuple(self._tables())

    def _learned(self, names: Sequence[str]) -> Int32:
        """Return the numbers of the words *names*, after giving numbers to new ones."""
        vocabulary = self.vocabulary
        return np.array([vocabulary.setdefault(name, len(vocabulary)) for name in names], np.int32)

    def _tables(self) -> Iterator[Grams]:
        """Yield one table for each length of n-grams, and further ones for different n-grams with equal hashes."""
        hashes_V = word_hashes(list(self.vocabulary)).values  # noqa: N806
        assert len(hashes_V) == len(self.vocabulary), "`words` and `word_hashes` have the same words"
        running = running_sums(hashes_V[self.numbers_P])
        first = 0
        for length in np.unique(self._lengths_T).tolist():
            sums = window_sums(running, length)
            texts = np.flatnonzero(self._lengths_T == length).tolist()
            left = np.concatenate([self._starts(text, length) for text in texts])
            while len(left):
                all_of_them = Grams(length, first, sums[left], left)
                is_first = self._is_first(all_of_them)
                positions = np.sort(all_of_them.positions_P[is_first]).astype(np.int64)
                left = np.sort(all_of_them.positions_P[~is_first]).astype(np.int64)
                grams = all_of_them if not len(left) else Grams(length, first, sums[positions], positions)
                first += len(grams.hashes_G)
                yield grams

    def _is_first(self, grams: Grams) -> npt.NDArray[np.bool_]:
        """Return whether each position of *grams* has the words of the first position with its hash."""
        firsts = np.repeat(grams.positions_P[grams.starts_G[:-1]], np.diff(grams.starts_G))
        return self._is_equal(self.numbers_P, grams.positions_P, firsts, grams.length)

    def _starts(self, text: int, length: int) -> Int64:
        """Return the positions at which n-grams of a text begin."""
        end = int(self.ends_T[text])
        return np.arange(end - int(self.counts_T[text]), end - length + 1, dtype=np.int64)

    def _is_equal(
        self,
        numbers_W: Int32,  # noqa: N803
        places: npt.NDArray[np.integer],
        positions: npt.NDArray[np.integer],
        length: int,
    ) -> npt.NDArray[np.bool_]:
        """Return whether the words from *places* in *numbers_W* are those from *positions* in the index."""
        result = np.ones(len(places), np.bool_)
        for step in range(length):
            result &= numbers_W[places + step] == self.numbers_P[positions + step]
        return result

    def candidates(self, texts: pa.StringArray) -> Iterator[tuple[int, list[Candidates]]]:
        """Yield the rows of *texts* that have n-grams whose hashes are in the index, in order, with these n-grams."""
        for first, piece in _chunks(texts):
            values, counts_D = word_hashes(folded(piece))  # noqa: N806
            ends_D = np.cumsum(counts_D)  # noqa: N806
            running = running_sums(values)
            hits: dict[int, list[Candidates]] = {}
            for grams in self.grams:
                places, numbers = grams.look_up(window_sums(running, grams.length))
                rows = np.searchsorted(ends_D, places, "right")
                is_inside = places + grams.length <= ends_D[rows]
                places, numbers, rows = places[is_inside], numbers[is_inside], rows[is_inside]
                for row in np.unique(rows).tolist():
                    here = slice(*np.searchsorted(rows, [row, row + 1]))
                    start = ends_D[row] - counts_D[row]
                    hits.setdefault(row, []).append(Candidates(grams, places[here] - start, numbers[here]))
            for row in sorted(hits):
                yield first + row, hits[row]

    def verified(self, candidates: Iterable[Candidates], names: Sequence[str]) -> Iterator[Candidates]:
        """Yield *candidates* without those whose words differ from those of the index; *names* are the words."""
        numbers_W = np.full(len(names), UNKNOWN, np.int32)  # noqa: N806
        for grams, places, numbers in candidates:
            is_needed = np.zeros(len(names), np.bool_)
            for step in range(grams.length):
                is_needed[places + step] = True
            for place in np.flatnonzero(is_needed).tolist():
                numbers_W[place] = self.vocabulary.get(names[place], UNKNOWN)
            first = grams.positions_P[grams.starts_G[numbers]]
            is_equal = self._is_equal(numbers_W, places, first, grams.length)
            if is_equal.any():
                yield Candidates(grams, places[is_equal], numbers[is_equal])

    def texts_at(self, positions: Int64) -> Int64:
        """Return the numbers of the evaluation texts to which *positions* belong."""
        return np.searchsorted(self.ends_T, positions, "right")


def running_sums(hashes_W: UInt64) -> UInt64:  # noqa: N803
    """Return the sums of the first 0, 1, 2, … words, each times a power of `MULTIPLIER`."""
    sums = np.zeros(len(hashes_W) + 1, np.uint64)
    np.add.accumulate(hashes_W * _powers_of(len(hashes_W))[0], out=sums[1:])
    return sums


def window_sums(running: UInt64, length: int) -> UInt64:
    """Return the hash of the *length* words from each position, also across the ends of texts, from `running_sums`.

    >>> one, other = np.arange(9, dtype=np.uint64), np.arange(3, 9, dtype=np.uint64)
    >>> (window_sums(running_sums(one), 4)[3:] == window_sums(running_sums(other), 4)).all()
    np.True_
    """
    count = max(0, len(running) - length)
    sums: UInt64 = (running[length:] - running[:count]) * _powers_of(count)[1]
    return sums


def _powers_of(count: int) -> UInt64:
    powers: UInt64 = _powers(max(1 << 17, 1 << count.bit_length()))[:, :count]
    return powers


@lru_cache(maxsize=1)
def _powers(count: int) -> UInt64:
    """Return the first *count* powers of `MULTIPLIER`, and of its inverse, modulo 2^64."""
    factors = np.empty((2, count), np.uint64)
    factors[:] = [[MULTIPLIER], [_INVERSE]]
    factors[:, 0] = 1
    np.multiply.accumulate(factors, axis=1, out=factors)
    return factors


def _chunks(texts: pa.StringArray) -> Iterator[tuple[int, pa.StringArray]]:
    """Yield slices of *texts* of about `_CHUNK_BYTES`, with the number of their first row."""
    sizes = np.asarray(pc.fill_null(pc.binary_length(texts), 0)).astype(np.int64)
    chunk = np.cumsum(sizes) // _CHUNK_BYTES
    edges = np.append(np.flatnonzero(np.diff(chunk, prepend=-1)), len(texts)).tolist()
    for start, stop in pairwise(edges):
        yield start, texts.slice(start, stop - start)
