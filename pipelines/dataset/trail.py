"""The way of one document through the stages of a recipe, told from what a version stores: no text is read again."""

from __future__ import annotations

import json
from typing import Any, Final

import pyarrow as pa
from pydantic import ValidationError

from corpusmill.pipelines.dataset.inspect import plain_rows
from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.stages.quality.judge import judge_all
from corpusmill.pipelines.stages.quality.profiles import Rule
from corpusmill.schemas.document import TEMPLATE
from corpusmill.schemas.recipe import StageEntry, number_stages

_MEASURE: Final = ".measure"
_CUT_BYTES: Final = "site_boilerplate.cut_bytes"
PASSED, FAILED, REJECTED = "passed", "failed", "rejected"
"""Verdicts: `failed` is a rule that would have rejected the document, had not an earlier one done it."""


def trail(version: Version, *, document: dict[str, Any] | None, verdict: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Give the steps of a document's way: one for each stage it reached, one for each rule where rules are known.

    Args:
        document: Its row, when it was published.
        verdict: Its row in the ledger, when it was rejected.
    """
    assert (document is None) is not (verdict is None), "a document is published or rejected"
    if verdict is not None and verdict["rule"] == TEMPLATE:
        return [_rejected(verdict["stage"], verdict)]
    entries = {entry.id: entry for entry in number_stages(list(version.manifest.recipe.get("stages", ())))}
    stages = _reached(version, None if verdict is None else verdict["stage"])
    identity = str((document or verdict or {})["id"])
    signals = version.rows("signals", identity)
    steps: list[dict[str, Any]] = []
    for stage in stages:
        met = verdict if verdict is not None and verdict["stage"] == stage else None
        rules = _rules(entries[stage]) if stage in entries else ()
        if rules and signals.num_rows:
            steps += _judged(stage, rules, signals.slice(signals.num_rows - 1), met)
        elif met is not None:
            steps.append(_rejected(stage, met))
        else:
            steps.append(_passed(stage, entries.get(stage), document, signals))
    return steps


def _reached(version: Version, stage: str | None) -> list[str]:
    """Give the stages up to the one that rejected the document, or all; measuring alone is no step of the way."""
    names = [counts.name for counts in version.manifest.counts.stages]
    if stage in names:
        names = names[: names.index(stage) + 1]
    elif stage is not None:
        names = [stage]
    return [name for name in names if not name.endswith(_MEASURE) or name == stage]


def _rules(entry: StageEntry) -> tuple[Rule, ...]:
    """Give the rules of a stage `quality`; none for other stages, or one that another version of the program wrote."""
    if entry.name != "quality":
        return ()
    from corpusmill.pipelines.stages.quality import Quality

    try:
        return Quality.model_validate_json(json.dumps(entry.params)).bounded_rules()
    except ValidationError:
        return ()


def _judged(stage: str, rules: tuple[Rule, ...], signals: pa.Table, met: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Give every rule with its value, recomputed; the one in the ledger is the verdict."""
    steps = []
    for row in plain_rows(judge_all(signals, rules)):
        found = PASSED if row["passed"] else FAILED
        if met is not None and row["rule"] == met["rule"]:
            found = REJECTED
        bound = row["threshold"] if row["threshold"] is not None else _only_bound(row)
        step = _step(stage, row["rule"], found, value=row["value"], threshold=bound)
        steps.append({**step, "min": row["min"], "max": row["max"]})
    if met is not None and not any(step["verdict"] == REJECTED for step in steps):
        steps.append(_rejected(stage, met))
    return steps


def _only_bound(row: dict[str, Any]) -> float | None:
    bounds = [row[name] for name in ("min", "max") if row[name] is not None]
    return float(bounds[0]) if len(bounds) == 1 else None


def _rejected(stage: str, met: dict[str, Any]) -> dict[str, Any]:
    step = _step(stage, met["rule"], REJECTED, value=met["value"], threshold=met["threshold"])
    return {**step, "message": met["message"]} if met.get("message") else step


def _passed(stage: str, entry: StageEntry | None, document: dict[str, Any] | None, signals: pa.Table) -> dict[str, Any]:
    if entry is not None and entry.name == "language" and document is not None:
        score = document.get("language_score")
        step = _step(stage, f"{stage}.low_score", PASSED, value=score, threshold=entry.params.get("min_score"))
        return {**step, "message": document.get("language")}
    step = _step(stage, None, PASSED)
    if entry is not None and entry.name == "site_boilerplate" and (cut := _cut_bytes(signals)):
        return {**step, "message": f"{cut:,} bytes of its site's template were cut"}
    return step


def _cut_bytes(signals: pa.Table) -> int | None:
    if _CUT_BYTES not in signals.column_names or not signals.num_rows:
        return None
    cut: int | None = signals[_CUT_BYTES][-1].as_py()
    return cut


def _step(
    stage: str, rule: str | None, verdict: str, *, value: float | None = None, threshold: float | None = None
) -> dict[str, Any]:
    return {"stage": stage, "rule": rule, "value": value, "threshold": threshold, "verdict": verdict}
