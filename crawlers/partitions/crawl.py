"""Crawl one partition of a source: its own hosts, with the links that other machines found to them.

The machines share a store and nothing else. Each crawls until its queue is empty, publishes its files and the links to
the hosts of the others, and reads what the others published for it. Who finds that all links were read publishes the
whole crawl.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.job import Limits, open_frontier
from corpusmill.crawlers.launch import Progress, run_process
from corpusmill.crawlers.partitions.completion import complete
from corpusmill.crawlers.partitions.exchange import read_digests, receive_links, write_links
from corpusmill.crawlers.partitions.preparation import (
    FINISHED,
    PUBLISHED,
    PartitionJob,
    Published,
    prepare_partition,
    queue_path,
    reported,
)
from corpusmill.crawlers.partitions.sets import read_manifests, refuse_unsupported
from corpusmill.crawlers.publication import about, finish, write_manifest
from corpusmill.crawlers.rendering.browser import check_browser
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.partition import Partition
from corpusmill.schemas.partition_sets import PartitionManifest, manifest_name, missing
from corpusmill.schemas.raw import RawManifest, read_raw_manifest
from corpusmill.schemas.storage import LocalStore, Store, file_lock

POLL_S: Final = 10.0
"""Time between two looks at what the other partitions have published."""
_LOCK_PATIENCE_S: Final = 5.0


def crawl_partition(
    source: CrawlSource,
    raw_dir: Path,
    partition: Partition,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    base: Path = Path(),
    wait_s: float = 0,
    poll_s: float = POLL_S,
) -> RawManifest:
    """Crawl the hosts of *partition*, and return the manifest of the whole crawl when all partitions are complete.

    Arguments as for `crawl`.

    Args:
        wait_s: How long to wait for the other partitions, in seconds.
        poll_s: Time between two looks at what they have published.

    Raises:
        UsageError: *source* has a limit that no partition can check alone.
        SourceError: No partition could fetch a page, and a retry would not help.
        UnfinishedError: The crawl is not complete: a partition has not finished, or must run again with new links. Or a
            site or the disk is not available. The same call resumes the crawl.
    """
    refuse_unsupported(source, partition)
    if source.render:
        check_browser()
    raw_dir = raw_dir.absolute()
    path = queue_path(source.name, raw_dir, partition)
    place = LocalStore(raw_dir) if store is None else store
    deadline = time.monotonic() + wait_s
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        subject = f"the crawl of partition {partition} of the source `{source.name}`"
        with file_lock(path.with_suffix(".lock"), subject=subject, wait_s=_LOCK_PATIENCE_S) as lock:
            published = read_raw_manifest(place, source=source.name)
            if published is not None and reported(path, source, published):
                return published
            before = Published(published, place)
            part = prepare_partition(source, raw_dir, path, limits, partition, before=before, folder=base)
            if published is None or not published.finished:
                fields = about(part.source, part.job)
                unfinished = RawManifest(**fields, finished=False, files=(), partition_set=part.set_id)
                write_manifest(place, unfinished)
            shared = place.below(part.set_id)
            while reasons := missing(manifests := _advance(part, shared, progress, lock.fileno()), partition.count):
                if time.monotonic() + poll_s > deadline:
                    raise _incomplete(part, reasons)
                time.sleep(poll_s)
            return _complete(part, place, manifests)
    except (OSError, sqlite3.OperationalError) as error:
        hint = "free some space or correct the permissions, then run the same command again to resume"
        raise UnfinishedError(f"crawl of {source.name}: {error}", hint=hint) from error


def _advance(part: PartitionJob, store: Store, progress: Progress | None, lock: int) -> Mapping[int, PartitionManifest]:
    """Crawl and publish until nothing is left to do here; return the manifests of all partitions that have finished.

    Args:
        store: The folder of the set.
        lock: File descriptor of the lock, which the process of the crawl holds as well.
    """
    while True:
        manifests = read_manifests(store, part.partition.count)
        frontier = open_frontier(part.job.source, part.job.frontier)
        try:
            if receive_links(frontier, part.partition, manifests, store):
                _reopen(frontier)
            has_work = frontier.queued > 0
            is_published = frontier.get(PUBLISHED) == 1 and _is_ours(part, manifests)
        finally:
            frontier.close()
        if is_published:
            return manifests
        if has_work:
            run_process(part.job, progress, keep_open=lock)
        _publish(part, store)


def _is_ours(part: PartitionJob, manifests: Mapping[int, PartitionManifest]) -> bool:
    """Return whether the published manifest of the partition is that of this queue, and not of another machine."""
    manifest = manifests.get(part.partition.index)
    return manifest is not None and manifest.folder == part.folder


def _reopen(frontier: Frontier) -> None:
    """Let the crawl go on, in a new archive if earlier ones are published."""
    if frontier.get(FINISHED) == 1 and (position := frontier.position()) is not None:
        frontier.remember(next_file=position[0] + 1)
    frontier.remember(**{FINISHED: 0, PUBLISHED: 0})


def _publish(part: PartitionJob, store: Store) -> None:
    """Publish the files of the partition, then its manifest, which names the links that it knew."""
    job = part.job
    crawl = finish(part.source, job, store.below(part.folder), is_partition=True)
    frontier = open_frontier(job.source, job.frontier)
    try:
        links = write_links(frontier, part.partition, store, folder=part.folder)
        manifest = PartitionManifest(
            index=part.partition.index,
            count=part.partition.count,
            folder=part.folder,
            crawl=crawl,
            links=links,
            read=read_digests(frontier, part.partition),
        )
        store.write(manifest_name(part.partition), manifest.model_dump_json(indent=2) + "\n")
        frontier.remember(**{PUBLISHED: 1})
    finally:
        frontier.close()


def _complete(part: PartitionJob, store: Store, manifests: Mapping[int, PartitionManifest]) -> RawManifest:
    """Publish the whole crawl, and store that this machine knows of it."""
    manifest = complete(store, manifests, set_id=part.set_id, base=part.base)
    reported(part.job.frontier, part.source, manifest)
    return manifest


def _incomplete(part: PartitionJob, reasons: dict[int, str]) -> UnfinishedError:
    count = part.partition.count
    options = " and ".join(f"`--partition {index}/{count}`" for index in reasons)
    return UnfinishedError(
        f"partition {part.partition} of the crawl of `{part.job.source.name}` is finished, but the crawl is not "
        f"complete: {'; '.join(reasons.values())}",
        hint=f"run `corpusmill crawl` with {options}, then the same command again; with `--wait 2h`, it waits for them",
    )
