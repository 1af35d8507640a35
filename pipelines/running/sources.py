"""Acquire the sources of a recipe: crawl or load them if they are missing, unfinished or too old."""

from __future__ import annotations

from functools import partial

from corpusmill.pipelines.engines.driver import Observer, Silent
from corpusmill.pipelines.planning.definitions import check_definition
from corpusmill.pipelines.planning.sources import Acquisition, is_old
from corpusmill.pipelines.recipes.reading import LoadedRecipe
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import RecipeError, SourceError, UnfinishedError
from corpusmill.schemas.partition import Share
from corpusmill.schemas.raw import RawManifest, crawl_result
from corpusmill.schemas.recipe import Source


def acquire(
    loaded: LoadedRecipe,
    source: Source,
    workspace: Workspace,
    acquisition: Acquisition,
    *,
    observer: Observer | None = None,
    force: bool = False,
    copy: bool = False,
    recrawl: bool = False,
    share: Share | None = None,
) -> RawManifest:
    """Return the raw manifest of *source*; acquire it first if it is missing, unfinished, too old or defined otherwise.

    With *force*, it is always acquired. A crawl that is too old is recrawled, and with *recrawl* any crawl. If files
    were registered as copies, those of a new definition are copied too. With *share*, one partition of a crawl is
    acquired. A source that is crawled in partitions is acquired only with *force*, however old it is, because several
    machines do it.

    Raises:
        RecipeError: The definition of the source changed, and `check_definition` does not allow it.
        UnfinishedError: The source cannot be reached, or another process is acquiring it.
    """
    existing = workspace.raw_manifest(source.name)
    observer = observer or Silent()
    is_current = False
    if existing is not None:
        change = check_definition(loaded, source, existing, workspace, acquisition, is_requested=force)
        is_current = not force and not is_old(existing, source.refresh)
        if is_current and existing.finished and change is None:
            return existing
        if existing.partition_set is not None and not force:
            return _partitioned(loaded, source, existing, change)
        if change is not None:
            again = "" if isinstance(source, CrawlSource) else "; its files are registered again"
            observer.source_changed(source.name, f"{change}{again}")
            copy = copy or (not force and not all(file.is_in_place for file in existing.files))
    lock = source.name if share is None else f"{source.name}.{share.partition.index}-of-{share.partition.count}"
    with workspace.lock("source", lock):
        if isinstance(source, CrawlSource):
            is_old_crawl = existing is not None and not force
            return _crawl(
                loaded,
                source,
                workspace,
                acquisition,
                observer,
                extend=is_current,
                recrawl=recrawl or is_old_crawl,
                share=share,
            )
        return acquisition.load(source, workspace.raw(source.name), base=loaded.path.parent, copy=copy)


def _partitioned(loaded: LoadedRecipe, source: Source, existing: RawManifest, change: str | None) -> RawManifest:
    """Return the manifest of a source that several machines crawl, if it is complete and has the same definition."""
    if existing.finished and change is None:
        return existing
    problem = change or "not all of its partitions are complete"
    command = f"corpusmill crawl {loaded.path} --source {source.name}"
    raise UnfinishedError(
        f"the source `{source.name}` is crawled in partitions: {problem}",
        hint=f"run `{command} --partition I/N` on each machine; without `--partition`, this machine crawls all of it",
    )


def _locate(error: RecipeError | SourceError, loaded: LoadedRecipe, source: Source) -> None:
    """Give *error*, which names a field of *source*, the place of the field in the recipe."""
    if error.field is not None and error.file is None:
        place = (*loaded.place_of_source(source.name), source.kind, error.field)
        found = loaded.error(error.message, place)
        error.file, error.line, error.field = found.file, found.line, found.field


def _crawl(
    loaded: LoadedRecipe,
    source: CrawlSource,
    workspace: Workspace,
    acquisition: Acquisition,
    observer: Observer,
    *,
    extend: bool,
    recrawl: bool,
    share: Share | None,
) -> RawManifest:
    observer.crawl_started(source.name)
    try:
        manifest = acquisition.crawl(
            source,
            workspace.crawl_folder(source.name),
            store=workspace.raw(source.name),
            progress=partial(observer.crawl_advanced, source.name),
            extend=extend,
            base=loaded.path.parent,
            recrawl=recrawl,
            share=share,
        )
    except (RecipeError, SourceError) as error:
        _locate(error, loaded, source)
        raise
    observer.crawl_done(source.name, crawl_result(manifest))
    return manifest
