"""Lexicons: words of classes, ids and short texts, and how likely blocks with these words are main text."""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from benchmarks.extraction.gold import GoldPage
from corpusmill.pipelines.stages.extract import _reader

_SHORT_WORDS: Final = 12
"""Longest text, in words, whose words are looked up; the reader has the same bound."""
_PRIOR_DOMAINS: Final = 3.0
"""Weight of the assumption that a word says nothing, in domains."""
_BOUND: Final = 800


@dataclass(frozen=True)
class Shares:
    """The share of main text at each word of one page, and the share expected by chance."""

    names: dict[int, float]
    words: dict[int, float]
    of_page: float
    of_short: float


def shares_of(page: GoldPage) -> Shares:
    """Compute the shares of one page."""
    weight = page.words.astype(float)
    is_short = (page.words > 0) & (page.words <= _SHORT_WORDS)
    return Shares(
        names=_name_shares(page, weight),
        words=_word_shares(page, is_short.nonzero()[0]),
        of_page=float((weight * page.share).sum() / max(weight.sum(), 1)),
        of_short=float(page.share[is_short].mean()) if is_short.any() else 0.1,
    )


def _name_shares(page: GoldPage, weight: np.ndarray) -> dict[int, float]:
    below = np.zeros((len(page.elements), 2))
    np.add.at(below, page.places, np.stack((weight, weight * page.share), axis=1))
    for element in range(len(page.elements) - 1, 0, -1):  # inner elements come after the elements around them
        below[page.elements[element][0]] += below[element]
    sums: defaultdict[int, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for (_, _, names), counts in zip(page.elements, below, strict=True):
        if counts[0] and names:
            for word in {word for word, _ in _reader.name_words(names)}:
                sums[word] += counts
    return {word: float(good / total) for word, (total, good) in sums.items()}


def _word_shares(page: GoldPage, blocks: Iterable[int]) -> dict[int, float]:
    shares: defaultdict[int, list[float]] = defaultdict(list)
    for block in blocks:
        for word in {word for word, _ in _reader.text_words(page.texts[block])}:
            shares[word].append(page.share[block])
    return {word: float(np.mean(values)) for word, values in shares.items()}


class Lexicons:
    """The lexicons of *pages*. Each domain counts once, regardless of its number of pages."""

    def __init__(self, pages: Sequence[GoldPage], shares: dict[str, Shares]) -> None:
        self._by_domain: defaultdict[str, list[Shares]] = defaultdict(list)
        for page in pages:
            self._by_domain[page.domain].append(shares[page.id])

    @cached_property
    def names(self) -> bytes:
        """Words of classes and ids on at least four domains, in the format of the model file."""
        return self._packed([[(page.names, page.of_page) for page in pages] for pages in self._by_domain.values()], 4)

    @cached_property
    def words(self) -> bytes:
        """Words of short texts on at least five domains, in the format of the model file."""
        return self._packed([[(page.words, page.of_short) for page in pages] for pages in self._by_domain.values()], 5)

    @staticmethod
    def _packed(domains: Iterable[Iterable[tuple[dict[int, float], float]]], min_domains: int) -> bytes:
        sums: defaultdict[int, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        for pages in domains:
            own: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
            for shares, chance in pages:
                for word, share in shares.items():
                    own[word].append((share, chance))
            for word, values in own.items():
                share, chance = np.mean(values, axis=0)
                sums[word][0] += 1
                sums[word][1] += share
                sums[word][2] += chance
        entries = ((word, _log_odds(*counts)) for word, counts in sorted(sums.items()) if counts[0] >= min_domains)
        return b"".join(struct.pack("<Ih", word, score) for word, score in entries)


def _log_odds(domains: float, good: float, expected: float) -> int:
    """Return the log odds of main text at a word relative to chance, in hundredths."""
    chance = min(max(expected / domains, 0.02), 0.98)
    odds = (good + _PRIOR_DOMAINS * chance) / (domains - good + _PRIOR_DOMAINS * (1 - chance))
    return max(-_BOUND, min(_BOUND, round(100 * (math.log(odds) - math.log(chance / (1 - chance))))))
