"""Counts of and warnings about the embeddings that come with the records of a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from corpusmill.pipelines.dataset.recorded import recorded_stages
from corpusmill.pipelines.stages.read import VECTORS
from corpusmill.schemas.manifest import VersionManifest
from corpusmill.schemas.vectors import (
    LENGTH,
    MAX_DIMENSIONS,
    MISSING,
    NOT_NUMBERS,
    TOO_LONG,
    VECTOR,
    VECTOR_COUNTS,
    ZERO,
)

_PROBLEMS: Final = {
    MISSING: "{:,} missing or null",
    NOT_NUMBERS: "{:,} not a list of finite numbers",
    ZERO: "{:,} empty or all zero",
    TOO_LONG: f"{{:,}} longer than {MAX_DIMENSIONS:,}",
}
_RESULT: Final = "such documents stay, but are never semantic duplicates"
_SHOWN: Final = 4
"""Lengths that a warning names."""


def vector_counts(counters: Mapping[str, int], source: str) -> dict[str, int]:
    """Return the counts of records of *source* with and without a vector, from the counters of the step that reads."""
    prefix = f"{VECTORS}/{source}/"
    counts = {name.removeprefix(prefix): n for name, n in sorted(counters.items()) if name.startswith(prefix) and n}
    return {f"{VECTOR_COUNTS}{name}": number for name, number in counts.items()}


def vector_warnings(manifest: VersionManifest) -> list[str]:
    """Return a warning for each source that has records without a vector, and one for vectors of different lengths.

    Vectors are compared only with vectors of the same length, so lengths are counted over all sources. Where no stage
    compares them, there is nothing to warn about.
    """
    if not _has_reader(manifest):
        return []
    lengths: Counter[int] = Counter()
    warnings = []
    for source in manifest.inputs:
        counts = {k.removeprefix(VECTOR_COUNTS): n for k, n in source.counts.items() if k.startswith(VECTOR_COUNTS)}
        problems = [problem.format(counts[reason]) for reason, problem in _PROBLEMS.items() if counts.get(reason)]
        lengths.update({int(k.removeprefix(LENGTH)): n for k, n in counts.items() if k.startswith(LENGTH)})
        if problems:
            total = _records(sum(counts.values()))
            warnings.append(f"source `{source.source}`: vectors of {total}: {', '.join(problems)}; {_RESULT}")
    if len(lengths) > 1:
        warnings.append(f"vectors have {_described(lengths)}, and only vectors of the same length are compared")
    return warnings


def _has_reader(manifest: VersionManifest) -> bool:
    """Return whether a stage of the version may read the vectors: one that is not installed here may."""
    stages = recorded_stages(manifest.recipe.get("stages", ()))
    return any(one.stage is None or VECTOR in one.stage.reads() for one in stages)


def _records(number: int) -> str:
    return f"{number:,} record{'' if number == 1 else 's'}"


def _described(lengths: Mapping[int, int]) -> str:
    """Return the most frequent *lengths*, with the number of records that have each.

    >>> _described({384: 5, 768: 1000})
    '768 (1,000 records) or 384 (5 records) components'
    >>> _described({384: 1, 8: 1})
    '8 (1 record) or 384 (1 record) components'
    """
    ordered = sorted(lengths, key=lambda length: (-lengths[length], length))
    shown = [f"{length:,} ({_records(lengths[length])})" for length in ordered[:_SHOWN]]
    more = [f"{len(ordered) - _SHOWN:,} other numbers of"] if len(ordered) > _SHOWN else []
    return f"{' or '.join([*shown, *more])} components"
