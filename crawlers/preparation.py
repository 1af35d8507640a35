"""Prepare a crawl: open the queue of the unfinished one, or make the queue of a new crawl or of a recrawl."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from corpusmill.crawlers.crawl_definition import allows_budget, definition, is_same_crawl, stored_definition
from corpusmill.crawlers.crawl_files import is_published_in_place, next_number, sweep
from corpusmill.crawlers.discovery.seeding import seed
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.job import Job, Limits, open_frontier, tool_name
from corpusmill.crawlers.publication import about, sweep_elsewhere, write_manifest
from corpusmill.crawlers.recrawl.captures import microseconds
from corpusmill.crawlers.recrawl.known import KnownPages
from corpusmill.crawlers.recrawl.seeding import seed_recrawl
from corpusmill.crawlers.source_values import SourceValues
from corpusmill.crawlers.warc import archive_name
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.raw import RawManifest, read_raw_manifest
from corpusmill.schemas.storage import Store


def published_already(
    source: CrawlSource, raw_dir: Path, path: Path, store: Store, *, extend: bool, recrawl: bool
) -> RawManifest | None:
    """Return the manifest of the crawl in the queue if it was killed after its publication; None for any other.

    Its archives must not grow any more, because their hashes are published. With *recrawl*, or if it is to go on with
    another budget, the result is None as well: the crawl is finished, and the next one starts from it.
    """
    published = read_raw_manifest(store, source=source.name)
    if published is None or not path.exists():
        return None
    frontier = open_frontier(SourceValues.of(source), path)
    try:
        if frontier.get("finished") != 0 or not _is_published(source, frontier, published):
            return None
        frontier.remember(finished=1)
        is_other = stored_definition(frontier) != json.loads(definition(source))
        first = frontier.get("first")
    finally:
        frontier.close()
    sweep(raw_dir, published, first=first, name=source.name)
    sweep_elsewhere(raw_dir, store, published)
    return None if recrawl or extend or is_other else published


def prepare(
    source: CrawlSource,
    raw_dir: Path,
    path: Path,
    limits: Limits,
    store: Store,
    *,
    extend: bool,
    base: Path,
    recrawl: bool,
    now: datetime | None,
) -> Job:
    """Open the queue of the unfinished crawl, or of a new one, and number its files."""
    published = read_raw_manifest(store, source=source.name)
    defined = definition(source)
    frontier = open_frontier(SourceValues.of(source), path)
    finished = frontier.get("finished")
    if finished == 1 and extend and is_published_in_place(raw_dir, store) and _is_complete(raw_dir, published):
        _reopen(source, frontier)
    elif finished == 0 and allows_budget(source, frontier):
        _take_budgets(frontier, defined)
    if frontier.get("finished") != 0 or stored_definition(frontier) != json.loads(defined):
        frontier.close()
        for old in path.parent.glob(f"{path.name}*"):
            old.unlink()
        parent = published if recrawl and published is not None and can_recrawl(source, published) else None
        frontier = _new_queue(source, path, store, parent, base=base, now=now or datetime.now(UTC))
        frontier.remember(finished=0, definition=defined, first=next_number(source.name, raw_dir, store))
    frontier.retry()
    job = _job(source, raw_dir, path, limits, frontier)
    frontier.close()
    sweep(raw_dir, published if is_published_in_place(raw_dir, store) else None, first=job.first, name=source.name)
    store.remove_drafts()
    if published is None or not published.finished:
        write_manifest(store, RawManifest(**about(source, job), finished=False, files=()))
    return job


def _is_published(source: CrawlSource, frontier: Frontier, published: RawManifest) -> bool:
    """Return whether *published* is the crawl of *frontier*; if it was extended, the extended one."""
    if not published.finished or frontier.get("started_at") != published.created_at.isoformat():
        return False
    next_file = frontier.get("next_file")
    return not next_file or archive_name(source.name, next_file) in {file.path for file in published.files}


def can_recrawl(source: CrawlSource, published: RawManifest) -> bool:
    """Return whether a recrawl of *source* can start from the *published* crawl: it is finished, and the same crawl."""
    return published.finished and bool(published.pages) and is_same_crawl(source, published)


def _new_queue(
    source: CrawlSource, path: Path, store: Store, parent: RawManifest | None, *, base: Path, now: datetime
) -> Frontier:
    """Make the queue of a crawl from what *source* names, or of a recrawl of *parent*."""
    known = KnownPages()
    frontier = open_frontier(SourceValues.of(source), path, companions=(known,))
    if parent is None:
        seed(frontier, source, base=base)
    else:
        seed_recrawl(frontier, known, source=source, base=base, raw=store, published=parent, now=microseconds(now))
    frontier.remember(started_at=now.isoformat(), generation=0 if parent is None else parent.generation + 1)
    return frontier


def _job(source: CrawlSource, raw_dir: Path, path: Path, limits: Limits, frontier: Frontier) -> Job:
    started_at = frontier.get("started_at")
    return Job(
        source=SourceValues.of(source),
        raw_dir=raw_dir,
        frontier=path,
        first=frontier.get("first"),
        tool=tool(),
        # The queue of an earlier version has no time.
        started_at=datetime.now(UTC) if started_at is None else datetime.fromisoformat(started_at),
        generation=frontier.get("generation") or 0,
        limits=limits,
    )


def _reopen(source: CrawlSource, frontier: Frontier) -> None:
    """Let a finished crawl go on with another budget, in a new file, because a reader may use the published ones."""
    position = frontier.position()
    if position is not None and allows_budget(source, frontier):
        frontier.remember(finished=0, next_file=position[0] + 1)
        _take_budgets(frontier, definition(source))


def _take_budgets(frontier: Frontier, defined: str) -> None:
    """Store the definition, and queue what did not fit into the queue before if its budgets are higher."""
    if frontier.get("definition") != defined:
        frontier.retry_cut()
    frontier.remember(definition=defined)


def _is_complete(raw_dir: Path, published: RawManifest | None) -> bool:
    """Return whether *published* is a finished crawl whose files have their size."""
    if published is None or not published.finished:
        return False
    sizes = {path.name: path.stat().st_size for path in raw_dir.glob("*.warc.gz")}
    return all(sizes.get(file.path) == file.size for file in published.files)


def tool() -> str:
    """Return the product of the user agent, with the version of this distribution."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return tool_name(version("corpusmill"))
    except PackageNotFoundError:
        return tool_name("0")
