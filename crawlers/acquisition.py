"""Implement the pipelines' interface for acquiring sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from corpusmill.crawlers.registry import LOADERS
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.partition import Share
from corpusmill.schemas.raw import CrawlProgress, RawFile, RawManifest
from corpusmill.schemas.recipe import LoadSource
from corpusmill.schemas.storage import Store


class CrawlersAcquisition:
    """Crawls and loads. Heavy modules are imported when they are used."""

    loaders: Mapping[str, str] = LOADERS

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
        """Crawl *source* into *folder*, or resume the crawl, and publish it in *store*."""
        if share is not None:
            from corpusmill.crawlers.partitions.crawl import crawl_partition

            return crawl_partition(
                source, folder, share.partition, store=store, progress=progress, base=base, wait_s=share.wait_s
            )

        from corpusmill.crawlers.crawl import crawl

        return crawl(source, folder, store=store, progress=progress, extend=extend, base=base, recrawl=recrawl)

    def pages(self, source: CrawlSource, folder: Path) -> int:
        """Return the number of pages that the latest crawl of *source* in *folder* archived."""
        from corpusmill.crawlers.crawl import archived_pages

        return archived_pages(source.name, folder)

    def load(self, source: LoadSource, raw: Store, *, base: Path, copy: bool) -> RawManifest:
        """Register the files of *source*."""
        from corpusmill.crawlers.load import load

        return load(source, raw, base=base, copy=copy)

    def preview(self, source: LoadSource, *, base: Path) -> RawManifest:
        """Return what `load` would register, without reading whole files."""
        from corpusmill.crawlers.load import preview

        return preview(source, base=base)

    def changed(self, manifest: RawManifest, raw: Store) -> list[RawFile]:
        """Return the files that differ from the manifest."""
        from corpusmill.crawlers.load import changed_files

        return changed_files(manifest, raw=raw)

    def new(self, source: LoadSource, manifest: RawManifest, *, base: Path) -> list[str]:
        """Return the files that match *source* now and are not in its manifest."""
        from corpusmill.crawlers.load import new_files

        return new_files(source, manifest, base=base)
