"""Getting sources, as the pipelines ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from corpusmill.crawlers.registry import LOADERS
from corpusmill.schemas.raw import RawFile, RawManifest
from corpusmill.schemas.recipe import CrawlSource, LoadSource


class CrawlersAcquisition:
    """Crawls and loads; what is heavy is imported when it is used."""

    loaders: Mapping[str, str] = LOADERS

    def crawl(self, source: CrawlSource, raw: Path) -> RawManifest:
        """Crawl *source* into the folder *raw*, or go on with it."""
        from corpusmill.crawlers.crawl import crawl

        return crawl(source, raw)

    def load(self, source: LoadSource, raw: Path, *, base: Path, copy: bool) -> RawManifest:
        """Register the files of *source*."""
        from corpusmill.crawlers.load import load

        return load(source, raw, base=base, copy=copy)

    def changed(self, manifest: RawManifest, folder: Path) -> list[RawFile]:
        """Give the files that are not what the manifest says."""
        from corpusmill.crawlers.load import changed_files

        return changed_files(manifest, raw_dir=folder)

    def new(self, source: LoadSource, manifest: RawManifest, *, base: Path) -> list[str]:
        """Give the files that match *source* now and are not in its manifest."""
        from corpusmill.crawlers.load import new_files

        return new_files(source, manifest, base=base)
