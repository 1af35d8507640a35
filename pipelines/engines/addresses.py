"""Addresses: the hash under which a result is stored, computed from everything that decides the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from typing import Any, Final

from corpusmill.pipelines.engines.base import Exchange, Fold, Map, Repeat, Scan, Step, Value
from corpusmill.pipelines.engines.plan import Plan, needs
from corpusmill.schemas.hashing import fingerprint

TASK_FORMAT: Final = 2
"""Part of every address. Rises when the format of a task's output changes."""


def identity_of(function: Value) -> dict[str, Any]:
    """Return what the output of *function* depends on, including the versions of its distributions."""
    return {**function.identity(), "tools": distribution_versions(function.distributions())}


def distribution_versions(names: Iterable[str]) -> dict[str, str | None]:
    """Return the installed version of each distribution, or None if it is not installed."""
    return {name: _installed_version(name) for name in names}


@cache
def _installed_version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def work_of(step: Step) -> dict[str, Any]:
    """Return what decides the output of *step*, apart from its inputs, as JSON. It is the same in every plan."""
    shared = {
        "format": TASK_FORMAT,
        "verb": type(step).__name__.lower(),
        "basis": step.basis,
        "contents": {content.name: content.sha256 for content in step.contents},
    }
    match step:
        case Repeat():
            return {**shared, "steps": [work_of(one) for one in step.steps], "until": step.until}
        case Map():
            sides = {name: _columns(schema) for name, schema in sorted(step.sides.items())}
            own = {"reads": sorted(step.reads), "writes": _columns(step.writes), "sides": sides}
        case Scan():
            own = {"schema": _columns(step.schema)}
        case Fold():
            reads = None if step.reads is None else sorted(step.reads)
            partitions = (
                step.partitions if isinstance(step.partitions, int) else None
            )  # a function's result is in the counters
            own = {"schema": _columns(step.schema), "partitions": partitions, "reads": reads}
        case Exchange():
            inputs = [
                [
                    input_.side,
                    None if input_.columns is None else sorted(input_.columns),
                    None if input_.through is None else identity_of(input_.through),
                    *(() if input_.at is None else ("at",)),
                ]
                for input_ in step.inputs
            ]
            keys = {"by": step.by, "order": list(step.order), "placement": step.placement, "inputs": inputs}
            own = {"schema": _columns(step.schema), "moved": _columns(step.moved), **keys}
            if step.keeps:
                own["keeps"] = sorted(step.keeps)
            if step.tables:
                own["tables"] = sorted(step.tables)
    return {**shared, **own, "work": identity_of(step.function)}


def _columns(schema: Any) -> list[list[str]]:
    return [[column.name, str(column.type), str(column.nullable)] for column in schema]


def fingerprints(plan: Plan) -> dict[str, str]:
    """Return the fingerprint of each step of *plan*, before anything runs.

    Equal fingerprints mean equal output. A fingerprint covers the files and steps behind each column that the step
    reads. The counters that a step asks for follow from these.
    """
    known: dict[str, str] = {}
    for step in plan.steps:
        known[step.name] = step_fingerprint(plan, step, known)
    return known


def step_fingerprint(plan: Plan, step: Step, known: Mapping[str, str]) -> str:
    """Compute the fingerprint of *step* from those of the steps before it."""
    return fingerprint({"work": work_of(step), "read": _inputs(plan, step, known)})


def _inputs(plan: Plan, step: Step, known: Mapping[str, str]) -> dict[str, Any]:
    def behind(state: str, columns: Iterable[str]) -> dict[str, str]:
        there = plan.columns(state)
        layout = known[plan.layout(state)]
        return {"": layout} | {name: known[there[name].writer] for name in columns if name in there}

    match step:
        case Scan():
            return {
                "tasks": sorted(fingerprint(task.identity) for task in plan.scans.get(step.name, ())),
                "asks": _asked(step.function.asks(), known),
            }
        case Map():
            return {"of": behind(step.of, step.reads), "asks": _asked(step.function.asks(), known)}
        case Fold():
            names = plan.columns(step.of) if step.reads is None else step.reads
            return {"of": behind(step.of, names), "asks": _asked(step.function.asks(), known)}
        case Exchange():
            asks = {*step.asks, *step.function.asks()}
            inputs = []
            for input_ in step.inputs:
                asks |= set(input_.through.asks()) if input_.through is not None else set()
                inputs.append(
                    known[input_.step] if input_.side is not None else behind(input_.step, plan.input_columns(input_))
                )
            onto = None if step.onto is None else behind(step.onto, sorted(plan.replaced(step)))
            found = {"inputs": inputs, "onto": onto, "asks": _asked(asks, known)}
            tables = {name: behind(table, plan.columns(table)) for name, table in sorted(step.whole_tables().items())}
            return {**found, "tables": tables} if tables else found
        case Repeat():
            inside = {step.name, *(one.name for one in step.steps)}
            outside = sorted({name for one in step.steps for name in needs(one)} - inside)
            return {"start": known[step.start], "outside": {name: known[name] for name in outside}}


def _asked(steps: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    return {name: known[name] for name in sorted(steps)}
