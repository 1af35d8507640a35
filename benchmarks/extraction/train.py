"""Train the reader's model, and measure how well it does on sites that it has not seen.

    python -m benchmarks.extraction.train held-out        half of the domains to learn from, the other half to test
    python -m benchmarks.extraction.train leave-one-out   each source tested by a model that has seen none of it
    python -m benchmarks.extraction.train ablation        the held-out figure without each group of features
    python -m benchmarks.extraction.train ship            the model of the project, from every page that may be used

`--sources plain` learns from annotations under permissive licences alone, `--sources all` from every one.
Needs the extra `model`. The figures are those of `docs/concepts/extraction.md`; one training takes 5 to 10 minutes on
two cores, `ablation` an hour.
"""

from __future__ import annotations

import argparse
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.extraction.boosting import boosted, mean_of, scores, stage_of, tempered
from benchmarks.extraction.gold import (
    ALL_SOURCES,
    OPEN_LICENCE,
    PLAIN_LICENCE,
    Array,
    GoldPage,
    default_path,
    is_held_out,
    read_gold,
    where,
)
from benchmarks.extraction.lexicons import Lexicons, Shares, shares_of
from benchmarks.extraction.scoring import Fit, evaluated, f1, line
from corpusmill.pipelines.stages.extract import _reader, model_file
from corpusmill.pipelines.stages.extract.model_file import CHANCES, SCORE_BOUND, UNITS, Learned, Stage, packed

_SHORT_WORDS: Final = 4
_SHORT_SHARE: Final = 0.34
"""Of the blocks of up to four words, most of them links of menus, a third is learned from, each for three."""
_SURENESS: Final = 0.5
"""Share of the last scores that is believed. Trees are too sure on kinds of pages that they have not met: with all of
`wcxb` left out, the share of its text that is missed falls from 0.26 to 0.19, and F1 grows from .819 to .852; on other
sites of the same kinds F1 grows from .931 to .932. Tried from 0.35 to 1 on these two."""
_NOISE: Final = 0.0005
"""Of F1 over all pages: trainings with two seeds differed by .0006."""
SOURCES: Final = {"plain": PLAIN_LICENCE, "open": OPEN_LICENCE, "all": ALL_SOURCES}
_ALL: Final = frozenset(_reader.GROUPS)


@dataclass(frozen=True)
class Plan:
    """How a model is trained; `groups` are the features it may look at."""

    trees: int = 200
    rate: float = 0.12
    workers: int = 2
    folds: int = 6
    groups: frozenset[str] = _ALL
    stages: int = 2
    balance: float = 0.5
    """A source's weight is its number of pages to the power of one minus this. With 0.5, pages of sources that are left
    out are judged better (zyte .933 to .941, wcxb .861 to .869) and those of known ones as well as with 0."""


def chances() -> bytes:
    """Give the table from scores to chances: the logistic function, in 65,535ths."""
    odds = ((np.arange(CHANCES) + 0.5) * 2 * SCORE_BOUND / CHANCES - SCORE_BOUND) / UNITS
    return np.round(65_535 / (1 + np.exp(-odds))).astype("<u2").tobytes()


def trained(pages: Sequence[GoldPage], plan: Plan, shares: dict[str, Shares]) -> Learned:
    """Train on *pages*: each stage is the mean of trees that were boosted without one fold of domains each.

    What a page is judged by in training never comes from its own domain: its words are looked up in lexicons, and its
    first scores made by trees, of the other folds. So the second stage learns from first scores as it will meet them.
    """
    folds = np.array([zlib.crc32(page.domain.encode()) % plan.folds for page in pages])
    models = []
    for fold in range(plan.folds):
        others = Lexicons([page for page, own in zip(pages, folds, strict=True) if own != fold], shares)
        models.append(_reader.Model(names=others.names, words=others.words, stages=(), chances=chances()))
    rows = _Rows(pages, folds, plan)
    every = [_columns(page, models[fold])[:, : _reader.FIRST_COUNT] for page, fold in zip(pages, folds, strict=True)]
    first, unseen = rows.stage(np.concatenate(every))
    stages = [first]
    if plan.stages == 2:
        again = [
            _columns(page, models[fold], unseen[start:end])
            for page, fold, start, end in zip(pages, folds, rows.ends[:-1], rows.ends[1:], strict=True)
        ]
        stages.append(rows.stage(np.concatenate(again))[0])
    stages[-1] = tempered(stages[-1], _SURENESS)
    whole = Lexicons(pages, shares)
    return Learned(names=whole.names, words=whole.words, stages=tuple(stages), chances=chances())


