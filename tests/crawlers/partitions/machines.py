"""Machines that crawl partitions of one source, each with its own workspace, and a store that they share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType

from corpusmill.crawlers.partitions.crawl import crawl_partition
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.partition import Partition
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import LocalStore, Store
from tests.crawlers.sites import CONTACT, QUICK, SITE_FILES, Answer, Site, page, serve

HOSTS = ("127.0.0.7", "127.0.0.4", "127.0.0.6")
"""Hosts of the partitions 1, 2 and 3 of 3, and 1, 2 and 2 of 2."""


@contextmanager
def linked_sites() -> Iterator[tuple[Site, Site, Site]]:
    """Serve three sites whose pages are found only by going back and forth between them.

    One has pages of every kind: redirects to another site, links that are not followed, and links out of scope.
    """
    with ExitStack() as stack:
        a, b, c = (stack.enter_context(serve({}, host=host)) for host in HOSTS)
        a.answers |= {
            "/": page("/a1", f"{b.url}/b1", "http://192.0.2.1/out", text="start"),
            "/a1": page("/", f"{c.url}/old", text="one"),
            "/a2": page(f"{b.url}/b2", f"{c.url}/c1", text="two"),
            "/robots.txt": Answer("User-agent: *\nDisallow: /private/\n", headers={"Content-Type": "text/plain"}),
        }
        b.answers |= {
            "/b1": page(f"{a.url}/a2", f"{a.url}/private/x", "http://192.0.2.1/out", text="three"),
            "/b2": page(f"{c.url}/c2", f"{c.url}/gone", text="four"),
        }
        c.answers |= {
            "/c1": page(text="five", head='<meta name="robots" content="nofollow">'),
            "/c2": page(f"{a.url}/a1", f"{b.url}/b1", "http://[broken", text="six"),
            "/old": Answer(status=301, headers={"Location": f"{b.url}/new"}),
        }
        b.answers["/new"] = page(text="seven")
        yield a, b, c


@contextmanager
def two_sites() -> Iterator[tuple[Site, Site]]:
    """Serve a site of partition 1/2, and one of 2/2 to which it links."""
    with serve({}, host=HOSTS[0]) as a, serve({"/b": page(text="two")}, host=HOSTS[1]) as b:
        a.answers["/"] = page(f"{b.url}/b", text="one")
        yield a, b


def source_of(*sites: Site, **options: Any) -> CrawlSource:
    """Return a source that starts at the first of *sites*, and has all of them in its scope."""
    scope = [f"{site.url}/sitemap.xml" for site in sites[1:]]
    defaults = {"name": "site", "contact": CONTACT, "delay": 0.0, "allow_private": True, "max_pages": None}
    starts = (f"{sites[0].url}/",)
    return CrawlSource(**{**defaults, "start_urls": starts, "sitemaps": tuple(scope) or None, **options})


class Machine:
    """A machine with its own workspace in *folder*."""

    def __init__(self, folder: Path, store: Store, partition: str) -> None:
        self.raw_dir = folder / partition.replace("/", "-of-") / "raw" / "site"
        self.partition = Partition.parse(partition)
        self.store = store

    def crawl(self, source: CrawlSource, **options: Any) -> RawManifest | str:
        """Crawl the partition; return the manifest of the complete crawl, or why it is not complete."""
        try:
            return crawl_partition(source, self.raw_dir, self.partition, store=self.store, limits=QUICK, **options)
        except UnfinishedError as error:
            return f"{error.message}; hint: {error.hint}"


def machines(folder: Path, count: int) -> list[Machine]:
    """Return *count* machines that share a store."""
    store = LocalStore(folder / "shared")
    return [Machine(folder, store, f"{index}/{count}") for index in range(1, count + 1)]


def crawl_in_turn(source: CrawlSource, group: list[Machine], *, rounds: int = 9) -> RawManifest:
    """Run the machines in turn until the crawl is complete."""
    for _ in range(rounds):
        for machine in group:
            result = machine.crawl(source)
            if isinstance(result, RawManifest):
                return result
    raise AssertionError(f"not complete after {rounds} rounds: {result}")


def responses(store: Store, manifest: RawManifest) -> list[tuple[str, int]]:
    """Return URL and status of each response in the archives of *manifest*, sorted, without `SITE_FILES`.

    Each process of a crawl requests these files once.
    """
    found: list[tuple[str, int]] = []
    for file in manifest.files:
        with store.fetched(file.path) as path, path.open("rb") as archive:
            records = ArchiveIterator(archive, record_types=WarcRecordType.response)
            found += [(record.headers["WARC-Target-URI"], record.http_headers.status_code) for record in records]
    return sorted((url, status) for url, status in found if f"/{url.split('/', 3)[3]}" not in SITE_FILES)


def outcome(store: Store, manifest: RawManifest) -> tuple[object, ...]:
    """Return what must not depend on the machines: responses, refused URLs, and counts without those of requests."""
    counts = {name: n for name, n in manifest.counts.items() if name not in {"requests", "responses", "robots"}}
    return responses(store, manifest), refused(store, manifest), counts


def refused(store: Store, manifest: RawManifest) -> list[tuple[str, str]]:
    """Return URL and rule of each row of the ledgers of *manifest*, sorted."""
    rows = [row for name in manifest.ledger for row in pq.read_table(store.open(name)).to_pylist()]
    return sorted((row["url"], row["rule"]) for row in rows)
