"""Name, number and remove the files of a crawl in the raw folder of its source."""

from __future__ import annotations

import re
from pathlib import Path

from corpusmill.crawlers.job import Job
from corpusmill.crawlers.warc import archive_name
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.raw import RawFile, RawManifest
from corpusmill.schemas.storage import LocalStore, Store


def frontier_path(name: str, raw_dir: Path) -> Path:
    """Return the path of the queue of the source *name*: ``frontier/<name>.db`` in the workspace of *raw_dir*."""
    return raw_dir.parent.parent / "frontier" / f"{name}.db"


def is_published_in_place(raw_dir: Path, store: Store) -> bool:
    """Return whether the archives are published in the folder in which they are written."""
    return store.path() == raw_dir


def next_number(name: str, raw_dir: Path, store: Store) -> int:
    """Return the first number after those of the existing and the published files."""
    names = {entry.key for place in (LocalStore(raw_dir), store) for entry in place.files()}
    files = [file for file in names if re.fullmatch(rf"{re.escape(name)}-\d+\.warc\.gz|ledger-\d+\.parquet", file)]
    return max((int(file.split(".")[0].rpartition("-")[2]) for file in files), default=-1) + 1


def sweep(raw_dir: Path, published: RawManifest | None, *, first: int, name: str) -> None:
    """Remove files that belong neither to the published manifest nor to the running crawl."""
    kept = {file.path for file in published.files} | set(published.ledger) if published else set()
    for path in (*raw_dir.glob(f"{name}-*.warc.gz"), *raw_dir.glob("ledger-*.parquet"), *raw_dir.glob("*.tmp")):
        if path.name not in kept and (path.suffix == ".tmp" or path.name < _first_names(name, first)[path.suffix]):
            path.unlink()


def _first_names(name: str, first: int) -> dict[str, str]:
    return {".gz": archive_name(name, first), ".parquet": ledger_name(first)}


def ledger_name(number: int) -> str:
    """Return the name of the ledger of the crawl whose first file has *number*."""
    return f"ledger-{number:05d}.parquet"


def archives(job: Job) -> list[Path]:
    """Return the archives of the crawl *job*, in the order in which they were written."""
    first = archive_name(job.source.name, job.first)
    return sorted(path for path in job.raw_dir.glob(f"{job.source.name}-*.warc.gz") if path.name >= first)


def raw_file(path: Path) -> RawFile:
    """Return the entry of the archive at *path* in a raw manifest. Reads the whole file."""
    return RawFile(path=path.name, name=path.name, size=path.stat().st_size, sha256=file_sha256(path))
