"""Trace one document through the stages of a recipe, from data stored in the version. Reads no text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from corpusmill.pipelines.dataset.created import is_created
from corpusmill.pipelines.dataset.inspect import plain_rows
from corpusmill.pipelines.dataset.recorded import recorded_stages
from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.stages.base import Judgment, Stage
from corpusmill.schemas.document import is_signal

PASSED, FAILED, REJECTED = "passed", "failed", "rejected"
"""Verdicts. A `failed` rule would have rejected the document if an earlier one had not."""


def trail(version: Version, *, document: dict[str, Any] | None, verdict: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the steps of a document: one for each rule of the stages that it reached, or one for the stage.

    Rules are those that the stage declares. For a stage that is not installed here, only the ledger's verdict is known.

    Args:
        document: Its row, if it was published.
        verdict: Its row in the ledger, if it was rejected.
    """
    assert (document is None) is not (verdict is None), "a document is published or rejected"
    if verdict is not None and is_created(version, verdict):
        return [_rejected(verdict["stage"], verdict)]
    recorded = {stage.entry.id: stage.stage for stage in recorded_stages(version.manifest.recipe.get("stages", ()))}
    values = _values(version, document, str((document or verdict or {})["id"]))
    steps: list[dict[str, Any]] = []
    for name in _reached(version, None if verdict is None else verdict["stage"]):
        met = verdict if verdict is not None and verdict["stage"] == name else None
        steps += _steps(name, recorded.get(name), values, met)
    return steps


def _values(version: Version, document: dict[str, Any] | None, identity: str) -> dict[str, Any]:
    """Return the document's signals and, if it was published, its columns."""
    signals = plain_rows(version.rows("signals", identity))
    return {**(document or {}), **(signals[-1] if signals else {})}


def _reached(version: Version, stage: str | None) -> list[str]:
    """Return the stages up to the one that rejected the document, or all.

    A part of a stage, such as its measurement, is included only if it rejected the document.
    """
    known = [counts.name for counts in version.manifest.counts.stages]
    names = known
    if stage in known:
        names = known[: known.index(stage) + 1]
    elif stage is not None:
        names = [stage]
    parts = {name for name in known if "." in name and name.partition(".")[0] in known}
    return [name for name in names if name not in parts or name == stage]


def _steps(
    name: str, stage: Stage | None, values: Mapping[str, Any], met: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the steps at one stage: the rules whose signal is known; without those, one step with the verdict."""
    judgments = [] if stage is None else [one for one in stage.judges() if one.column in values]
    steps = list(_judged(name, [one for one in judgments if is_signal(one.column)], values, met))
    if met is not None and not any(step["verdict"] == REJECTED for step in steps):
        return [*steps, _rejected(name, met)]
    if met is None:
        steps += [_passed(name, one, values) for one in judgments if not is_signal(one.column)]
        steps = steps or [_step(name, None, PASSED)]
        notes = [] if stage is None else list(_notes(stage, values))
        if notes:
            steps[-1]["message"] = "; ".join(notes)
    return steps


def _judged(
    stage: str, judgments: list[Judgment], values: Mapping[str, Any], met: dict[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """Yield every rule with its recomputed value. The rule in the ledger is the one that rejected."""
    for one in judgments:
        value = _number(values[one.column])
        crossed = _crossed(one, value)
        outcome = PASSED if crossed is None else FAILED
        if met is not None and one.rule == met["rule"]:
            outcome = REJECTED
        bound = _only_bound(one) if crossed is None else crossed
        step = _step(stage, one.rule, outcome, value=value, threshold=bound)
        yield {**step, "min": _number(one.min), "max": _number(one.max)}


def _passed(stage: str, judgment: Judgment, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the step of a rule on a column of a published document."""
    value = _number(values[judgment.column])
    return _step(stage, judgment.rule, PASSED, value=value, threshold=_only_bound(judgment))


def _number(value: Any) -> float | None:
    """Return *value* as a number; None if it is not a number, which passes every rule."""
    is_number = isinstance(value, (int, float)) and math.isfinite(value)
    return float(value) if is_number else None


def _crossed(judgment: Judgment, value: float | None) -> float | None:
    """Return the bound that *value* crosses; None if it passes."""
    if value is not None and judgment.min is not None and value < judgment.min:
        return float(judgment.min)
    if value is not None and judgment.max is not None and value > judgment.max:
        return float(judgment.max)
    return None


def _only_bound(judgment: Judgment) -> float | None:
    bounds = [bound for bound in (judgment.min, judgment.max) if bound is not None]
    return float(bounds[0]) if len(bounds) == 1 else None


def _notes(stage: Stage, values: Mapping[str, Any]) -> Iterator[str]:
    return (note.format(value=values[column]) for column, note in stage.notes().items() if values.get(column))


def _rejected(stage: str, met: dict[str, Any]) -> dict[str, Any]:
    step = _step(stage, met["rule"], REJECTED, value=met["value"], threshold=met["threshold"])
    return {**step, "message": met["message"]} if met.get("message") else step


def _step(
    stage: str, rule: str | None, verdict: str, *, value: float | None = None, threshold: float | None = None
) -> dict[str, Any]:
    return {"stage": stage, "rule": rule, "value": value, "threshold": threshold, "verdict": verdict}
