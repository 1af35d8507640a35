"""Sites that a test crawls, changes, and crawls again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.job import Limits
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.sites import QUICK, SITE_FILES, Answer, Site, page, source_of

NIGHT = datetime(2026, 11, 30, 2, tzinfo=UTC)


def tagged(answer: Answer, **headers: str) -> Answer:
    """Return *answer* with an `ETag` that follows from its body, and further headers."""
    body = answer.body.encode() if isinstance(answer.body, str) else answer.body
    return replace(answer, headers={**answer.headers, "ETag": f'"{sha256(body).hexdigest()[:8]}"', **headers})


def articles(*names: str) -> dict[str, Answer]:
    """Return a start page that links to the pages *names*, and these pages, all of them with an `ETag`."""
    pages = {f"/{name}": tagged(page(text=f"This is the page {name} of a small site.")) for name in names}
    return {"/": tagged(page(*pages, text="All pages.")), **pages}


class Nights:
    """A source that is crawled on the first night, and recrawled on each night after it."""

    def __init__(self, site: Site, raw_dir: Path, **options: Any) -> None:
        self.site = site
        self.raw_dir = raw_dir
        self.options = options
        self.night = 0
        self.limits: Limits = QUICK

    def crawl(self, *, nights: int = 1, recrawl: bool = True) -> RawManifest:
        """Crawl the site, *nights* after the night before."""
        self._asked = len(self.site.seen)
        self.night += nights
        now = NIGHT + timedelta(days=self.night)
        source = source_of(self.site, **self.options)
        return crawl(source, self.raw_dir, limits=self.limits, recrawl=recrawl, now=now)

    @property
    def requests(self) -> dict[str, dict[str, str]]:
        """The requests of the latest night: conditions by path, without the files of the site."""
        latest = zip(self.site.paths[self._asked :], self.site.headers[self._asked :], strict=True)
        return {
            path: {name: value for name, value in headers.items() if name.startswith("If-")}
            for path, headers in latest
            if path not in SITE_FILES
        }


def records(folder: Path, kind: WarcRecordType, *, number: int) -> list[dict[str, str]]:
    """Return the headers of the records of a *kind* in archive *number*."""
    with (folder / f"site-{number:05d}.warc.gz").open("rb") as file:
        return [dict(record.headers.items()) for record in ArchiveIterator(file, record_types=kind)]


def gone(folder: Path, manifest: RawManifest) -> dict[str, str]:
    """Return the rules of the pages that are gone, by path."""
    rows = [row for file in manifest.gone for row in pq.read_table(folder / file.path).to_pylist()]
    return {"/" + row["url"].split("/", 3)[3]: row["rule"] for row in rows}
