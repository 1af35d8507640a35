"""Distributions of signals in passed and rejected documents, and counts of personal data."""

from __future__ import annotations

import math
from typing import Any, Final

from corpusmill.pipelines.dataset.recorded import first_on_personal_data, recorded_stages
from corpusmill.pipelines.dataset.served import quoted
from corpusmill.pipelines.reports.examples import recipe_bounds
from corpusmill.pipelines.reports.tables import Tables, identifier
from corpusmill.schemas.document import is_signal
from corpusmill.schemas.manifest import VersionManifest

BINS: Final = 28
MAX_SIGNALS: Final = 60
SAMPLE: Final = 200_000
"""Quantiles are computed on this many documents with the smallest ids. Ids are hashes, so the sample is random."""
_LOGARITHMIC_FROM: Final = 100.0
"""An axis that reaches this value is logarithmic: counts have long tails, shares end at 1."""
_ROOM: Final = 0.06
"""Margin behind a threshold, as a fraction of the axis."""
_QUANTILES: Final = {"min": 0.0, "p1": 0.01, "p5": 0.05, "median": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def personal_data(manifest: VersionManifest, tables: Tables) -> dict[str, Any]:
    """Return the detected personal data by kind: items and documents, in total and in published documents.

    `stage` has the parameters of the first stage that detects it, and is None if the recipe has no such stage.
    """
    stages = recorded_stages(manifest.recipe.get("stages", []))
    first = first_on_personal_data(stages)
    kinds = _kinds(manifest, tables)
    return {
        "stage": None if first is None else first.entry.params,
        "kinds": [_counts(tables, name, kind) for name, kind in kinds.items()],
    }


def _kinds(manifest: VersionManifest, tables: Tables) -> dict[str, str]:
    """Return the signals that count personal data, each with its kind."""
    looking = [stage.personal_data for stage in recorded_stages(manifest.recipe.get("stages", []))]
    beginnings = {one.signals for one in looking if one is not None and one.signals is not None}
    return {
        name: name.removeprefix(beginning)
        for name in tables.signals
        for beginning in beginnings
        if name.startswith(beginning)
    }


def _counts(tables: Tables, name: str, kind: str) -> dict[str, Any]:
    column = identifier(name)
    row = tables.row(
        f"""
        SELECT coalesce(sum({column}), 0)::BIGINT AS items, count(*) FILTER (WHERE {column} > 0) AS documents,
            coalesce(sum({column}) FILTER (WHERE published), 0)::BIGINT AS published_items,
            count(*) FILTER (WHERE published AND {column} > 0) AS published_documents
        FROM signals
        """
    )
    return {"kind": kind, **row}


def distributions(manifest: VersionManifest, tables: Tables) -> list[dict[str, Any]]:
    """Return for each signal its quantiles, a histogram of passed and rejected documents, and the thresholds.

    Removed copies count as passed, because no signal rejected them. Signals with a rule come first. A value beyond the
    axis counts in the bin at its end.
    """
    personal = _kinds(manifest, tables)
    names = [name for name in tables.signals if name not in personal]
    thresholds = _thresholds(manifest, tables)
    names.sort(key=lambda name: (name not in thresholds, name))
    names = names[:MAX_SIGNALS]
    quantiles = _quantiles(tables, names)
    return [_distribution(tables, name, quantiles[name], thresholds.get(name, [])) for name in names if quantiles[name]]


def _thresholds(manifest: VersionManifest, tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """Return the thresholds of each signal, from the recipe and from ledger rules with the signal's name."""
    bounds = recipe_bounds(manifest)
    distinct = {(bound.column, bound.side, bound.threshold) for bound in bounds if is_signal(bound.column)}
    rows = tables.rows(
        """
        SELECT DISTINCT rule, CASE WHEN value < threshold THEN 'min' ELSE 'max' END AS side, threshold FROM ledger
        WHERE value IS NOT NULL AND threshold IS NOT NULL
        """
    )
    distinct |= {(row["rule"], row["side"], row["threshold"]) for row in rows if row["rule"] in tables.signals}
    thresholds: dict[str, list[dict[str, Any]]] = {}
    for signal, side, threshold in sorted(distinct):
        thresholds.setdefault(signal, []).append({"side": side, "threshold": threshold})
    return thresholds


def _quantiles(tables: Tables, names: list[str]) -> dict[str, dict[str, float]]:
    if not names:
        return {}
    measured = tables.row("SELECT count(*) AS n FROM signals")["n"]
    last = min((1 << 128) - 1, (1 << 128) * SAMPLE // max(1, measured))
    shares = list(_QUANTILES.values())
    columns = [f"quantile_disc({identifier(name)}, {shares}) FILTER (isfinite({identifier(name)}))" for name in names]
    row = tables.connection.execute(f"SELECT {', '.join(columns)} FROM signals WHERE id <= {quoted(f'{last:032x}')}")
    quantiles = row.fetchone() or ()
    return {
        name: dict(zip(_QUANTILES, values or (), strict=False)) for name, values in zip(names, quantiles, strict=True)
    }


def _distribution(
    tables: Tables, name: str, quantiles: dict[str, float], thresholds: list[dict[str, Any]]
) -> dict[str, Any]:
    axis = make_axis(quantiles, [item["threshold"] for item in thresholds])
    column = identifier(name)
    place = f"log10(1 + greatest({column}, 0))" if axis["scale"] == "log" else f"{column}::DOUBLE"
    low, high = (_placed(axis, axis[end]) for end in ("from", "to"))
    share = f"({place} - {low!r}) / {high - low!r}"
    rows = tables.rows(
        f"""
        SELECT passed, count(*) AS documents,
            greatest(0, least({axis["bins"]} - 1, floor({share} * {axis["bins"]})))::INTEGER AS bin
        FROM signals WHERE isfinite({column}) GROUP BY passed, bin
        """
    )
    counts = {(row["passed"], row["bin"]): row["documents"] for row in rows}
    passed, rejected = ([counts.get((has, i), 0) for i in range(axis["bins"])] for has in (True, False))
    return {
        "name": name,
        "measured": sum(passed) + sum(rejected),
        "quantiles": quantiles,
        "thresholds": thresholds,
        "axis": axis,
        "passed": passed,
        "rejected": rejected,
    }


def make_axis(quantiles: dict[str, float], thresholds: list[float]) -> dict[str, Any]:
    """Return the axis of a histogram: its ends, its scale (linear, or log: log10 of 1 + value) and its bins.

    The axis covers 98 % of the values, and the thresholds unless all values are far from them.
    """
    low, high = quantiles["p1"], quantiles["p99"]
    span = high - low or abs(high) or 1.0
    near = [bound for bound in thresholds if low - 3 * span <= bound <= high + 3 * span]
    low, high = _around(min([low, *near]), max([high, *near]), near, least=min(0.0, quantiles["min"]))
    if low >= 0 and high >= _LOGARITHMIC_FROM:
        return {"scale": "log", "from": low, "to": high if high > low else low * 2, "bins": BINS}
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    is_whole = all(value == int(value) for value in quantiles.values())
    if is_whole and high - low < BINS:
        low, high = math.floor(low), math.ceil(high) + 1
        return {"scale": "linear", "from": low, "to": high, "bins": high - low}
    return {"scale": "linear", "from": low, "to": high, "bins": BINS}


def _around(low: float, high: float, near: list[float], *, least: float) -> tuple[float, float]:
    """Return the ends of an axis, with a margin behind a threshold at an end."""
    room = (high - low) * _ROOM
    return max(least, low - room) if low in near else low, high + room if high in near else high


def position(axis: dict[str, Any], number: float) -> float:
    """Return the position of *number* on *axis*: 0 at its beginning, 1 at its end.

    >>> position({"scale": "linear", "from": 0, "to": 2, "bins": 4}, 0.5)
    0.25
    """
    low, high, here = (_placed(axis, value) for value in (axis["from"], axis["to"], number))
    return (here - low) / (high - low)


def _placed(axis: dict[str, Any], number: float) -> float:
    return math.log10(1 + max(number, 0)) if axis["scale"] == "log" else float(number)
