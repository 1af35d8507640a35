"""From a configuration to the parts of a mixture and their shares over the run.

Shapes: V values of a mixture, B buckets of a curriculum.
"""
# ruff: noqa: N806 - names of arrays end in their shape

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from corpusmill.schemas.errors import UsageError
from corpusmill.training.config.data import CurriculumConfig, MixtureConfig, VersionConfig
from corpusmill.training.data.labels import Labeled, crossed, label_rows
from corpusmill.training.data.mixture import Part, Shares
from corpusmill.training.data.shards import Corpus


def mixed_versions(
    versions: Sequence[VersionConfig], corpora: Sequence[Corpus], *, temperature: float
) -> tuple[tuple[Part, ...], Shares]:
    """Return one part for each of *versions*, open as *corpora*, and their shares.

    Raises:
        UsageError: No version has a weight.
    """
    bytes_ = [corpus.text_bytes for corpus in corpora]
    natural = tempered(bytes_, temperature=temperature)
    weights = [natural[n] if one.weight is None else one.weight for n, one in enumerate(versions)]
    parts = tuple(
        Part(corpus, weight, one.epochs) for one, corpus, weight in zip(versions, corpora, weights, strict=True)
    )
    return parts, Shares.constant(weights)


def mixed_values(
    corpus: Corpus, mixture: MixtureConfig | None, curriculum: CurriculumConfig | None, *, rows: int
) -> tuple[tuple[Part, ...], Shares]:
    """Return the parts of *corpus* by the values of a mixture, the buckets of a curriculum, or both.

    Args:
        rows: Rows of the whole run, which the phases of a curriculum divide.

    Raises:
        UsageError: A column does not exist, or a value that the configuration names does not occur.
    """
    values = None if mixture is None or mixture.by is None else label_rows(corpus, mixture.by)
    buckets = None if curriculum is None else label_rows(corpus, curriculum.by, buckets=curriculum.buckets)
    labeled = crossed(corpus, values, buckets) if values and buckets else values or buckets
    if labeled is None:
        return (Part(corpus),), Shares.constant([1.0])
    sizes_VB = np.array(labeled.sizes).reshape(len(values.names) if values else 1, -1)
    weights_V = _weights(mixture, values, sizes_VB.sum(axis=1).tolist())
    pairs = [(v, b) for v, b in np.argwhere(sizes_VB).tolist() if weights_V[v]]
    parts = tuple(
        Part(corpus, weights_V[v], _epochs(mixture, values, v), labeled.selection(v * sizes_VB.shape[1] + b))
        for v, b in pairs
    )
    starts: list[int] = []
    weights: list[tuple[float, ...]] = []
    for at, factors in [(0.0, [1.0])] if curriculum is None or buckets is None else _phases(curriculum, buckets):
        shares_VB = sizes_VB * np.array(factors)
        totals_V = shares_VB.sum(axis=1)
        phase = tuple(weights_V[v] * shares_VB[v, b] / totals_V[v] if totals_V[v] else 0.0 for v, b in pairs)
        start = round(at * rows)
        if any(phase) and (not starts or start > starts[-1]):
            starts.append(start if starts else 0)
            weights.append(phase)
    return parts, Shares(tuple(starts), tuple(weights))


def tempered(sizes: Sequence[int], *, temperature: float) -> list[float]:
    """Return *sizes* to the power of 1 / *temperature*, as parts of their sum.

    >>> [round(share, 2) for share in tempered([900, 100], temperature=2)]
    [0.75, 0.25]
    """
    powers = [size ** (1 / temperature) for size in sizes]
    return [power / sum(powers) for power in powers] if any(powers) else powers


def _epochs(mixture: MixtureConfig | None, values: Labeled | None, value: int) -> int | None:
    return None if mixture is None or values is None else mixture.epochs.get(values.value(value))


def _weights(mixture: MixtureConfig | None, values: Labeled | None, sizes: list[int]) -> list[float]:
    if mixture is None or values is None:
        return [1.0] * len(sizes)
    _refuse_unknown("weights", mixture.weights or {}, values)
    _refuse_unknown("epochs", mixture.epochs, values)
    if mixture.weights is None:
        return tempered(sizes, temperature=mixture.temperature)
    return [mixture.weights.get(values.value(number), 0.0) for number in range(len(sizes))]


def _refuse_unknown(field: str, named: Mapping[str, float], values: Labeled) -> None:
    for name in named:
        known = [values.value(number) for number in range(len(values.names))]
        if name not in known:
            raise UsageError(
                f"`mixture.{field}` names {name!r}, but no document has this `{values.by}`",
                hint=f"values: {', '.join(map(repr, known[:20]))}",
            )


def _phases(curriculum: CurriculumConfig, buckets: Labeled) -> list[tuple[float, list[float]]]:
    """Return for each phase its beginning, as a part of the run, and the factor of each bucket."""
    count = len(buckets.names)
    if curriculum.phases is not None:
        for phase in curriculum.phases:
            if len(phase.weights) != count:
                raise UsageError(
                    f"`curriculum.phases` has {len(phase.weights)} weights, `{buckets.by}` has {count} buckets",
                    hint=f"buckets: {'; '.join(buckets.names)}",
                )
        return [(phase.at, phase.weights) for phase in curriculum.phases]
    order = list(range(count)) if curriculum.order == "ascending" else list(range(count))[::-1]
    total, done, phases = sum(buckets.sizes), 0, []
    for bucket in order:
        if buckets.sizes[bucket]:
            phases.append((done / total, [float(other == bucket) for other in range(count)]))
            done += buckets.sizes[bucket]
    return phases