class _Rows:
    """The blocks of all pages as rows: what they are, how much each counts, and the fold of their domain."""

    def __init__(self, pages: Sequence[GoldPage], folds: Array, plan: Plan) -> None:
        self.plan = plan
        counts = [len(page.words) for page in pages]
        self.ends = np.concatenate(([0], np.cumsum(counts)))
        self.folds = np.repeat(folds, counts)
        self.share = np.concatenate([page.share for page in pages])
        is_short = np.concatenate([page.words for page in pages]) <= _SHORT_WORDS
        mixed = np.concatenate([np.arange(count) * 7_919 % 9_973 / 9_973 for count in counts])
        self.is_used = ~is_short | (mixed < _SHORT_SHARE)
        sources = Counter(page.source for page in pages)
        each = [weights(page) * (len(pages) / sources[page.source]) ** plan.balance for page in pages]
        self.weight = np.concatenate(each) / np.concatenate(each).mean() / np.where(is_short, _SHORT_SHARE, 1.0)

    def stage(self, columns: Array) -> tuple[Stage, Array]:
        """Boost trees without each fold; give their mean, and for each row the scores by those that never saw it."""
        global _work  # forked workers share it; rows of two hundred columns are too large to send
        _work = (self, self.masked(columns))
        with get_context("fork").Pool(self.plan.workers) as pool:
            parts = pool.map(_without_fold, range(self.plan.folds), chunksize=1)
        unseen = np.zeros(len(columns), "<i4")
        for fold, (_, own) in enumerate(parts):
            unseen[self.folds == fold] = own
        return mean_of([part for part, _ in parts]), unseen

    def masked(self, columns: Array) -> Array:
        """Set the features that the plan leaves out to nothing."""
        unused = [place for place, group in enumerate(_reader.GROUPS) if group not in self.plan.groups]
        columns = columns.copy()
        columns[:, [place for place in unused if place < columns.shape[1]]] = 0
        return columns


_work: tuple[_Rows, Array]


def _without_fold(fold: int) -> tuple[Stage, Array]:
    rows, columns = _work
    own = rows.folds == fold
    use = ~own & rows.is_used
    model = boosted(columns[use], rows.share[use], rows.weight[use], trees=rows.plan.trees, rate=rows.plan.rate)
    return stage_of(model), scores(model, columns[own])


def weights(page: GoldPage) -> Array:
    """Give what a block counts: its words against those of the gold text, a page at most 2.5 times its main text."""
    weight = np.minimum((page.words + 2.0) / max(page.gold_words, 40), 1.0)
    return weight / max(1.0, weight.sum() / 2.5)


def _columns(page: GoldPage, model: _reader.Model, first_scores: Array | None = None) -> Array:
    reading = _reader.read(page.markup, model)
    if first_scores is not None:
        reading.rescore(first_scores.tobytes())
    return np.frombuffer(reading.columns, "<f4").reshape(len(_reader.FEATURES), -1).T


def extracted(page: GoldPage, model: _reader.Model) -> str:
    """Give the text of the blocks that *model* keeps."""
    reading = _reader.read(page.markup, model)
    reading.choose(1.0)
    return "\n".join(row[1] for row in reading.blocks())


def tested(pages: Sequence[GoldPage], learned: Learned) -> list[Fit]:
    """Measure a model on *pages*."""
    model = learned.reader()
    return evaluated(pages, lambda page: extracted(page, model))


