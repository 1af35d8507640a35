"""Explain what a run would do: each step with its fingerprint, whether it is stored, and why not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from corpusmill.pipelines.engines.addresses import fingerprints, work_of
from corpusmill.pipelines.engines.base import Scan, Step, resolve
from corpusmill.pipelines.engines.plan import needs
from corpusmill.pipelines.engines.store import TaskStore
from corpusmill.pipelines.planning.definitions import check_definition
from corpusmill.pipelines.planning.estimate import DiskEstimate, estimate_disk
from corpusmill.pipelines.planning.loaded import dataset_name, planned
from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.planning.sources import Acquisition, is_old, new_files_warnings, refuse_changed, source_input
from corpusmill.pipelines.recipes.reading import LoadedRecipe
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.recipe import LoadSource

_RECORD_BYTES: Final = 3_000
"""Mean size of a record of text, for estimates."""


def explain_plan(
    recipe: str | Path, *, workspace: Workspace, acquisition: Acquisition, limit: int | None = None
) -> dict[str, Any]:
    """Return the output of ``plan --json``.

    A source whose definition changed is planned as one that was not acquired yet.

    Row counts of steps that are not stored are estimates: those of the last run, or the number of records in the files.

    Raises:
        RecipeError: The definition of a source changed, and `run` would refuse it.
        DamagedFileError: Files changed since they were registered, and `run` would refuse them.
    """
    loaded = read_recipe(recipe, workspace, acquisition)
    known_manifests = {source.name: workspace.raw_manifest(source.name) for source in loaded.recipe.sources}
    changes = {
        source.name: change
        for source in loaded.recipe.sources
        if (raw := known_manifests[source.name]) is not None
        and (change := check_definition(loaded, source, raw, workspace, acquisition)) is not None
    }
    manifests = {name: None if name in changes else manifest for name, manifest in known_manifests.items()}
    inputs = [
        source_input(loaded, source, manifest, workspace, acquisition.loaders)
        for source in loaded.recipe.sources
        if (manifest := manifests[source.name]) is not None
    ]
    current = [entry for entry in inputs if not is_old(entry.manifest, loaded.recipe.source(entry.name).refresh)]
    refuse_changed(loaded, acquisition, current)
    plan = planned(loaded, inputs, workspace, limit=limit)
    known = fingerprints(plan.plan)
    dataset = dataset_name(loaded, limit=limit)
    before, is_finished = _last_steps(workspace, dataset)
    store = workspace.tasks
    disk = _estimated(loaded, inputs, workspace, acquisition, limit=limit)
    steps: list[dict[str, Any]] = []
    records = sum(map(estimated_records, inputs)) or None
    for step in plan.plan.steps:
        row = _planned_step(
            step,
            known[step.name],
            before,
            store,
            {row["name"]: row for row in steps},
            is_finished=is_finished,
            changed_sources=tuple(changes),
        )
        if isinstance(step, Scan) and step.stage is None and row["rows"] is not None:
            records = row["rows"]
        steps.append({**row, "rows": records if row["rows"] is None else row["rows"]})
    return {
        "dataset": dataset,
        "steps": steps,
        "documents": None if disk.read is None else {"read": disk.read, "compared": disk.compared},
        "disk_bytes": disk.peak_bytes,
        "disk_kept_bytes": disk.kept_bytes,
        "sources_missing": [name for name, manifest in known_manifests.items() if manifest is None],
        "sources_changed": changes,
        "sources_due": sorted({entry.name for entry in inputs} - {entry.name for entry in current}),
        "warnings": new_files_warnings(loaded, acquisition, {entry.name: entry.manifest for entry in current}),
        "sources_not_estimated": [
            source.name
            for source in loaded.recipe.sources
            if manifests[source.name] is None and not isinstance(source, LoadSource)
        ],
    }


def _estimated(
    loaded: LoadedRecipe,
    inputs: Sequence[SourceInput],
    workspace: Workspace,
    acquisition: Acquisition,
    *,
    limit: int | None,
) -> DiskEstimate:
    """Estimate documents and disk; files that are not registered yet are listed for it."""
    known = {source.name for source in inputs}
    listed = [
        source_input(
            loaded, source, acquisition.preview(source, base=loaded.path.parent), workspace, acquisition.loaders
        )
        for source in loaded.recipe.sources
        if isinstance(source, LoadSource) and source.name not in known
    ]
    every = [*inputs, *listed]
    return estimate_disk(planned(loaded, every, workspace, limit=limit), every, workspace.tasks, limit=limit)


def estimated_records(source: SourceInput) -> int:
    """Estimate the records of an acquired source: pages of a crawl, files if each is one document, else by size."""
    manifest = source.manifest
    if manifest.kind == "crawl":
        return manifest.counts.get("pages", 0)
    if "records" in manifest.counts:
        return manifest.counts["records"]
    if resolve(source.loader).uses_name:
        return len(manifest.files)
    return max(1, sum(file.size for file in manifest.files) // _RECORD_BYTES)


def _last_steps(workspace: Workspace, dataset: str) -> tuple[dict[str, str], bool]:
    """Return the fingerprints of the steps of the last run that began to compute, and whether it published."""
    for run in workspace.runs(dataset):
        if run["steps"]:
            return {step["name"]: step["fingerprint"] for step in run["steps"]}, run["version"] is not None
    return {}, False


def _planned_step(
    step: Step,
    fingerprint: str,
    before: Mapping[str, str],
    store: TaskStore,
    earlier: Mapping[str, Mapping[str, Any]],
    *,
    is_finished: bool,
    changed_sources: Sequence[str],
) -> dict[str, Any]:
    """Return whether *step* would run and why. *earlier* has the answers for the steps before it, by name."""
    there = store.read_step(fingerprint)
    changed = [name for name in earlier if name in needs(step) and not earlier[name]["cached"]]
    old = before.get(step.name)
    manifest = store.manifest(fingerprint if there is not None else old or "")
    if there is not None:
        reason = "computed before"
    elif changed:
        reason = f"its input {changed[0]} changes" if old else f"its input {changed[0]} is not computed yet"
    elif isinstance(step, Scan) and changed_sources:
        reason = f"the definition of {', '.join(f'`{name}`' for name in changed_sources)} changed"
    elif old is None:
        reason = "not computed yet"
    elif old == fingerprint:
        reason = "its output was removed" if is_finished else "the last run did not finish it"
    else:
        reason = _difference(step, manifest)
    return {
        "name": step.name,
        "fingerprint": fingerprint,
        "cached": there is not None,
        "reason": reason,
        "rows": manifest.get("rows"),
    }


def _difference(step: Step, manifest: Mapping[str, Any]) -> str:
    """Describe what has changed since *manifest* was written: parameters, version, libraries or input files."""
    old, new = manifest.get("work"), json.loads(json.dumps(work_of(step)))
    if old is None:
        return "its earlier output was removed"
    if old == new:
        return "its files changed" if isinstance(step, Scan) else "the way its input is read changed"
    names = sorted(_changed_names("", old, new))
    return f"changed: {', '.join(names[:4])}"


def _changed_names(prefix: str, old: Any, new: Any) -> set[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return {
            name
            for key in old.keys() | new.keys()
            if old.get(key) != new.get(key)
            for name in _changed_names(f"{prefix}.{key}" if prefix else key, old.get(key), new.get(key))
        }
    return {prefix.removeprefix("work.").removeprefix("params.").removeprefix("params.") or "function"}
