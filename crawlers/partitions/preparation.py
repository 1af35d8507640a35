"""Prepare the crawl of a partition: open its queue, or make a new one if another crawl was published since."""

from __future__ import annotations

import json
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from corpusmill.crawlers.crawl_definition import definition, stored_definition
from corpusmill.crawlers.discovery.seeding import seed
from corpusmill.crawlers.frontier.store import PARTITION, Frontier
from corpusmill.crawlers.job import Job, Limits, open_frontier
from corpusmill.crawlers.partitions.sets import base_of, is_empty, is_set, set_id
from corpusmill.crawlers.preparation import tool
from corpusmill.crawlers.source_values import SourceValues
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.partition import Partition
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import Store

FINISHED: Final = "finished"
PUBLISHED: Final = "published"
"""Names of stored values: whether the queue is empty, and whether the manifest of the partition is published."""
_TOKEN_DIGITS: Final = 8


class PartitionJob(NamedTuple):
    """The crawl of one partition of *source* in the set *set_id*, which replaces the crawl *base*.

    Args:
        job: The crawl, whose folder is in that of the set.
        folder: Name of this folder. It belongs to one queue, so no other machine writes to it.
    """

    source: CrawlSource
    job: Job
    partition: Partition
    set_id: str
    base: str
    folder: str


class Published(NamedTuple):
    """The published crawl, if any, and the folder of the source in which it is published."""

    manifest: RawManifest | None
    store: Store


def queue_path(name: str, raw_dir: Path, partition: Partition) -> Path:
    """Return the path of the queue of a partition of the source *name*; no other source has this name."""
    return raw_dir.parent.parent / "frontier" / f"{name}.{partition.index}-of-{partition.count}.db"


def reported(path: Path, source: CrawlSource, published: RawManifest | None) -> bool:
    """Return whether *published* is the crawl of the queue *path*, and no call has returned it yet.

    Another machine completed this crawl. From the next call on, it is known, and a new crawl starts.
    """
    if published is None or published.partition_set is None or not published.finished or not path.exists():
        return False
    frontier = open_frontier(SourceValues.of(source), path)
    try:
        is_news = frontier.get("set") == published.partition_set and not frontier.get("reported")
        if is_news:
            frontier.remember(reported=1)
        return is_news
    finally:
        frontier.close()


def prepare_partition(
    source: CrawlSource,
    raw_dir: Path,
    path: Path,
    limits: Limits,
    partition: Partition,
    *,
    before: Published,
    folder: Path,
) -> PartitionJob:
    """Open the queue *path* of an unfinished crawl of *partition*, or make a new one.

    Args:
        before: The crawl that the new one replaces.
        folder: Folder from which the paths of lists of URLs start.
    """
    base = base_of(before.manifest)
    frontier = open_frontier(SourceValues.of(source), path)
    if not _is_current(frontier, source, base=base) or is_empty(frontier.get("set"), before.store):
        frontier.close()
        for old in path.parent.glob(f"{path.name}*"):
            old.unlink()
        frontier = _new_queue(source, path, partition, base=base, folder=folder, store=before.store)
    if not frontier.get(FINISHED):
        frontier.retry()
    name = f"{partition.index}-of-{partition.count}-{frontier.get('token')}"
    current, started_at = frontier.get("set"), datetime.fromisoformat(frontier.get("started_at"))
    frontier.close()
    _sweep(raw_dir, partition, published=before.manifest, current=f"{current}/{name}")
    job = Job(
        source=SourceValues.of(source),
        raw_dir=raw_dir / current / name,
        frontier=path,
        first=0,
        tool=tool(),
        started_at=started_at,
        limits=limits,
    )
    job.raw_dir.mkdir(parents=True, exist_ok=True)
    return PartitionJob(source, job, partition, current, base, name)


def _is_current(frontier: Frontier, source: CrawlSource, *, base: str) -> bool:
    """Return whether *frontier* has a crawl of *source* that replaces the crawl *base*."""
    is_same = stored_definition(frontier) == json.loads(definition(source))
    return is_same and frontier.get("set") is not None and frontier.get("base") == base


def _new_queue(
    source: CrawlSource, path: Path, partition: Partition, *, base: str, folder: Path, store: Store
) -> Frontier:
    frontier = open_frontier(SourceValues.of(source), path)
    frontier.remember(**{PARTITION: str(partition)})
    frontier.close()
    frontier = open_frontier(SourceValues.of(source), path)  # now as the queue of a partition
    seed(frontier, source, base=folder)
    frontier.remember(
        **{FINISHED: 0, PUBLISHED: 0, "base": base, "definition": definition(source)},
        started_at=datetime.now(UTC).isoformat(),
        token=uuid.uuid4().hex[:_TOKEN_DIGITS],
        set=set_id(source, partition.count, base=base, folder=folder, store=store),
    )
    return frontier


def _sweep(raw_dir: Path, partition: Partition, *, published: RawManifest | None, current: str) -> None:
    """Remove from *raw_dir* the files of earlier crawls of *partition* on this machine, unless they are published."""
    kept = {current} if published is None else {current, *(file.path.rpartition("/")[0] for file in published.files)}
    for old in raw_dir.glob(f"*/{partition.index}-of-{partition.count}-*"):
        if is_set(old.parent.name) and f"{old.parent.name}/{old.name}" not in kept and old.is_dir():
            shutil.rmtree(old)
