"""How well an extracted text fits a gold text: four-word shingles and bags of words.

A page's shingles found, extra and missed are scaled to sum one, so that pages weigh alike; precision, recall and F1
come from their sums over pages (the measure of Zyte's article extraction benchmark, 2020).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.extraction.gold import GoldPage, tokens

SHINGLE: int = 4


@dataclass(frozen=True)
class Fit:
    """One page: the scaled shingles found, extra and missed, and the F1 of its words."""

    source: str
    domain: str
    found: float
    extra: float
    missed: float
    token_f1: float


def fit(page: GoldPage, text: str) -> Fit:
    """Compare *text* with the gold text of *page*."""
    gold, own = tokens(page.gold), tokens(text)
    common, extra, missed = _overlap(_shingles(gold), _shingles(own))
    total = (common + extra + missed) or 1
    words, more, fewer = _overlap(Counter(gold), Counter(own))
    return Fit(
        source=page.source,
        domain=page.domain,
        found=common / total,
        extra=extra / total,
        missed=missed / total,
        token_f1=2 * words / ((2 * words + more + fewer) or 1),
    )


def _shingles(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    count = max(1, len(words) - SHINGLE + 1) if words else 0
    return Counter(tuple(words[place : place + SHINGLE]) for place in range(count))


def _overlap(gold: Counter[object], found: Counter[object]) -> tuple[int, int, int]:
    common = (gold & found).total()
    return common, found.total() - common, gold.total() - common


def f1(fits: Iterable[Fit]) -> float:
    """Give the shingle F1 of several pages."""
    found, extra, missed = np.sum([(fit.found, fit.extra, fit.missed) for fit in fits], axis=0)
    return float(2 * found / max(2 * found + extra + missed, 1e-12))


def by_source(fits: Iterable[Fit]) -> dict[str, list[Fit]]:
    """Group the pages by their source."""
    groups: defaultdict[str, list[Fit]] = defaultdict(list)
    for one in fits:
        groups[one.source].append(one)
    return dict(sorted(groups.items()))


def mean_of_sources(fits: Iterable[Fit]) -> float:
    """Give the mean of the sources' F1, without `readability`, whose gold is the output of an extractor."""
    groups = [f1(group) for source, group in by_source(fits).items() if source != "readability"]
    return float(np.mean(groups)) if groups else 0.0


def line(name: str, fits: Sequence[Fit]) -> str:
    """Write one line of a table."""
    sources = " ".join(f"{source} {f1(group):.3f}" for source, group in by_source(fits).items())
    tokens_f1 = np.mean([fit.token_f1 for fit in fits])
    return f"{name:28} {f1(fits):.4f}  words {tokens_f1:.4f}  sources {mean_of_sources(fits):.4f}  {sources}"


def evaluated(pages: Iterable[GoldPage], extract: Callable[[GoldPage], str]) -> list[Fit]:
    """Compare what *extract* gives of each page."""
    return [fit(page, extract(page)) for page in pages]


def table(rows: Mapping[str, Sequence[Fit]]) -> str:
    """Write the lines of several extractors."""
    return "\n".join(line(name, fits) for name, fits in rows.items())
