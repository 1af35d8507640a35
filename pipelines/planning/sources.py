"""The sources of a recipe as a plan sees them, and the interface for acquiring them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.recipes.reading import LoadedRecipe
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import CorpusmillError, DamagedFileError
from corpusmill.schemas.partition import Share
from corpusmill.schemas.raw import CrawlProgress, RawFile, RawManifest
from corpusmill.schemas.recipe import LoadSource, Source
from corpusmill.schemas.storage import Store

OLD_SHARE: Final = 0.9
"""Share of `refresh` after which a source is old."""


class Acquisition(Protocol):
    """Acquires sources. The crawlers implement it, and commands pass it in."""

    @property
    def loaders(self) -> Mapping[str, str]:
        """The table of formats, ``name -> "module:Class"``."""
        ...

    def crawl(
        self,
        source: CrawlSource,
        folder: Path,
        *,
        store: Store,
        progress: Callable[[CrawlProgress], None],
        extend: bool = False,
        base: Path,
        recrawl: bool = False,
        share: Share | None = None,
    ) -> RawManifest:
        """Crawl *source* into *folder*, or go on with it, and publish it in *store*; call *progress* as it goes.

        With *extend*, a finished crawl goes on if only its `max_pages` or `budgets` were raised. Paths in *source*
        start at the folder *base*. With *recrawl*, a new crawl starts from the pages of the finished one, and fetches
        only those that changed. With *share*, only a partition of the hosts is crawled, and the manifest of the whole
        crawl is returned when all partitions are complete.
        """
        ...

    def pages(self, source: CrawlSource, folder: Path) -> int:
        """Return the number of pages that the latest crawl of *source* in *folder* archived, finished or not."""
        ...

    def load(self, source: LoadSource, raw: Store, *, base: Path, copy: bool) -> RawManifest:
        """Register the files of *source*."""
        ...

    def preview(self, source: LoadSource, *, base: Path) -> RawManifest:
        """Return what `load` would register, without reading whole files: the hashes are zeros."""
        ...

    def changed(self, manifest: RawManifest, raw: Store) -> list[RawFile]:
        """Return the files that differ from the manifest."""
        ...

    def new(self, source: LoadSource, manifest: RawManifest, *, base: Path) -> list[str]:
        """Return the names of the files that match *source* now and are not in *manifest*. Reads no file."""
        ...


def source_input(
    loaded: LoadedRecipe, source: Source, manifest: RawManifest, workspace: Workspace, loaders: Mapping[str, str]
) -> SourceInput:
    """Return the plan's input for a source that has been acquired."""
    loader = loaded.loaders.get(source.name)
    params = json.dumps(_crawl_params(source)) if isinstance(source, CrawlSource) else "{}"
    return SourceInput(
        name=source.name,
        manifest=manifest,
        raw=workspace.raw(source.name),
        loader=loaders[manifest.format],
        params=params if loader is None else loader.model_dump_json(),
        license=source.license,
    )


def _crawl_params(source: CrawlSource) -> dict[str, Any]:
    """Return the parameters of the loader of a crawl's archives. Those that are not set are left out."""
    selectors = {"select": source.select, "drop": source.drop}
    return {"respect": source.respect} | {name: value for name, value in selectors.items() if value}


def is_old(manifest: RawManifest, refresh: timedelta | None) -> bool:
    """Return whether a source with this *manifest* is so old that `run` acquires it again: nine tenths of *refresh*.

    With `refresh: 1d`, a job that starts at two every night acquires it every night, also a little earlier than a day
    after the crawl of the night before was started.
    """
    return refresh is not None and datetime.now(UTC) - manifest.created_at >= OLD_SHARE * refresh


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
                hint=_reread_hint(loaded, source),
            )


def _reread_hint(loaded: LoadedRecipe, source: SourceInput) -> str:
    command = f"corpusmill {source.manifest.kind} {loaded.path} --source {source.name}"
    if source.manifest.kind == "crawl":
        return f"`{command} --recrawl` fetches their pages again"
    return f"`{command}` registers the files as they are now"


def new_files_warnings(
    loaded: LoadedRecipe, acquisition: Acquisition, manifests: Mapping[str, RawManifest]
) -> list[str]:
    """Return a warning for each `load` source in *manifests* whose `path` matches files that are not registered.

    Lists folders and reads no file. Says nothing about a source whose files cannot be listed: they may be copies.
    """
    warnings = []
    for source in loaded.recipe.sources:
        if not isinstance(source, LoadSource) or source.name not in manifests:
            continue
        try:
            new = acquisition.new(source, manifests[source.name], base=loaded.path.parent)
        except CorpusmillError:
            continue
        if new:
            what = "new file matches" if len(new) == 1 else "new files match"
            warnings.append(
                f"{len(new):,} {what} `path` of the source `{source.name}` and {'is' if len(new) == 1 else 'are'} not "
                f"registered, such as {new[0]}: run `corpusmill load {loaded.path} --source {source.name}`"
            )
    return warnings
