"""From a recipe and its raw files to the steps that every engine can run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa

from corpusmill.pipelines.dataset.shards import WRITTEN, WriteShard
from corpusmill.pipelines.engines.base import Batches, Chain, Counters, Exchange, Function, Input, Map, Step, resolve
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.driver import Plan, RawTask, distribution_versions
from corpusmill.pipelines.stages.apply import Apply
from corpusmill.pipelines.stages.assemble import JOINED, assemble_steps, joined_schema
from corpusmill.pipelines.stages.base import CompareStage, LearnStage, MapStage, Stage
from corpusmill.pipelines.stages.extract import Extract
from corpusmill.pipelines.stages.identity import identity_steps
from corpusmill.pipelines.stages.pii import Pii
from corpusmill.pipelines.stages.read import STAGE as READ
from corpusmill.pipelines.stages.read import Read, raw_row
from corpusmill.schemas.document import CAPTURE, is_signal
from corpusmill.schemas.hashing import fingerprint
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.recipe import Recipe

IDENTITY: Final = "identity"
ASSEMBLE: Final = "assemble"
SHARDS: Final = "shards"
LIMIT: Final = "limit"
_SMALL_BYTES: Final = 2**20
"""A file up to this size is read together with others."""
_BUNDLE_FILES: Final = 32
"""Small files in a task, in the mean."""
_BUNDLE_BYTES: Final = 8 * 2**20


class LoaderValue(Protocol):
    """What the plan asks of a loader."""

    version: int
    depends: tuple[str, ...]
    uses_name: bool

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Give the slices of a file."""
        ...


@dataclass(frozen=True)
class SourceInput:
    """A source that was crawled or loaded.

    Args:
        loader: ``module:Class`` of the loader of its files.
        params: The loader's parameters as JSON.
        folder: Where relative paths of the manifest begin.
    """

    name: str
    manifest: RawManifest
    folder: Path
    loader: str
    params: str
    license: str | None = None

    def path(self, name: str) -> Path:
        """Give the absolute path of a file of the manifest."""
        return self.folder / name


@dataclass(frozen=True)
class CorpusPlan:
    """The steps of a run, and what has to be known to account for them.

    Args:
        laws: Names of the stages in the order in which records meet them, as they are counted.
        compared: Those of them that work on fates, with the step that gives their fates.
    """

    plan: Plan
    laws: tuple[str, ...]
    compared: Mapping[str, str]
    censuses: tuple[str, ...]
    written: str
    schema: pa.Schema
    views: tuple[str, ...]


def build_plan(
    recipe: Recipe,
    stages: Sequence[tuple[str, Stage]],
    sources: Sequence[SourceInput],
    *,
    limit: int | None = None,
) -> CorpusPlan:
    """Give the plan of *recipe* over *sources*.

    Args:
        stages: The recipe's stages as values, by the id that each has in the recipe.
        limit: Take the records with this many smallest ids only.
    """
    return _Builder(recipe, sources, limit).build(stages)


