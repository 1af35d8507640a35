"""Prepare a crawl: open the queue of the unfinished one, or make a new queue, and number its files."""

from __future__ import annotations

import json
from pathlib import Path

from corpusmill.crawlers.crawl_definition import allows_budget, definition, stored_definition
from corpusmill.crawlers.crawl_files import is_published_in_place, next_number, sweep
from corpusmill.crawlers.frontier.entries import Link
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.job import Job, Limits, tool_name
from corpusmill.crawlers.publication import about, write_manifest
from corpusmill.crawlers.references import resolved_url
from corpusmill.schemas.raw import RawManifest, read_raw_manifest
from corpusmill.schemas.recipe import CrawlSource
from corpusmill.schemas.storage import Store
from corpusmill.schemas.urls import canonical_url


def prepare(source: CrawlSource, raw_dir: Path, path: Path, limits: Limits, store: Store, *, extend: bool) -> Job:
    """Open the queue of the unfinished crawl, or of a new one, and number its files."""
    published = read_raw_manifest(store, source=source.name)
    defined = definition(source)
    frontier = Frontier(path)
    finished = frontier.get("finished")
    if finished == 1 and extend and is_published_in_place(raw_dir, store) and _is_complete(raw_dir, published):
        _reopen(source, frontier)
    elif finished == 0 and allows_budget(source, frontier):
        frontier.remember(definition=defined)
    if frontier.get("finished") != 0 or stored_definition(frontier) != json.loads(defined):
        frontier.close()
        for old in path.parent.glob(f"{path.name}*"):
            old.unlink()
        frontier = Frontier(path)
        frontier.seed(_start(url) for url in source.start_urls)
        frontier.remember(finished=0, definition=defined, first=next_number(source.name, raw_dir, store))
    frontier.retry()
    first = frontier.get("first")
    frontier.close()
    job = Job(source=source, raw_dir=raw_dir, frontier=path, first=first, tool=_tool(), limits=limits)
    sweep(raw_dir, published if is_published_in_place(raw_dir, store) else None, first=first, name=source.name)
    if published is None or not published.finished:
        write_manifest(store, RawManifest(**about(job), finished=False, files=()))
    return job


def _reopen(source: CrawlSource, frontier: Frontier) -> None:
    """Let a finished crawl go on with another budget, in a new file, because a reader may use the published ones."""
    position = frontier.position()
    if position is not None and allows_budget(source, frontier):
        frontier.remember(finished=0, definition=definition(source), next_file=position[0] + 1)


def _is_complete(raw_dir: Path, published: RawManifest | None) -> bool:
    """Return whether *published* is a finished crawl whose files have their size."""
    if published is None or not published.finished:
        return False
    sizes = {path.name: path.stat().st_size for path in raw_dir.glob("*.warc.gz")}
    return all(sizes.get(file.path) == file.size for file in published.files)


def _start(url: str) -> Link:
    key = canonical_url(url)
    return Link(key, resolved_url(url, base=key), depth=0)


def _tool() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return tool_name(version("corpusmill"))
    except PackageNotFoundError:
        return tool_name("0")
