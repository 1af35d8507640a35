"""How much of each evaluation text a document contains, and where.

The coverage of an evaluation text is the share of its words that lie in an n-gram that the document also has: the
measure of Llama 2 (Touvron et al. 2023, arXiv:2307.09288, appendix A.6) and of Tülu 3 (Lambert et al. 2024,
arXiv:2411.15124, section 3.2), with the n-grams of GPT-3 (Brown et al. 2020, arXiv:2005.14165, appendix C).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from corpusmill.pipelines.stages.decontaminate.index import Candidates, Index
from corpusmill.pipelines.stages.decontaminate.words import Characters, Int64, characters, words

MAX_LISTED: Final = 20
"""Evaluation texts of a document that are listed at most, unless another one covers further words of the document."""


class Coverage(NamedTuple):
    """The covered share of evaluation texts, by the number of the text."""

    texts: Int64
    shares: npt.NDArray[np.float64]


class Span(NamedTuple):
    """Characters ``[start, end)`` of the document, and the words ``[first, last)`` of the evaluation text in them."""

    start: int
    end: int
    first: int
    last: int


class Listed(NamedTuple):
    """An evaluation text that a document contains, with its share and the spans of the document."""

    text: int
    share: float
    spans: list[Span]


class _Matches(NamedTuple):
    """Places of a document, sorted by n-gram, and all positions of these n-grams in the index."""

    length: int
    places: Int64
    place_grams: Int64
    positions: Int64
    position_grams: Int64
    position_texts: Int64


@dataclass(frozen=True)
class Overlap:
    """What a document shares with the evaluation texts of *index*.

    Args:
        text: The document.
        texts: The evaluation texts that it contains, by coverage, the greatest first.
        share: The greatest coverage of any evaluation text, also of those that it does not contain.
    """

    index: Index
    text: str
    matches: tuple[_Matches, ...]
    texts: Coverage
    share: float

    @cached_property
    def words(self) -> Characters:
        """Where the words of the document are."""
        return characters(self.text)

    @cached_property
    def masked(self) -> list[tuple[int, int]]:
        """The characters ``[start, end)`` that any of `texts` covers, in order: the union of all listed spans."""
        words = np.zeros(len(self.words.starts) + 1, np.int64)
        gaps = words.copy()
        for matches in self.matches:
            grams = matches.position_grams[np.isin(matches.position_texts, self.texts.texts)]
            places = matches.places[np.isin(matches.place_grams, grams)]
            for edges, length in ((words, matches.length), (gaps, matches.length - 1)):
                np.add.at(edges, places, 1)
                np.add.at(edges, places + length, -1)
        is_covered, is_joined = np.cumsum(words) > 0, np.cumsum(gaps) > 0  # a word; a word and its successor
        firsts = np.flatnonzero(is_covered & ~np.append(False, is_joined[:-1]))
        lasts = np.flatnonzero(is_covered & ~is_joined)
        return list(zip(self.words.starts[firsts].tolist(), self.words.ends[lasts].tolist(), strict=True))

    def listed(self) -> Iterator[Listed]:
        """Yield the evaluation texts to report: the first `MAX_LISTED`, and those that cover further words."""
        is_covered = np.zeros(len(self.words.starts), np.bool_)
        for order, (text, share) in enumerate(zip(*self.texts, strict=True)):
            runs = self._runs(int(text))
            is_new = order < MAX_LISTED or any(not is_covered[start:stop].all() for start, stop, _, _ in runs)
            for start, stop, _, _ in runs:
                is_covered[start:stop] = True
            if is_new:
                spans = [Span(int(self.words.starts[i]), int(self.words.ends[j - 1]), p, q) for i, j, p, q in runs]
                yield Listed(int(text), float(share), spans)

    def _runs(self, text: int) -> list[tuple[int, int, int, int]]:
        """Return the runs of words ``[start, stop)`` of the document that *text* covers, with the words of the text."""
        base = int(self.index.ends_T[text] - self.index.counts_T[text])
        for matches in self.matches:
            where = np.flatnonzero(matches.position_texts == text)
            if not len(where):
                continue
            grams, positions = matches.position_grams[where], matches.positions[where] - base
            order = np.argsort(grams, kind="stable")
            places, at = _joined(matches, grams[order], positions[order])
            new = np.flatnonzero(np.diff(places, prepend=-matches.length) >= matches.length)
            lasts = np.append(new[1:], len(places)) - 1
            return [
                (int(places[i]), int(places[j]) + matches.length, int(low), int(high) + matches.length)
                for i, j, low, high in zip(
                    new, lasts, np.minimum.reduceat(at, new), np.maximum.reduceat(at, new), strict=True
                )
            ]
        return []


def _joined(matches: _Matches, grams: Int64, positions: Int64) -> tuple[Int64, Int64]:
    """Return the places of the document that have one of *grams* (sorted), in order, each with its first position."""
    first = np.flatnonzero(np.diff(grams, prepend=-1))
    starts = np.searchsorted(matches.place_grams, grams[first], "left")
    counts = np.searchsorted(matches.place_grams, grams[first], "right") - starts
    rows = np.arange(counts.sum()) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
    places, at = matches.places[rows], np.repeat(positions[first], counts)
    order = np.argsort(places)
    return places[order], at[order]


def overlap(index: Index, text: str, candidates: Sequence[Candidates], *, min_coverage: float) -> Overlap:
    """Return what *text*, whose n-grams *candidates* may be in *index*, shares with its evaluation texts.

    Args:
        min_coverage: The coverage from which on the document contains an evaluation text.
    """
    verified = groupby(index.verified(candidates, words(text)), key=lambda one: one.grams.length)
    matches = tuple(_matches(index, length, list(group)) for length, group in verified)
    texts, shares = _coverage(index, matches)
    chosen = np.flatnonzero(shares >= min_coverage)
    chosen = chosen[np.lexsort((texts[chosen], -shares[chosen]))]
    return Overlap(index, text, matches, Coverage(texts[chosen], shares[chosen]), float(shares.max(initial=0.0)))


def _matches(index: Index, length: int, candidates: Sequence[Candidates]) -> _Matches:
    """Return the matches of all *candidates*, which have n-grams of *length* words, in the order of n-grams."""
    numbers = np.concatenate([one.numbers + one.grams.first for one in candidates])
    order = np.argsort(numbers, kind="stable")
    places = np.concatenate([one.places for one in candidates])
    postings = [one.grams.postings(np.unique(one.numbers)) for one in candidates]
    positions = np.concatenate([at for at, _ in postings])
    grams = np.concatenate([of + one.grams.first for one, (_, of) in zip(candidates, postings, strict=True)])
    return _Matches(length, places[order], numbers[order], positions, grams, index.texts_at(positions))


def _coverage(index: Index, matches: Sequence[_Matches]) -> Coverage:
    """Return the coverage of each evaluation text that has one of the n-grams in *matches*."""
    texts = [np.empty(0, np.int64)]
    shares = [np.empty(0, np.float64)]
    for one in matches:
        positions = np.sort(one.positions)
        of = index.texts_at(positions)
        covered = np.minimum(np.diff(positions, append=positions[-1] + one.length), one.length)
        first = np.flatnonzero(np.diff(of, prepend=-1))
        texts.append(of[first])
        shares.append(np.add.reduceat(covered, first) / index.counts_T[of[first]])
    return Coverage(np.concatenate(texts), np.concatenate(shares))
