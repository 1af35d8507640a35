"""Getting the sources of a recipe: crawled or loaded when they are missing, unfinished or too old."""

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
    """Give the raw manifest of *source*; get it first where there is none, it is unfinished or too old, or by *force*.

    Raises:
        RecipeError: The workspace holds another source under this name.
        UnfinishedError: The source cannot be reached, or another process gets it.
    """
    there = workspace.raw_manifest(source.name)
    raw = workspace.raw(source.name)
    if there is not None:
        refuse_other_definition(loaded, source, there, manifest=raw.address("manifest.json"))
        if not force and there.finished and not _is_old(there, source.refresh):
            return there
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
    """Check that the raw files are what they were when they were registered.

    Raises:
        DamagedFileError: One changed; the hint says how to register what is there now.
    """
    for source in inputs:
        changed = acquisition.changed(source.manifest, source.raw)
        if changed:
            raise DamagedFileError(
                f"{len(changed)} of {len(source.manifest.files)} files of the source `{source.name}` changed since "
                "they were loaded",
                file=source.path(changed[0]),
                hint=f"`corpusmill load {loaded.path} --source {source.name}` registers what is there now",
            )
