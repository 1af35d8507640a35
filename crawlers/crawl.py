"""Crawl a source into its raw folder: archives, a ledger of refused pages, and a manifest, which is written last.

The files of a crawl are numbered after those of the previous crawl. They replace these when the manifest is replaced,
so a reader never sees half a crawl.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.crawlers.frontier.refusal import UNREACHABLE
from corpusmill.crawlers.frontier.statistics import crawl_statistics
from corpusmill.crawlers.frontier.store import Frontier, Link
from corpusmill.crawlers.job import Job, Limits, tool_name
from corpusmill.crawlers.references import resolved_url
from corpusmill.crawlers.warc import archive_name
from corpusmill.schemas.document import RAW_LEDGER
from corpusmill.schemas.errors import CorpusmillError, SourceError, UnfinishedError, WorkError
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.interrupts import held_interrupts
from corpusmill.schemas.raw import CrawlProgress, RawFile, RawManifest, read_raw_manifest
from corpusmill.schemas.recipe import CrawlSource
from corpusmill.schemas.storage import LocalStore, Store, appearing, file_lock
from corpusmill.schemas.urls import canonical_url

Progress = Callable[[CrawlProgress], None]

MANIFEST: Final = "manifest.json"
_LEDGER_ROWS: Final = 16_384
_LOCK_PATIENCE_S: Final = 5.0
"""Time to wait for the lock: a crawl whose parent was killed needs a moment to end."""
_NOT_THE_CRAWL: Final = frozenset(("name", "contact", "delay", "refresh", "respect"))
"""Fields of a source that may change during a crawl, because they do not affect what is fetched."""


def crawl(
    source: CrawlSource,
    raw_dir: Path,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    extend: bool = False,
) -> RawManifest:
    """Crawl *source* into *raw_dir* (``raw/<source>/`` of a workspace), or resume an unfinished crawl.

    After a finished crawl, a new one starts. A killed crawl resumes without losing or repeating a page. If only
    `max_pages` changed, and is not below the number of pages, it resumes with the new budget.

    Args:
        source: The source.
        raw_dir: Folder for the archives and the ledger. The queue is in ``frontier/`` of the workspace.
        store: Where they are published; by default *raw_dir*. With another store, *raw_dir* is empty after the crawl.
        progress: Called a few times per second.
        limits: Limits on responses and retries.
        extend: Whether a finished crawl also goes on in this way, with the URLs that its budget left in the queue.

    Raises:
        SourceError: No page could be fetched from the start pages, and a retry would not help.
        DamagedFileError: The existing manifest cannot be read.
        UnfinishedError: The site or the disk is not available, or another process crawls the source. The same call
            resumes the crawl.
    """
    raw_dir = raw_dir.absolute()
    path = _frontier_path(source.name, raw_dir)
    try:
        raw_dir.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        subject = f"the crawl of the source `{source.name}`"
        with file_lock(path.with_suffix(".lock"), subject=subject, wait_s=_LOCK_PATIENCE_S) as lock:
            published = LocalStore(raw_dir) if store is None else store
            job = _prepare(source, raw_dir, path, limits, published, extend=extend)
            _run_process(job, progress, keep_open=lock.fileno())
            return _finish(job, published)
    except (OSError, sqlite3.OperationalError) as error:
        hint = "free some space or correct the permissions, then run the same command again to resume"
        raise UnfinishedError(f"crawl of {source.name}: {error}", hint=hint) from error


def archived_pages(name: str, raw_dir: Path) -> int:
    """Return the number of pages that the latest crawl of the source *name* archived, finished or not."""
    path = _frontier_path(name, raw_dir)
    if not path.exists():
        return 0
    frontier = Frontier(path)
    try:
        return frontier.pages
    finally:
        frontier.close()


def _frontier_path(name: str, raw_dir: Path) -> Path:
    return raw_dir.parent.parent / "frontier" / f"{name}.db"


# -- preparation


def _prepare(source: CrawlSource, raw_dir: Path, path: Path, limits: Limits, store: Store, *, extend: bool) -> Job:
    """Open the queue of the unfinished crawl, or of a new one, and number its files."""
    published = read_raw_manifest(store, source=source.name)
    definition = _definition(source)
    frontier = Frontier(path)
    finished = frontier.get("finished")
    if finished == 1 and extend and _is_same(raw_dir, store) and _is_complete(raw_dir, published):
        _reopen(source, frontier)
    elif finished == 0 and _allows_budget(source, frontier):
        frontier.remember(definition=definition)
    if frontier.get("finished") != 0 or _defined(frontier) != json.loads(definition):
        frontier.close()
        for old in path.parent.glob(f"{path.name}*"):
            old.unlink()
        frontier = Frontier(path)
        frontier.seed(_start(url) for url in source.start_urls)
        frontier.remember(finished=0, definition=definition, first=_next_number(source.name, raw_dir, store))
    frontier.retry()
    first = frontier.get("first")
    frontier.close()
    job = Job(source=source, raw_dir=raw_dir, frontier=path, first=first, tool=_tool(), limits=limits)
    _sweep(raw_dir, published if _is_same(raw_dir, store) else None, first=first, name=source.name)
    if published is None or not published.finished:
        _write_manifest(store, RawManifest(**_about(job), finished=False, files=()))
    return job


def _allows_budget(source: CrawlSource, frontier: Frontier) -> bool:
    """Return whether the crawl of *frontier* differs from *source* in `max_pages` alone, and has no page too many."""
    is_same = _defined(frontier) | {"max_pages": source.max_pages} == json.loads(_definition(source))
    return is_same and (source.max_pages is None or frontier.pages <= source.max_pages)


def _reopen(source: CrawlSource, frontier: Frontier) -> None:
    """Let a finished crawl go on with another budget, in a new file, because a reader may use the published ones."""
    position = frontier.position()
    if position is not None and _allows_budget(source, frontier):
        frontier.remember(finished=0, definition=_definition(source), next_file=position[0] + 1)


def _is_complete(raw_dir: Path, published: RawManifest | None) -> bool:
    """Return whether *published* is a finished crawl whose files have their size."""
    if published is None or not published.finished:
        return False
    sizes = {path.name: path.stat().st_size for path in raw_dir.glob("*.warc.gz")}
    return all(sizes.get(file.path) == file.size for file in published.files)


def _start(url: str) -> Link:
    key = canonical_url(url)
    return Link(key, resolved_url(url, base=key), depth=0)


def _definition(source: CrawlSource) -> str:
    return json.dumps(source.model_dump(mode="json", exclude=set(_NOT_THE_CRAWL)), sort_keys=True)


def _defined(frontier: Frontier) -> dict[str, Any]:
    """Return the definition of the crawl of *frontier*, which an earlier version may have stored with more fields."""
    stored: dict[str, Any] = json.loads(frontier.get("definition") or "{}")
    return {name: value for name, value in stored.items() if name not in _NOT_THE_CRAWL}


def _tool() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return tool_name(version("corpusmill"))
    except PackageNotFoundError:
        return tool_name("0")


def _is_same(raw_dir: Path, store: Store) -> bool:
    """Return whether the archives are published in the folder in which they are written."""
    return store.path() == raw_dir


def _next_number(name: str, raw_dir: Path, store: Store) -> int:
    """Return the first number after those of the existing and the published files."""
    names = {entry.key for place in (LocalStore(raw_dir), store) for entry in place.files()}
    files = [file for file in names if re.fullmatch(rf"{re.escape(name)}-\d+\.warc\.gz|ledger-\d+\.parquet", file)]
    return max((int(file.split(".")[0].rpartition("-")[2]) for file in files), default=-1) + 1


def _sweep(raw_dir: Path, published: RawManifest | None, *, first: int, name: str) -> None:
    """Remove files that belong neither to the published manifest nor to the running crawl."""
    kept = {file.path for file in published.files} | set(published.ledger) if published else set()
    for path in (*raw_dir.glob(f"{name}-*.warc.gz"), *raw_dir.glob("ledger-*.parquet"), *raw_dir.glob("*.tmp")):
        if path.name not in kept and (path.suffix == ".tmp" or path.name < _first_names(name, first)[path.suffix]):
            path.unlink()


def _first_names(name: str, first: int) -> dict[str, str]:
    return {".gz": archive_name(name, first), ".parquet": _ledger_name(first)}


def _ledger_name(number: int) -> str:
    return f"ledger-{number:05d}.parquet"


# -- the process


def _run_process(job: Job, progress: Progress | None, *, keep_open: int) -> None:
    """Run Scrapy in a separate process, because its event loop cannot be started twice in a process."""
    root = str(Path(__file__).absolute().parent.parent.parent)
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
    with held_interrupts():  # otherwise the process prints a traceback if interrupted while it imports Scrapy
        process = subprocess.Popen(
            [sys.executable, "-m", "corpusmill.crawlers.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
            pass_fds=(keep_open,),
            text=True,
        )
    assert process.stdin is not None, "Popen opened a pipe"
    assert process.stdout is not None, "Popen opened a pipe"
    with process:
        try:
            process.stdin.write(job.to_json() + "\n")
            process.stdin.flush()
            last = _listen(process.stdout, progress)
        finally:
            # The process ends when its stdin does; `with` waits for it.
            process.stdin.close()
    _check(job, last, process.returncode)


def _listen(lines: Iterator[str], progress: Progress | None) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for line in lines:
        last = json.loads(line)
        if progress is not None and "progress" in last:
            progress(CrawlProgress(**last["progress"]))
        if "finished" in last or "error" in last:
            break
    return last


def _check(job: Job, last: dict[str, Any], code: int) -> None:
    again = "run the same command again to resume"
    if "error" in last:
        message = f"crawl of {job.source.name}: {last['error']['message']}"
        kinds: dict[str, type[CorpusmillError]] = {"unfinished": UnfinishedError, "work": WorkError}
        raise kinds[last["error"]["kind"]](message, hint=again)
    if "finished" not in last:
        raise UnfinishedError(f"crawl of {job.source.name}: its process ended with code {code}", hint=again)


# -- publication


def _finish(job: Job, store: Store) -> RawManifest:
    """Publish a crawl whose queue is empty, the manifest last, then remove the files of the previous crawl."""
    frontier = Frontier(job.frontier)
    try:
        _check_pages(job, frontier)
        manifest = RawManifest(
            **_about(job),
            finished=True,
            files=tuple(_raw_file(path) for path in _archives(job)),
            counts=frontier.counts(),
            ledger=(_write_ledger(job, frontier).name,),
            statistics=crawl_statistics(job.frontier, frontier),
        )
        if not _is_same(job.raw_dir, store):
            _send(job, store, manifest)
            marks = store.marks()
            files = tuple(file.model_copy(update={"mark": marks.get(file.path)}) for file in manifest.files)
            manifest = manifest.model_copy(update={"files": files})
        _write_manifest(store, manifest)
        frontier.remember(finished=1)
    finally:
        frontier.close()
    _sweep(job.raw_dir, manifest, first=job.first, name=job.source.name)
    if not _is_same(job.raw_dir, store):
        _sweep_elsewhere(job, store, manifest)
    return manifest


def _names(manifest: RawManifest) -> list[str]:
    return [*(file.path for file in manifest.files), *manifest.ledger]


def _send(job: Job, store: Store, manifest: RawManifest) -> None:
    """Copy the files of a finished crawl to *store*, except those that an earlier call copied."""
    sizes = {entry.key: entry.size for entry in store.files()}
    for name in _names(manifest):
        path = job.raw_dir / name
        if sizes.get(name) != path.stat().st_size:
            store.put(path, name)


def _sweep_elsewhere(job: Job, store: Store, manifest: RawManifest) -> None:
    """Remove the files of earlier crawls from *store*, and the copied files from *raw_dir*."""
    kept = {*_names(manifest), MANIFEST}
    store.remove(*(entry.key for entry in store.files() if entry.key not in kept))
    LocalStore(job.raw_dir).remove(*_names(manifest))


def _check_pages(job: Job, frontier: Frontier) -> None:
    """Raise if the crawl fetched no page, or if a host stopped answering."""
    start = job.source.start_urls[0]
    budget = job.source.max_pages
    if frontier.queued and (budget is None or frontier.pages < budget):
        hint = "run the same command to resume when the host is available again"
        hosts = ", ".join(frontier.waiting_hosts)
        raise UnfinishedError(f"{hosts} stopped answering; {frontier.queued} pages are queued", hint=hint)
    if frontier.pages:
        return
    seen = {rule: message for _, _, _, rule, message, _ in frontier.ledger()}
    why = "; ".join(f"{rule} ({message})" if message else rule for rule, message in sorted(seen.items())) or "no page"
    frontier.remember(finished=1)
    if any(rule in UNREACHABLE or rule.startswith("http.5") or rule == "http.429" for rule in seen):
        hint = f"check that {start} can be reached from this machine, then run the same command again"
        raise UnfinishedError(f"crawl of {job.source.name}: nothing could be fetched: {why}", hint=hint)
    hint = "set `allow_private: true` if this address is intended" if "address.private" in seen else _hint(seen)
    raise SourceError(f"crawl of {job.source.name}: nothing could be fetched: {why}", hint=hint)


def _hint(seen: dict[str, str | None]) -> str:
    if "robots.disallowed" in seen:
        return "the site does not permit it; ask its owner, or choose other start_urls"
    if "scope.offsite" in seen:
        return "the start page redirects to another host; use that host in start_urls"
    return "correct start_urls"


def _archives(job: Job) -> list[Path]:
    first = archive_name(job.source.name, job.first)
    return sorted(path for path in job.raw_dir.glob(f"{job.source.name}-*.warc.gz") if path.name >= first)


def _raw_file(path: Path) -> RawFile:
    return RawFile(path=path.name, name=path.name, size=path.stat().st_size, sha256=file_sha256(path))


def _write_ledger(job: Job, frontier: Frontier) -> Path:
    path = job.raw_dir / _ledger_name(job.first)
    rows = (
        {
            **{"url": url, "source": job.source.name, "stage": "crawl", "rule": rule, "message": message},
            **{"referrer": referrer, "depth": depth, "at": at},
        }
        for url, referrer, depth, rule, message, at in frontier.ledger()
    )
    with appearing(path) as draft, pq.ParquetWriter(draft, RAW_LEDGER, compression="zstd") as writer:
        while part := list(islice(rows, _LEDGER_ROWS)):
            writer.write_table(pa.Table.from_pylist(part, schema=RAW_LEDGER))
    return path


def _about(job: Job) -> dict[str, Any]:
    return {
        "source": job.source.name,
        "kind": "crawl",
        "format": "warc",
        "created_at": datetime.now(UTC),
        "definition": job.source.model_dump(mode="json"),
    }


def _write_manifest(store: Store, manifest: RawManifest) -> None:
    store.write(MANIFEST, manifest.model_dump_json(indent=2) + "\n")