@dataclass
class _Builder:
    """Adds steps one by one; `documents` and `fates` name the steps that hold the current state of the corpus."""

    recipe: Recipe
    sources: Sequence[SourceInput]
    limit: int | None
    steps: list[Step] = field(default_factory=list)
    raw: dict[str, tuple[RawTask, ...]] = field(default_factory=dict)
    laws: list[str] = field(default_factory=lambda: [READ])
    compared: dict[str, str] = field(default_factory=dict)
    censuses: list[str] = field(default_factory=list)
    schema: pa.Schema = CAPTURE
    documents: str = ""
    fates: str | None = None
    assembled: int = 0
    columns: set[str] = field(default_factory=lambda: {*CAPTURE.names, *JOINED.names})

    def build(self, stages: Sequence[tuple[str, Stage]]) -> CorpusPlan:
        left = self._read(list(stages))
        while left:
            if self.fates is not None and all(isinstance(s, MapStage) and s.is_view for _, s in left):
                break
            self._add(*left.pop(0))
        self._assemble(ASSEMBLE)
        for name, stage in left:
            self._add(name, stage)
        self._write([stage for _, stage in stages])
        return CorpusPlan(
            plan=Plan(tuple(self.steps), self.raw),
            laws=tuple(self.laws),
            compared=self.compared,
            censuses=tuple(self.censuses),
            written=SHARDS,
            schema=self.schema,
            views=self._views(),
        )

    def _views(self) -> tuple[str, ...]:
        return tuple(name for name in self.schema.names if name not in self.columns and not is_signal(name))

    def _read(self, stages: list[tuple[str, Stage]]) -> list[tuple[str, Stage]]:
        """Add the step that reads; the first stage, when it looks at one document at a time, runs in it."""
        text_only = not any(isinstance(stage, Extract) for _, stage in stages)
        reader: Function = Read(text_only=text_only)
        if self.limit is not None:
            reader = LimitedRead(text_only=text_only, step=LIMIT)
        tasks = tuple(_raw_tasks(self.sources))
        if self.limit is not None:
            tasks = self._add_limit(tasks, self.limit)
        name, function = READ, reader
        if stages and isinstance(stages[0][1], MapStage) and len(stages[0][1].parts()) == 1:
            name, stage = stages.pop(0)
            assert isinstance(stage, MapStage)
            function = Chain.of(reader, Apply.of(name, stage))
            self._widen(stage)
            self.laws.append(name)
        self.raw[name] = tasks
        self._step(Map(name, (), function, self.schema, stage=name))
        return stages

    def _add_limit(self, tasks: tuple[RawTask, ...], limit: int) -> tuple[RawTask, ...]:
        ids = f"{LIMIT}.ids"
        narrow = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("one", pa.int64(), nullable=False)])
        self.raw[ids] = tasks
        self.steps.append(Map(ids, (), Chain.of(Read(), Ids()), narrow))
        self.steps.append(Exchange(LIMIT, (Input(ids),), "one", ("id",), Smallest(n=limit), narrow, narrow, parts=1))
        of = fingerprint([limit, sorted(fingerprint(task.identity) for task in tasks)])
        return tuple(replace(task, identity=[task.identity, of]) for task in tasks)

    def _step(self, step: Step) -> None:
        self.steps.append(step)
        self.documents = step.name

    def _widen(self, stage: MapStage | LearnStage) -> None:
        for column in stage.adds():
            self.schema = self.schema.append(column)

    def _add(self, name: str, stage: Stage) -> None:
        if isinstance(stage, MapStage):
            self._add_map(name, stage)
        elif isinstance(stage, CompareStage):
            self._add_compare(name, stage)
        elif isinstance(stage, LearnStage):
            self._add_learn(name, stage)
        else:
            raise TypeError(f"stage {name} is neither a MapStage nor a CompareStage nor a LearnStage")

    def _add_map(self, name: str, stage: MapStage) -> None:
        if self.fates is not None:
            self._assemble(f"{ASSEMBLE}_{self.assembled + 1}")
        for suffix, part in stage.parts():
            part_name = f"{name}.{suffix}" if suffix else name
            self._widen(part)
            self.laws.append(part_name)
            function = Apply.of(part_name, part)
            self._step(Map(part_name, (Input(self.documents),), function, self.schema, stage=name))

    def _add_learn(self, name: str, stage: LearnStage) -> None:
        if self.fates is not None:
            self._assemble(f"{ASSEMBLE}_{self.assembled + 1}")
        steps = stage.steps(name, documents=self.documents, schema=self.schema)
        self._widen(stage)
        self.steps += [replace(step, stage=name) for step in steps]
        self.documents = steps[-1].name
        self.laws.append(name)

    def _identity(self) -> None:
        """Add the step that keeps one capture of each document; after the first one it finds nothing more to do."""
        name = f"{IDENTITY}_{self.assembled + 1}" if self.assembled else IDENTITY
        self.steps += identity_steps(name=name, documents=self.documents, clustered=self.assembled > 0)
        self.fates = name
        if name == IDENTITY:
            self.laws.append(name)
            self.compared[name] = name

    def _add_compare(self, name: str, stage: CompareStage) -> None:
        if self.fates is None:
            self._identity()
        assert self.fates is not None
        steps = stage.steps(name, documents=self.documents, fates=self.fates)
        self.steps += [replace(step, stage=name) for step in steps]
        self.fates = steps[-1].name
        self.laws.append(name)
        self.compared[name] = self.fates

    def _assemble(self, name: str) -> None:
        if self.fates is None:
            self._identity()
        assert self.fates is not None
        steps = assemble_steps(
            name,
            documents=self.documents,
            schema=self.schema,
            fates=self.fates,
            shares=self.recipe.split.shares,
            target_bytes=self.recipe.shards.target_bytes,
        )
        self.steps += steps
        self.censuses.append(steps[0].name)
        self.documents, self.fates = name, None
        self.schema = joined_schema(self.schema)
        self.assembled += 1

    def _write(self, stages: Sequence[Stage]) -> None:
        pii = next((stage for stage in stages if isinstance(stage, Pii)), None)
        function = WriteShard(
            census=self.censuses[-1],
            shares=self.recipe.split.shares,
            target_bytes=self.recipe.shards.target_bytes,
            views=self._views(),
            signals=tuple((f.name, str(f.type)) for f in self.schema if is_signal(f.name)),
            mask=None if pii is None else (f"{Pii.__module__}:{Pii.__qualname__}", pii.model_dump_json()),
            paths=_paths(self.sources),
        )
        self._step(Map(SHARDS, (Input(self.documents),), function, WRITTEN, whole=True, stage=SHARDS))


