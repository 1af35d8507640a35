"""A plan: steps in an executable order, and the schemas of their tables, known before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from corpusmill.pipelines.engines.base import (
    PLACE,
    Exchange,
    Fold,
    Input,
    Map,
    Repeat,
    Scan,
    Step,
    check_column_type,
)
from corpusmill.schemas.errors import WorkError


@dataclass(frozen=True)
class ScanTask:
    """One task of a scan: the rows that it receives, and the part of them that decides the output."""

    rows: tuple[Mapping[str, Any], ...]
    identity: Any


@dataclass(frozen=True)
class Column:
    """A column of a table after a certain step: the step that wrote it last, and its type."""

    writer: str
    field: pa.Field


class Plan:
    """Steps in an executable order. *scans* lists the tasks of each scan.

    Raises:
        WorkError: A step reads a missing column or step, or writes a column of an unsupported type.
    """

    def __init__(self, steps: Sequence[Step], scans: Mapping[str, Sequence[ScanTask]] | None = None) -> None:
        self.steps = tuple(steps)
        self.scans = {name: tuple(tasks) for name, tasks in (scans or {}).items()}
        self._tables = _Tables()
        for step in self.steps:
            self._tables.add(step)

    def step(self, name: str) -> Step:
        """Return the step *name*."""
        return self._tables.steps[name]

    def layout(self, state: str) -> str:
        """Return the step that made the layout of the table after the step *state*."""
        return self._tables.chains[state][0]

    def chain(self, state: str) -> tuple[str, ...]:
        """Return the steps that made the table after *state*: its layout first, then the writers of further columns."""
        return self._tables.chains[state]

    def columns(self, state: str) -> Mapping[str, Column]:
        """Return the columns of the table after *state*, by name."""
        return self._tables.columns[state]

    def schema(self, state: str) -> pa.Schema:
        """Return the schema of the table after *state*."""
        return pa.schema([column.field for column in self.columns(state).values()])

    def input_columns(self, input_: Input) -> tuple[str, ...]:
        """Return the columns that *input_* reads."""
        return tuple(self.columns(input_.step)) if input_.columns is None else input_.columns

    def replaced(self, step: Map | Exchange) -> frozenset[str]:
        """Return the columns that *step* replaces in the table that it writes onto."""
        return self._tables.replaced[step.name]

    def extended(self, steps: Sequence[Step], scans: Mapping[str, Sequence[ScanTask]] | None = None) -> Plan:
        """Return this plan followed by *steps*, with the tasks of the *scans* among them."""
        plan = Plan((), {**self.scans, **(scans or {})})
        plan.steps = (*self.steps, *steps)
        plan._tables = self._tables.copy()
        for step in steps:
            plan._tables.add(step)
        return plan


@dataclass
class _Tables:
    """The steps added so far, and what is known of their tables."""

    steps: dict[str, Step] = field(default_factory=dict)
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    columns: dict[str, dict[str, Column]] = field(default_factory=dict)
    replaced: dict[str, frozenset[str]] = field(default_factory=dict)

    def copy(self) -> _Tables:
        return _Tables(dict(self.steps), dict(self.chains), dict(self.columns), dict(self.replaced))

    def add(self, step: Step) -> None:
        if step.name in self.steps:
            raise WorkError(f"two steps have the name {step.name}")
        self._check(step)
        self.steps[step.name] = step
        onto = step.of if isinstance(step, Map) else step.onto if isinstance(step, Exchange) else None
        if onto is None:
            self.chains[step.name] = (step.name,)
            self.columns[step.name] = {f.name: Column(step.name, f) for f in _layout_schema(self, step)}
            return
        written = [f for f in _written(step) if f.name != PLACE]
        before = self.columns[onto]
        self.chains[step.name] = (*self.chains[onto], step.name)
        self.columns[step.name] = before | {f.name: Column(step.name, f) for f in written}
        self.replaced[step.name] = frozenset(f.name for f in written if f.name in before)

    def _check(self, step: Step) -> None:
        for input_, names in _reads(step):
            if input_ not in self.columns:
                raise WorkError(f"step {step.name} reads {input_}, which is not an earlier step")
            missing = [name for name in names or () if name != PLACE and name not in self.columns[input_]]
            if missing:
                raise WorkError(f"step {step.name} reads {', '.join(missing)}, which {input_} does not have")
        for column in _written(step):
            bad = check_column_type(column.type)
            if bad:
                raise WorkError(
                    f"step {step.name}: the column `{column.name}` has the type {bad}, which is not supported",
                    hint="use bool, int32, int64, float32, float64, string, binary, date32, timestamp[us, UTC], list, "
                    "struct or map",
                )
        if isinstance(step, Map):
            unread = [f.name for f in step.writes if f.name in self.columns[step.of] and f.name not in step.reads]
            if unread:
                raise WorkError(f"step {step.name} replaces {', '.join(unread)} without reading it")


def _layout_schema(tables: _Tables, step: Step) -> pa.Schema:
    if isinstance(step, Repeat):
        return pa.schema([column.field for column in tables.columns[step.start].values()])
    return _written(step)


def _written(step: Step) -> pa.Schema:
    if isinstance(step, Map):
        return step.writes
    return pa.schema([]) if isinstance(step, Repeat) else step.schema


def _reads(step: Step) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    match step:
        case Map():
            yield step.of, step.reads
        case Fold():
            yield step.of, step.reads
        case Exchange():
            yield from ((input_.step, input_.columns) for input_ in step.inputs if input_.side is None)
            yield from ((input_.step, None) for input_ in step.inputs if input_.side is not None)
            yield from ((table, None) for table in step.whole_tables().values())
            if step.onto is not None:
                yield step.onto, None
        case Repeat():
            yield step.start, None
        case Scan():
            return


@dataclass
class Unit:
    """Steps that run together: consecutive maps over one layout, or one other step."""

    steps: list[Step]

    @cached_property
    def name(self) -> str:
        """The name of its first step."""
        return self.steps[0].name


def needs(step: Step) -> set[str]:
    """Return the steps that must be finished when *step* runs, or that run before it in the same unit."""
    found = {name for name, _ in _reads(step)}
    match step:
        case Exchange():
            throughs = [input_.through for input_ in step.inputs if input_.through is not None]
            found |= set(step.asks) | set(step.function.asks())
            found |= {name for through in throughs for name in through.asks()}
        case Map() | Fold() | Scan():
            found |= set(step.function.asks())
        case Repeat():
            inside = {one.name for one in step.steps} | {step.name}
            found |= {name for one in step.steps for name in needs(one)} - inside
    return found


def units(plan: Plan, steps: Sequence[Step]) -> list[Unit]:
    """Group *steps* of *plan* into units, in an executable order. All other steps must be finished.

    A map joins the last unit of maps over its layout if everything else that it needs is finished by then.
    """
    found: list[Unit] = []
    unit_of: dict[str, int] = {}
    last_maps: dict[str, int] = {}
    for step in steps:
        if isinstance(step, Map):
            layout = plan.layout(step.of)
            index = last_maps.get(layout)
            asked = set(step.function.asks())
            places = [(name, unit_of.get(name, -1)) for name in needs(step)]
            if index is not None and all(at < index or (at == index and name not in asked) for name, at in places):
                found[index].steps.append(step)
                unit_of[step.name] = index
                continue
            last_maps[layout] = len(found)
        unit_of[step.name] = len(found)
        found.append(Unit([step]))
    return found
