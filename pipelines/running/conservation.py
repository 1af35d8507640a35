"""Check conservation: each input of a stage is in its output or in the ledger, in documents and bytes of text."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping

from corpusmill.pipelines.engines.store import StepResult
from corpusmill.pipelines.planning.plan import CorpusPlan
from corpusmill.schemas.errors import ConservationError
from corpusmill.schemas.manifest import StageCounts

_PREFIX = "law/"


def stage_counts(plan: CorpusPlan, results: Mapping[str, StepResult]) -> tuple[StageCounts, ...]:
    """Return the counts of each stage, in the order of the plan.

    The input of a stage that compares documents is the output of the stage before it; its rejections are counted from
    its decisions.
    """
    figures = _figures(results)
    counts: list[StageCounts] = []
    for law in plan.laws:
        counters = figures.get(law, Counter())
        rules = {name.removeprefix("rule/"): n for name, n in sorted(counters.items()) if name.startswith("rule/")}
        plain = {name: n for name, n in counters.items() if not name.startswith("rule/")}
        if law in plan.compared:
            plain = _compared(plain, counts[-1])
        counts.append(StageCounts.model_validate({**_ZERO, **plain, "name": law, "rules": rules}))
    return tuple(counts)


_ZERO = dict.fromkeys(("documents_in", "documents_out", "ledger", "bytes_in", "bytes_out", "bytes_ledger"), 0)


def _compared(figures: Mapping[str, int], before: StageCounts) -> dict[str, int]:
    return {
        **figures,
        "documents_in": before.documents_out,
        "bytes_in": before.bytes_out,
        "documents_out": before.documents_out - figures.get("ledger", 0),
        "bytes_out": before.bytes_out - figures.get("bytes_ledger", 0),
    }


def _figures(results: Mapping[str, StepResult]) -> dict[str, Counter[str]]:
    figures: dict[str, Counter[str]] = {}
    for step in results.values():
        for name, number in step.counters.items():
            if name.startswith(_PREFIX):
                stage, _, figure = name.removeprefix(_PREFIX).partition("/")
                figures.setdefault(stage, Counter())[figure] += number
    return figures


def check_laws(
    counts: tuple[StageCounts, ...],
    *,
    published: int,
    published_bytes: int,
    ledger: int,
) -> None:
    """Check that nothing was lost in a stage, between two stages, or when the files were written.

    Args:
        published, published_bytes, ledger: Rows and bytes of text in the shards, and rows in the ledger, as written.

    Raises:
        ConservationError: Something was lost; the message has the stage and both figures.
    """
    for stage in counts:
        if not stage.holds:
            raise ConservationError(f"stage {stage.name}: in is not out + ledger: {stage.model_dump_json()}")
    for before, after in itertools.pairwise(counts):
        _equal(f"{before.name} put out and {after.name} took in", before.documents_out, after.documents_in, "documents")
        _equal(f"{before.name} put out and {after.name} took in", before.bytes_out, after.bytes_in, "bytes of text")
    _equal("the last stage put out and the shards hold", counts[-1].documents_out, published, "documents")
    _equal("the last stage put out and the shards hold", counts[-1].bytes_out, published_bytes, "bytes of text")
    _equal("stages rejected and the ledger holds", sum(stage.ledger for stage in counts), ledger, "documents")


def _equal(ends: str, one: int, other: int, unit: str) -> None:
    if one != other:
        raise ConservationError(f"{ends} different numbers of {unit}: {one} and {other}", hint="please report this")
