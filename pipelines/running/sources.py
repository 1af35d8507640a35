"""Acquire the sources of a recipe: crawl or load them if they are missing, unfinished or too old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from corpusmill.pipelines.engines.driver import Observer, Silent
from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.planning.sources import Acquisition
from corpusmill.pipelines.recipes.reading import LoadedRecipe, refuse_other_definition
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.raw import RawManifest, crawl_result
from corpusmill.schemas.recipe import CrawlSource, Source


def acquire(
    loaded: LoadedRecipe,
    source: Source,
    workspace: Workspace,
    acquisition: Acquisition,
    *,
    observer: Observer | None = None,
    force: bool = False,
    copy: bool = False,
) -> RawManifest:
    """Return the raw manifest of *source*; acquire it first if it is missing, unfinished or too old, or with *force*.

    Raises:
        RecipeError: The workspace has a source with this name and another definition.
        UnfinishedError: The source cannot be reached, or another process is acquiring it.
    """
    existing = workspace.raw_manifest(source.name)
    raw = workspace.raw(source.name)
    if existing is not None:
        refuse_other_definition(loaded, source, existing, manifest=raw.address("manifest.json"))
        if not force and existing.finished and not _is_old(existing, source.refresh):
            return existing
    with workspace.lock("source", source.name):
        if isinstance(source, CrawlSource):
            return _crawl(source, workspace, acquisition, observer or Silent())
        return acquisition.load(source, raw, base=loaded.path.parent, copy=copy)


def _crawl(source: CrawlSource, workspace: Workspace, acquisition: Acquisition, observer: Observer) -> RawManifest:
    observer.crawl_started(source.name)
    manifest = acquisition.crawl(
        source,
        workspace.crawl_folder(source.name),
        store=workspace.raw(source.name),
        progress=partial(observer.crawl_advanced, source.name),
    )
    observer.crawl_done(source.name, crawl_result(manifest))
    return manifest


def _is_old(manifest: RawManifest, refresh: timedelta | None) -> bool:
    return refresh is not None and datetime.now(UTC) - manifest.created_at > refresh


def refuse_changed(loaded: LoadedRecipe, acquisition: Acquisition, inputs: Sequence[SourceInput]) -> None:
    """Check that the raw files have not changed since they were registered.

    Raises:
        DamagedFileError: A file changed; the hint has the command that registers the files again.
    """
    for source in inputs:
        changed = acquisition.changed(source.manifest, source.raw)
        if changed:
            raise DamagedFileError(
                f"{len(changed)} of {len(source.manifest.files)} files of the source `{source.name}` changed since "
                "they were loaded",
                file=source.path(changed[0]),
                hint=f"`corpusmill load {loaded.path} --source {source.name}` registers the files as they are now",
            )
