"""Compare an extracted text with a gold text by four-word shingles and bags of words.

The matching, extra and missing shingles of a page are scaled to a sum of one, so that all pages have the same weight.
Precision, recall and F1 come from the sums over pages (as in Zyte's article extraction benchmark, 2020).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.extraction.gold import GoldPage, tokens

SHINGLE: int = 4


@dataclass(frozen=True)
class Fit:
    """The scaled matching, extra and missing shingles of one page, and the F1 of its words."""

    source: str
    domain: str
    matching: float
    extra: float
    missing: float
    token_f1: float


class Reviewed(Protocol):
    """A page whose main text was reviewed: that text, and where the page is from."""

    @property
    def source(self) -> str: ...

    @property
    def domain(self) -> str: ...

    @property
    def gold(self) -> str: ...


def fit(page: Reviewed, text: str) -> Fit:
    """Compare *text* with the gold text of *page*."""
    gold, own = tokens(page.gold), tokens(text)
    matching, extra, missing = _overlap(_shingles(gold), _shingles(own))
    total = (matching + extra + missing) or 1
    words, more, fewer = _overlap(Counter(gold), Counter(own))
    return Fit(
        source=page.source,
        domain=page.domain,
        matching=matching / total,
        extra=extra / total,
        missing=missing / total,
        token_f1=2 * words / ((2 * words + more + fewer) or 1),
    )


def _shingles(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    count = max(1, len(words) - SHINGLE + 1) if words else 0
    return Counter(tuple(words[place : place + SHINGLE]) for place in range(count))


def _overlap(gold: Counter[object], extracted: Counter[object]) -> tuple[int, int, int]:
    matching = (gold & extracted).total()
    return matching, extracted.total() - matching, gold.total() - matching


def f1(fits: Iterable[Fit]) -> float:
    """Compute the shingle F1 over several pages."""
    matching, extra, missing = np.sum([(fit.matching, fit.extra, fit.missing) for fit in fits], axis=0)
    return float(2 * matching / max(2 * matching + extra + missing, 1e-12))


def by_source(fits: Iterable[Fit]) -> dict[str, list[Fit]]:
    """Group the pages by their source."""
    groups: defaultdict[str, list[Fit]] = defaultdict(list)
    for one in fits:
        groups[one.source].append(one)
    return dict(sorted(groups.items()))


def mean_of_sources(fits: Iterable[Fit]) -> float:
    """Compute the mean F1 of the sources, without `readability`, whose gold is the output of an extractor."""
    groups = [f1(group) for source, group in by_source(fits).items() if source != "readability"]
    return float(np.mean(groups)) if groups else 0.0


def line(name: str, fits: Sequence[Fit]) -> str:
    """Return one line of a table."""
    sources = " ".join(f"{source} {f1(group):.3f}" for source, group in by_source(fits).items())
    tokens_f1 = np.mean([fit.token_f1 for fit in fits])
    return f"{name:28} {f1(fits):.4f}  words {tokens_f1:.4f}  sources {mean_of_sources(fits):.4f}  {sources}"


def evaluated(pages: Iterable[GoldPage], extract: Callable[[GoldPage], str]) -> list[Fit]:
    """Compare the output of *extract* with the gold text of each page."""
    return [fit(page, extract(page)) for page in pages]


def table(rows: Mapping[str, Sequence[Fit]]) -> str:
    """Return the lines of several extractors."""
    return "\n".join(line(name, fits) for name, fits in rows.items())
