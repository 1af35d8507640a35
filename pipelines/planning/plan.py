"""Turn a recipe and its raw files into steps that every engine can run.

The steps are, in order: `:read`, or the name of the last stage that needs the captured bytes, which runs in the same
step; `:optouts`, which sets aside pages by the files of their sites; `:gone`, which sets aside pages that a recrawl did
not find any more, if there are any; `:deleted`, which sets aside the records that files of a data set delete; a map, or
several steps, for each stage; `:hash` and `:identity` before the first stage that compares documents; `:leakage`, which
groups similar documents if their split requires it; `:census` and `:join`, which move the documents to their shards;
views; `:shards`, which writes the shards. Names of stages never begin with a colon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from corpusmill.pipelines.dataset.shards import WRITTEN, WriteShard, WriteSide, document_schema, signals_schema
from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.engines.base import (
    PLACE,
    Batches,
    Chain,
    Exchange,
    Fold,
    Function,
    Input,
    Map,
    Scan,
    Step,
    Value,
)
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.planning.contents import contents_of
from corpusmill.pipelines.planning.limit import IDS, LimitedRead, limit_steps
from corpusmill.pipelines.planning.scans import SourceInput, gone_tasks, scan_tasks
from corpusmill.pipelines.planning.version_tables import FindVersion, first_rows, table_scan
from corpusmill.pipelines.stages.apply import Apply, map_step
from corpusmill.pipelines.stages.assemble import (
    FACTS,
    SAMPLE,
    SPLIT,
    RouteSide,
    census_step,
    join_step,
    schema_as_hex,
)
from corpusmill.pipelines.stages.base import Documents, SideTable, Stage, TableInput
from corpusmill.pipelines.stages.gone import DELETED_STAGE, ReadDeletions, ReadGone, gone_steps
from corpusmill.pipelines.stages.identity import LAW as IDENTITY_LAW
from corpusmill.pipelines.stages.identity import hash_step, identity_steps
from corpusmill.pipelines.stages.leakage.check import check_steps
from corpusmill.pipelines.stages.leakage.groups import GroupSteps, Similar, group_steps
from corpusmill.pipelines.stages.optouts.sites import LAW as OPTOUTS_LAW
from corpusmill.pipelines.stages.optouts.sites import site_steps
from corpusmill.pipelines.stages.read import STAGE as READ_LAW
from corpusmill.pipelines.stages.read import Read
from corpusmill.schemas.crawled_pages import GONE_STAGE
from corpusmill.schemas.document import CAPTURE, DOCUMENT, LEDGER, ORIGIN, is_signal
from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.recipe import Recipe, Split
from corpusmill.schemas.selectors import SELECTORS
from corpusmill.schemas.vectors import VECTOR

DEFAULT_NGRAM: Final = 5
"""Words per shingle if no stage compares shingles."""
READ: Final = ":read"
HASH: Final = ":hash"
OPTOUTS: Final = ":optouts"
SITE_FILES: Final = ":optouts.files"
GONE: Final = ":gone"
GONE_PAGES: Final = ":gone.pages"
DELETED: Final = ":deleted"
DELETIONS: Final = ":deleted.records"
IDENTITY: Final = ":identity"
LEAKAGE: Final = ":leakage"
LEAKAGE_KEYS: Final = ":leakage.keys"
LEAKAGE_CHECK: Final = ":leakage.check"
CENSUS: Final = ":census"
JOIN: Final = ":join"
SHARDS: Final = ":shards"
CAPTURED: Final = ("content", "media_type")
"""Columns that are dropped after the last stage that reads them: captured bytes are larger than everything else."""


@dataclass(frozen=True)
class CorpusPlan:
    """The steps of a run, and the information needed to account for every document.

    Args:
        laws: Names of the stages by which documents are counted, in order.
        compared: The names in `laws` of stages that compare documents. Their input is the output of the stage before.
        written: Steps that write files of the version.
        schema: Columns of a shard.
        views: Columns of a shard beyond `DOCUMENT`.
        contents: Hashes of the files and versions that stages read, by ``<stage>.<input>``: the SHA-256 of a file, or
            the id of the version whose table is read.
    """

    plan: Plan
    laws: tuple[str, ...]
    compared: frozenset[str]
    written: tuple[str, ...]
    schema: pa.Schema
    views: tuple[str, ...]
    contents: dict[str, str] = field(default_factory=dict)


def _no_version(name: str | None) -> None:
    """Return None for every version, for plans without a workspace."""


def build_plan(
    recipe: Recipe,
    stages: Sequence[tuple[str, Stage]],
    sources: Sequence[SourceInput],
    *,
    limit: int | None = None,
    find_version: FindVersion = _no_version,
    base: Path | None = None,
    has_vectors: bool = False,
) -> CorpusPlan:
    """Return the plan of *recipe* over *sources*.

    Args:
        stages: The recipe's stages as values, by the id that each has in the recipe.
        limit: Keep only the records with this many smallest ids.
        find_version: Looks up the versions whose tables stages read.
        base: The recipe's folder, to which the files of stages are relative; None: the working directory.
        has_vectors: Whether a source of the recipe that is not among *sources* yet has embeddings.

    Raises:
        RecipeError: A stage reads a column that no earlier stage adds, or a table that a version does not have.
        UsageError: A version that a stage names does not exist.
    """
    return _Builder(recipe, sources, limit, find_version, base or Path.cwd(), has_vectors).build(stages)


@dataclass
class _Builder:
    """Adds steps one by one. `state` is the step whose table currently holds the documents."""

    recipe: Recipe
    sources: Sequence[SourceInput]
    limit: int | None
    find_version: FindVersion
    base: Path
    has_vectors: bool
    plan: Plan = field(default_factory=lambda: Plan(()))
    state: str = ""
    laws: list[str] = field(default_factory=lambda: [READ_LAW])
    compared: set[str] = field(default_factory=set)
    added: list[pa.Field] = field(default_factory=list)
    created: list[Input] = field(default_factory=list)
    published: list[tuple[str, str, str, SideTable]] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    hashes: int = 0
    is_hashed: bool = False
    has_identity: bool = False

    def build(self, stages: Sequence[tuple[str, Stage]]) -> CorpusPlan:
        if self.recipe.incremental:
            stages = [(name, stage.for_incremental()) for name, stage in stages]
        left = self._read(_flattened(stages))
        self._opt_out()
        self._leave_out_gone()
        self._leave_out_deleted()
        views: list[_Part] = []
        while left and left[-1].stage.is_view:
            views.insert(0, left.pop())
        for part in left:
            self._add(part)
        self._join(similar_of(self.recipe.split, [stage for _, stage in stages]))
        for part in views:
            self._add(part)
        written = self._write([stage for _, stage in stages if stage.masks])
        columns = tuple(f.name for f in self.added if not is_signal(f.name))
        return CorpusPlan(
            plan=self.plan,
            laws=tuple(self.laws),
            compared=frozenset(self.compared),
            written=written,
            schema=document_schema(self.plan.schema(self.state), columns),
            views=columns,
            contents=self.contents,
        )

    def _steps(self, steps: Sequence[Step], *, stage: str | None = None, basis: Any = None) -> None:
        self.plan = self.plan.extended([replace(step, stage=stage, basis=basis) for step in steps])

    def _documents(self) -> Documents:
        sources = tuple(source.name for source in self.recipe.sources)
        return Documents(self.state, self.plan.schema(self.state), sources=sources)

    # -- reading

    def _read(self, parts: list[_Part]) -> list[_Part]:
        """Add the scan, including the stages that need the captured bytes. Return the other stages."""
        readers = [index for index, part in enumerate(parts) if set(CAPTURED) & set(part.stage.reads())]
        apart = [index for index, part in enumerate(parts) if _needs_steps_of_its_own(part.stage)]
        inside = max(readers, default=-1) + 1
        if apart and apart[0] < inside:
            inside = 0  # the bytes stay, because documents are compared before extraction
        text_only = not any("content" in part.stage.reads() for part in parts)
        functions: list[Value] = [LimitedRead(text_only=text_only) if self.limit else Read(text_only=text_only)]
        schema = CAPTURE
        for part in parts[:inside]:
            step = map_step(part.name, part.stage, Documents("", schema))
            functions.append(Apply.of(part.name, part.stage))
            schema = pa.schema([*schema, *(f for f in step.writes if f.name not in schema.names)])
            self.laws.append(part.name)
            self.added += part.stage.adds()
        needed = {name for part in parts[inside:] for name in part.stage.reads()}
        needed |= {"optouts"} if self._judged_by_site() else set()
        needed -= set() if self._has_vectors() else {VECTOR}
        dropped = tuple(name for name in (*CAPTURED, SELECTORS, "optouts", VECTOR) if name not in needed)
        schema = pa.schema([f for f in schema if f.name not in dropped])
        name = parts[inside - 1].name if inside else READ
        scan = Scan(name=name, function=Chain.of(*functions, Keep(columns=tuple(schema.names))), schema=schema)
        tasks = tuple(scan_tasks(self.sources))
        self.plan = Plan((), {name: tasks, IDS: tasks} if self.limit else {name: tasks})
        if self.limit:
            self._steps(limit_steps(self.limit))
        self._steps([scan], basis=[part.stage.basis() for part in parts[:inside]] or None)
        self.state = name
        return parts[inside:]

    def _has_vectors(self) -> bool:
        """Return whether the recipe names the field of embeddings of a source."""
        return self.has_vectors or any(source.loader_value().has_vectors for source in self.sources)

    def _judged_by_site(self) -> list[SourceInput]:
        """Return the sources whose pages are judged by the files of their sites."""
        loaders = [(source, source.loader_value()) for source in self.sources]
        return [source for source, loader in loaders if loader.site_policy is not None and loader.respected]

    def _opt_out(self) -> None:
        """Add the steps that set aside pages by the files of their sites, if a source can have such files."""
        sources = self._judged_by_site()
        if not sources:
            return
        loaders = {source.name: source.loader_value() for source in sources}
        scan, *steps = site_steps(
            OPTOUTS,
            of=self.state,
            scan=SITE_FILES,
            policy=next(loader.site_policy for loader in loaders.values() if loader.site_policy is not None),
            respected={name: loader.respected for name, loader in loaders.items()},
        )
        self.plan = self.plan.extended([scan], {SITE_FILES: tuple(scan_tasks(sources))})
        self._steps(steps)
        self.state = OPTOUTS
        self.laws.append(OPTOUTS_LAW)
        self.compared.add(OPTOUTS_LAW)

    def _leave_out_gone(self) -> None:
        """Add the steps that set aside the documents of pages that are gone, if a crawl has such pages."""
        tasks = tuple(gone_tasks(self.sources))
        if not tasks:
            return
        scan, *steps = gone_steps(GONE, of=self.state, scan=GONE_PAGES, reads=ReadGone(), law=GONE_STAGE)
        self.plan = self.plan.extended([scan], {GONE_PAGES: tasks})
        self._steps(steps)
        self.state = GONE
        self.laws.append(GONE_STAGE)
        self.compared.add(GONE_STAGE)

    def _leave_out_deleted(self) -> None:
        """Add the steps that set aside the records that files of a source delete, if its format has such files."""
        sources = [source for source in self.sources if source.loader_value().has_deletions]
        if not sources:
            return
        scan, *steps = gone_steps(DELETED, of=self.state, scan=DELETIONS, reads=ReadDeletions(), law=DELETED_STAGE)
        self.plan = self.plan.extended([scan], {DELETIONS: tuple(scan_tasks(sources))})
        self._steps(steps)
        self.state = DELETED
        self.laws.append(DELETED_STAGE)
        self.compared.add(DELETED_STAGE)

    # -- stages

    def _add(self, part: _Part) -> None:
        stage, name = part.stage, part.name
        own: tuple[Step, ...] = ()
        if _is_comparing(stage):
            documents = self._compared_documents(stage)
            own = stage.steps(name, replace(documents, tables=self._tables(part)))
        if not own:
            self._refuse_missing(part)
            self._refuse_tables(part)
            own = (map_step(name, stage, self._documents()),)
        contents = tuple(contents_of(name, stage, base=self.base))
        self.contents |= {f"{name}.{content.name}": content.sha256 for content in contents}
        own = tuple(replace(step, contents=contents) if step.name == name else step for step in own)
        self._steps(own, stage=part.owner, basis=stage.basis())
        self.state = own[-1].name
        self.added += [f for f in stage.adds() if f.name in self.plan.columns(self.state)]
        self.laws.append(name)
        if any(isinstance(step, Exchange) and step.name == name for step in own):
            self.compared.add(name)
        if "text" in stage.changes():
            self.is_hashed = False
        for step in own:
            if isinstance(step, Map):
                self._note_sides(name, stage, step)

    def _tables(self, part: _Part) -> dict[str, str]:
        """Add scans of the tables that a stage reads. Return their step names by the names of the inputs."""
        tables = {}
        for input_ in part.stage.inputs():
            if isinstance(input_, TableInput):
                version = self.find_version(input_.version)
                if input_.kind.startswith("."):
                    input_ = replace(input_, kind=f"{part.name}{input_.kind}")
                if input_.is_optional and (version is None or not version.stored(input_.kind)):
                    continue
                if version is not None:
                    _refuse_table(part, input_, version)
                scan, tasks = table_scan(f"{part.name}.{input_.name}", input_, version)
                self.plan = self.plan.extended([replace(scan, stage=part.owner)], {scan.name: tasks})
                tables[input_.name] = scan.name
                if version is not None:
                    self.contents[scan.name] = version.manifest.version
        return tables

    def _note_sides(self, name: str, stage: Stage, step: Map) -> None:
        """Register the side tables of a step that go into the ledger or the version."""
        for side in step.sides:
            table = stage.sides().get(side) or _side_of(step, side)
            if table.is_ledger:
                self.created.append(Input(step.name, side=side))
            if table.is_published:
                self.published.append((name, step.name, side, table))

    def _compared_documents(self, stage: Stage) -> Documents:
        """Return the documents for a stage that compares them: with hashes, and with one capture of each document."""
        if "content_hash" in stage.reads():
            self._identity()
            self._hash()
        elif not stage.changes():
            self._identity()
        return self._documents()

    def _hash(self) -> None:
        """Add the step that hashes texts, if texts may have changed since the last hash."""
        if self.is_hashed:
            return
        self.hashes += 1
        name = HASH if self.hashes == 1 else f"{HASH}_{self.hashes}"
        self._steps([hash_step(name, of=self.state, is_first=self.hashes == 1)])
        self.state, self.is_hashed = name, True

    def _identity(self) -> None:
        """Add the steps that keep one capture of each document, unless they were added before."""
        if self.has_identity:
            return
        self._hash()
        self._steps(identity_steps(IDENTITY, of=self.state))
        self.state, self.has_identity = IDENTITY, True
        self.laws.append(IDENTITY_LAW)
        self.compared.add(IDENTITY_LAW)

    def _refuse_missing(self, part: _Part) -> None:
        there = self.plan.columns(self.state)
        missing = [name for name in (*part.stage.reads(), *part.stage.changes()) if name not in there]
        if missing:
            raise RecipeError(
                f"stage `{part.name}` reads the column `{missing[0]}`, which no earlier stage adds",
                hint=f"available columns: {', '.join(sorted(there))}",
            )

    def _refuse_tables(self, part: _Part) -> None:
        tables = [input_.name for input_ in part.stage.inputs() if isinstance(input_, TableInput)]
        if tables:
            raise RecipeError(
                f"stage `{part.name}` reads the version table `{tables[0]}`, but has no `steps` to do so",
                hint="implement `steps` in the stage: `documents.tables` names the step of each table",
            )

    # -- shards

    def _join(self, similar: Similar | None) -> None:
        self._identity()
        self._hash()
        groups = None if similar is None else self._group(similar)
        there = self.plan.columns(self.state)
        shares, target = self.recipe.split.shares, self.recipe.shards.target_bytes
        by = self.recipe.split.by
        self._steps([census_step(CENSUS, of=self.state, columns=tuple(there), shares=shares, by=by)])
        if groups is not None:
            self._steps(check_steps(LEAKAGE_CHECK, census=CENSUS, pairs=groups.pairs))
        made = (*FACTS.names, SAMPLE.name)
        wanted = (*DOCUMENT.names, *LEDGER.names, *ORIGIN.names, *(f.name for f in self.added))
        names = [name for name in dict.fromkeys(wanted) if name not in made]
        known = self.plan.schema(CENSUS)
        fields = [known.field(n) if n in known.names else DOCUMENT.field(n).with_nullable(True) for n in names]
        absent = {f.name for f in fields if f.name not in known.names}
        join = join_step(
            JOIN,
            of=CENSUS,
            documents=pa.schema(fields),
            absent=absent,
            census=CENSUS,
            shares=shares,
            target_bytes=target,
            is_clustered="cluster_id" in there,
            created=self.created,
        )
        self._steps([join])
        self.state = JOIN

    def _group(self, similar: Similar) -> GroupSteps:
        """Add the steps that group similar documents."""
        groups = group_steps(LEAKAGE, of=self.state, similar=similar)
        self._steps(groups.steps)
        self.state = LEAKAGE
        return groups

    def _write(self, maskers: Sequence[Stage]) -> tuple[str, ...]:
        shares, target = self.recipe.split.shares, self.recipe.shards.target_bytes
        schema = self.plan.schema(self.state)
        views = tuple(f.name for f in self.added if not is_signal(f.name))
        signals = [f for f in self.added if is_signal(f.name)]
        function = WriteShard(
            census=CENSUS,
            shares=shares,
            target_bytes=target,
            shard=schema_as_hex(document_schema(schema, views)),
            signals=schema_as_hex(signals_schema(pa.schema([f.with_nullable(True) for f in signals]))),
            masks=_masks(maskers),
        )
        basis = [stage.basis() for stage in maskers]
        fold = Fold(name=SHARDS, of=self.state, function=function, schema=WRITTEN, partitions=function.pieces_of_shard)
        self._steps([fold], basis=basis)
        return (SHARDS, *(self._write_side(*side, maskers) for side in self.published))

    def _write_side(self, stage: str, step: str, side: str, table: SideTable, maskers: Sequence[Stage]) -> str:
        """Add the steps that sort a published side table of a *stage* by id and write it."""
        kind = f"{stage}.{side}"
        routed, written = f"{SHARDS}.{kind}.sorted", f"{SHARDS}.{kind}"
        moved = pa.schema([*table.schema, pa.field(":partition", pa.int64(), nullable=False)])
        shares, target = self.recipe.split.shares, self.recipe.shards.target_bytes
        route = RouteSide(census=CENSUS, shares=shares, target_bytes=target)
        sortable = [f.name for f in table.schema if _sorts(f.type) and f.name not in table.may_be_null]
        order = tuple(dict.fromkeys(("id", *table.order, *sortable)))
        exchange = Exchange(
            name=routed,
            inputs=(Input(step, side=side, through=route),),
            by=":partition",
            order=order,
            function=Keep(columns=tuple(table.schema.names)),
            moved=moved,
            schema=table.schema,
            partitions=route.files_of,
            placement="value",
            asks=(CENSUS,),
        )
        columns = schema_as_hex(table.schema)
        maskers = maskers if table.samples else ()
        function = WriteSide(
            kind=kind,
            columns=columns,
            samples=table.samples,
            masks=_masks(maskers),
            census=CENSUS,
            shares=shares,
            target_bytes=target,
        )
        basis = [stage.basis() for stage in maskers] or None
        self._steps([exchange])
        self._steps([Fold(name=written, of=routed, function=function, schema=WRITTEN)], basis=basis)
        return written


@dataclass(frozen=True)
class _Part:
    """A stage or sub-stage, with its name in the plan."""

    name: str
    owner: str
    stage: Stage


def similar_of(split: Split, stages: Sequence[Stage]) -> Similar | None:
    """Return which documents *split* must not separate; None if no two documents are left that it could.

    No two documents are similar if a stage has compared them at this similarity, and no later stage changes texts.
    """
    if split.by != "cluster" or split.similarity is None:
        return None
    ngram, kept_below = DEFAULT_NGRAM, float("inf")
    for stage in stages:
        if any("text" in part.changes() for _, part in stage.sub_stages()):
            kept_below = float("inf")
        if (words := stage.shingle_words()) is not None:
            ngram, kept_below = words, min(kept_below, stage.kept_below() or float("inf"))
    return None if kept_below <= split.similarity else Similar(split.similarity, ngram)


def _flattened(stages: Sequence[tuple[str, Stage]]) -> list[_Part]:
    return [
        _Part(f"{name}.{suffix}" if suffix else name, name, inner)
        for name, stage in stages
        for suffix, inner in stage.sub_stages()
    ]


def _is_comparing(stage: Stage) -> bool:
    """Return whether the stage has its own steps, because it looks at more than one document."""
    return type(stage).steps is not Stage.steps


def _needs_steps_of_its_own(stage: Stage) -> bool:
    """Return whether the stage cannot run in the scan, which has no side tables and no inputs by content."""
    return _is_comparing(stage) or bool(stage.sides()) or bool(stage.inputs())


def _refuse_table(part: _Part, table: TableInput, version: Version) -> None:
    """Refuse a table that the stage cannot use.

    Raises:
        RecipeError: The stage says so. `field` is the id of the stage.
    """
    rows = first_rows(table, version)
    if rows and (problem := part.stage.table_problem(table.name, rows[0])) is not None:
        message, hint = problem
        problem_there = f"stage `{part.name}` cannot read `{table.kind}` of {version.name}: {message}"
        raise RecipeError(problem_there, field=part.owner, hint=hint)


def _side_of(step: Map, side: str) -> SideTable:
    """Return what the stage of a map declares about the side table *side*."""
    assert isinstance(step.function, Apply)
    return step.function.value().sides()[side]


def _masks(maskers: Sequence[Stage]) -> tuple[tuple[str, str], ...]:
    """Return the stages *maskers* as parameters of a function."""
    return tuple((_place(stage), stage.model_dump_json()) for stage in maskers)


def _place(stage: Stage) -> str:
    return f"{type(stage).__module__}:{type(stage).__qualname__}"


def _sorts(kind: pa.DataType) -> bool:
    """Return whether rows can be sorted by a column of this type."""
    return not (pa.types.is_nested(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind))


class Keep(Function):
    """Keeps only the columns *columns*."""

    columns: tuple[str, ...]

    def build(self) -> Any:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                yield batch.select(list(self.columns))

        return run


def description(step: Step) -> dict[str, Any]:
    """Return the description of *step* for `plan`."""
    return {"name": step.name, "stage": step.stage, "verb": type(step).__name__.lower()}


__all__ = ["PLACE", "SPLIT", "CorpusPlan", "ScanTask", "SourceInput", "build_plan", "description"]