def _paths(sources: Sequence[SourceInput]) -> dict[str, str]:
    """Give the path of each raw file by its hash, and by source, name and hash."""
    files = [(source, file) for source in sources for file in source.manifest.files]
    paths = {file.sha256: str(source.path(file.path)) for source, file in files}
    return paths | {f"{s.name}/{file.name}/{file.sha256}": str(s.path(file.path)) for s, file in files}


@dataclass(frozen=True)
class _Slice:
    """A slice of a raw file: the row that names it, what of it decides the output, and its size in bytes."""

    row: dict[str, Any]
    identity: dict[str, Any]
    size: int
    is_small: bool


def _raw_tasks(sources: Sequence[SourceInput]) -> Iterator[RawTask]:
    """Give the tasks that read *sources*: a slice of a large file each, or a bundle of small files."""
    for source in sources:
        slices = list(_slices(source))
        for piece in slices:
            if not piece.is_small:
                yield RawTask((piece.row,), piece.identity)
        for bundle in bundles([piece for piece in slices if piece.is_small]):
            yield RawTask(tuple(piece.row for piece in bundle), [piece.identity for piece in bundle])


def bundles(slices: list[_Slice]) -> Iterator[list[_Slice]]:
    """Group small files, some `_BUNDLE_FILES` of them, so that a task costs more than its start.

    Files are taken in the order of their hashes, and a bundle ends behind a file whose hash says so: a new file changes
    the one bundle into which it falls, and no other.
    """
    bundle: list[_Slice] = []
    size = 0
    for piece in sorted(slices, key=lambda piece: (piece.row["sha256"], piece.row["name"])):
        bundle.append(piece)
        size += piece.size
        if int(piece.row["sha256"][:8], 16) % _BUNDLE_FILES == 0 or size >= _BUNDLE_BYTES:
            yield bundle
            bundle, size = [], 0
    if bundle:
        yield bundle


def _slices(source: SourceInput) -> Iterator[_Slice]:
    loader: LoaderValue = resolve(source.loader).model_validate_json(source.params)
    identity = {
        "source": source.name,
        "license": source.license,
        "loader": [source.loader, loader.version, json.loads(source.params)],
        "tools": distribution_versions(loader.depends),
    }
    for file in source.manifest.files:
        path = source.path(file.path)
        name = file.name if loader.uses_name else None
        for start, end in loader.slices(str(path)):
            row = raw_row(
                source=source.name,
                path=path,
                name=file.name,
                sha256=file.sha256,
                start=start,
                end=end,
                loader=source.loader,
                params=source.params,
                license=source.license,
            )
            of = {**identity, "file": file.sha256, "slice": [start, end], "name": name}
            yield _Slice(row, of, size=file.size, is_small=file.size <= _SMALL_BYTES)


class Ids(Function):
    """Keeps the ids alone, each once a batch."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                ids = batch["id"].unique()
                yield pa.record_batch({"id": ids, "one": pa.array([1] * len(ids), pa.int64())})

        return run


class Smallest(Function):
    """Finds the *n*-th smallest id: a counter holds it as a number, which the driver hands to `LimitedRead`."""

    n: int

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            seen, last = 0, None
            for batch in batches:
                for value in batch["id"].to_pylist():
                    if value != last and seen < self.n:
                        seen, last = seen + 1, value
            task().count("max_id", int(last, 16) if last else 0)
            yield from ()

        return run


class LimitedRead(Read):
    """Reads the records up to the id that the step *step* found."""

    step: str

    def bound(self, counters: Mapping[str, Counters]) -> LimitedRead:
        return self.model_copy(update={"max_id": f"{counters[self.step].get('max_id', 0):032x}"})


def description(step: Step) -> dict[str, Any]:
    """Give what `plan` tells about *step*."""
    verb = "exchange" if isinstance(step, Exchange) else "map"
    return {"name": step.name, "stage": step.stage, "verb": verb, "inputs": [given.step for given in step.inputs]}
