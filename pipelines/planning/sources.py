"""The sources of a recipe as a plan sees them, and the interface for acquiring them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.recipes.reading import LoadedRecipe
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.raw import CrawlProgress, RawFile, RawManifest
from corpusmill.schemas.recipe import CrawlSource, LoadSource, Source
from corpusmill.schemas.storage import Store


class Acquisition(Protocol):
    """Acquires sources. The crawlers implement it, and commands pass it in."""

    loaders: Mapping[str, str]

    def crawl(
        self, source: CrawlSource, folder: Path, *, store: Store, progress: Callable[[CrawlProgress], None]
    ) -> RawManifest:
        """Crawl *source* into *folder*, or go on with it, and publish it in *store*; call *progress* as it goes."""
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


def source_input(
    loaded: LoadedRecipe, source: Source, manifest: RawManifest, workspace: Workspace, loaders: Mapping[str, str]
) -> SourceInput:
    """Return the plan's input for a source that has been acquired."""
    loader = loaded.loaders.get(source.name)
    return SourceInput(
        name=source.name,
        manifest=manifest,
        raw=workspace.raw(source.name),
        loader=loaders[manifest.format],
        params="{}" if loader is None else loader.model_dump_json(),
        license=getattr(source, "license", None),
    )