def held_out(pages: Sequence[GoldPage], allowed: Sequence[GoldPage], plan: Plan, shares: dict[str, Shares]) -> Learned:
    """Print the figures on the half of the domains that are held out."""
    learned = trained(where(allowed, lambda page: not is_held_out(page.domain)), plan, shares)
    test = where(pages, lambda page: is_held_out(page.domain))
    print(line(f"held out, {len(test)} pages", tested(test, learned)), flush=True)
    return learned


def leave_one_out(
    pages: Sequence[GoldPage], allowed: Sequence[GoldPage], plan: Plan, shares: dict[str, Shares]
) -> None:
    """Print the figures on each source, by a model of the others; sources that only test share one model."""
    fits: list[Fit] = []
    learned_from = {page.source for page in allowed}
    only_tests = {page.source for page in pages} - learned_from
    for sources in [*({source} for source in sorted(learned_from)), only_tests]:
        own = where(pages, lambda page, sources=sources: page.source in sources)
        domains = {page.domain for page in own}
        others = [page for page in allowed if page.source not in sources and page.domain not in domains]
        fits += tested(own, trained(others, plan, shares)) if own else []
        print(line(f"from {len(others)} others", fits[-len(own) :]), flush=True)
    print(line("each left out", fits), flush=True)


def ablation(pages: Sequence[GoldPage], allowed: Sequence[GoldPage], plan: Plan, shares: dict[str, Shares]) -> None:
    """Print the figures without each group of features, with one stage, and without all that no one would miss.

    Both halves of the domains are tested, each by a model of the other: with twice the pages there is less noise.
    """
    halves = [
        (
            [page for page in allowed if is_held_out(page.domain) == half],
            where(pages, lambda page, half=half: is_held_out(page.domain) != half),
        )
        for half in (False, True)
    ]

    def measured(name: str, each: Plan) -> float:
        fits = [one for learn, test in halves for one in tested(test, trained(learn, each, shares))]
        print(line(name, fits), flush=True)
        return f1(fits)

    whole = measured("everything", plan)
    measured("one stage", replace(plan, stages=1))
    groups = sorted(_ALL - {"scores"})
    without = {group: measured(f"without {group}", replace(plan, groups=_ALL - {group})) for group in groups}
    unmissed = {group for group, value in without.items() if value > whole - _NOISE}
    if unmissed:
        measured(f"without {', '.join(sorted(unmissed))}", replace(plan, groups=_ALL - unmissed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["held-out", "leave-one-out", "ablation", "ship"])
    parser.add_argument("--data", type=Path, default=default_path())
    parser.add_argument("--sources", choices=list(SOURCES), default="open")
    parser.add_argument("--trees", type=int, default=Plan.trees)
    parser.add_argument("--rate", type=float, default=Plan.rate)
    parser.add_argument("--folds", type=int, default=Plan.folds)
    parser.add_argument("--workers", type=int, default=Plan.workers)
    parser.add_argument("--out", type=Path, help="write the model of `held-out` or `ship` there")
    args = parser.parse_args()
    pages = read_gold(args.data)
    allowed = where(pages, lambda page: page.source in SOURCES[args.sources])
    shares = {page.id: shares_of(page) for page in allowed}
    plan = Plan(args.trees, args.rate, args.workers, args.folds)
    if args.what == "leave-one-out":
        leave_one_out(pages, allowed, plan, shares)
    elif args.what == "ablation":
        ablation(pages, allowed, plan, shares)
    else:
        is_whole = args.what == "ship"
        learned = trained(allowed, plan, shares) if is_whole else held_out(pages, allowed, plan, shares)
        if is_whole or args.out:
            out = args.out or Path(model_file.__file__).with_name(model_file.FILE)
            used = allowed if is_whole else where(allowed, lambda page: not is_held_out(page.domain))
            about = {"pages": len(used), "sources": sorted({page.source for page in allowed}), "trees": plan.trees}
            out.write_bytes(packed(Learned(learned.names, learned.words, learned.stages, learned.chances, about)))
            print(f"wrote {out}, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
