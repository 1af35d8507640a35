"""What a plan has to know of the sources of a recipe, and who gets them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.recipes.reading import LoadedRecipe
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.raw import RawFile, RawManifest
from corpusmill.schemas.recipe import CrawlSource, LoadSource, Source
from corpusmill.schemas.storage import Store


class Acquisition(Protocol):
    """How sources are got; the crawlers give it, and the command hands it in."""

    loaders: Mapping[str, str]

    def crawl(self, source: CrawlSource, folder: Path, *, store: Store) -> RawManifest:
        """Crawl *source* into *folder*, or go on with it, and publish it in *store*."""
        ...

    def load(self, source: LoadSource, raw: Store, *, base: Path, copy: bool) -> RawManifest:
        """Register the files of *source*."""
        ...

    def changed(self, manifest: RawManifest, raw: Store) -> list[RawFile]:
        """Give the files that are not what the manifest says."""
        ...


def source_input(
    loaded: LoadedRecipe, source: Source, manifest: RawManifest, workspace: Workspace, loaders: Mapping[str, str]
) -> SourceInput:
    """Give what the plan has to know of a source that was got."""
    loader = loaded.loaders.get(source.name)
    return SourceInput(
        name=source.name,
        manifest=manifest,
        raw=workspace.raw(source.name),
        loader=loaders[manifest.format],
        params="{}" if loader is None else loader.model_dump_json(),
        license=getattr(source, "license", None),
    )
