"""Name, number and remove the files of a crawl in the raw folder of its source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from corpusmill.crawlers.job import Job
from corpusmill.crawlers.warc import archive_name
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.raw import RawFile, RawManifest
from corpusmill.schemas.storage import LocalStore, Store

_TABLES: Final = ("ledger", "pages", "gone")


def frontier_path(name: str, raw_dir: Path) -> Path:
    """Return the path of the queue of the source *name*: ``frontier/<name>.db`` in the workspace of *raw_dir*."""
    return raw_dir.parent.parent / "frontier" / f"{name}.db"


def is_published_in_place(raw_dir: Path, store: Store) -> bool:
    """Return whether the archives are published in the folder in which they are written."""
    return store.path() == raw_dir


def next_number(name: str, raw_dir: Path, store: Store) -> int:
    """Return the first number after those of the existing and the published files."""
    names = {entry.key for place in (LocalStore(raw_dir), store) for entry in place.files()}
    return max((number for file in names if (number := number_of(file, name)) is not None), default=-1) + 1


def sweep(raw_dir: Path, published: RawManifest | None, *, first: int, name: str) -> None:
    """Remove files that belong neither to the published manifest nor to the running crawl."""
    kept = set(file_names(published)) if published else set()
    for path in raw_dir.glob("*"):
        number = number_of(path.name.removesuffix(".tmp"), name)
        is_unfinished = path.suffix == ".tmp"
        if path.name not in kept and (is_unfinished or (number is not None and number < first)):
            path.unlink()


def file_names(manifest: RawManifest) -> list[str]:
    """Return the names of the files of a crawl, without the manifest itself."""
    tables = [*manifest.ledger, *manifest.pages, *(file.path for file in manifest.gone)]
    return [*(file.path for file in manifest.files), *tables]


def number_of(file: str, name: str) -> int | None:
    """Return the number in the name of a *file* of the source *name*; None for other files.

    >>> number_of("site-00003.warc.gz", "site"), number_of("ledger-00004.parquet", "site"), number_of("x", "site")
    (3, 4, None)
    """
    match = re.fullmatch(rf"{re.escape(name)}-(\d+)\.warc\.gz|(?:{'|'.join(_TABLES)})-(\d+)\.parquet", file)
    return None if match is None else int(match[1] or match[2])


def table_name(kind: str, number: int) -> str:
    """Return the name of a table of the crawl whose first file has *number*; *kind* is `ledger`, `pages` or `gone`."""
    assert kind in _TABLES
    return f"{kind}-{number:05d}.parquet"


def archives(job: Job) -> list[Path]:
    """Return the archives of the crawl *job*, in the order in which they were written."""
    first = archive_name(job.source.name, job.first)
    return sorted(path for path in job.raw_dir.glob(f"{job.source.name}-*.warc.gz") if path.name >= first)


def raw_file(path: Path) -> RawFile:
    """Return the entry of the archive at *path* in a raw manifest. Reads the whole file."""
    return RawFile(path=path.name, name=path.name, size=path.stat().st_size, sha256=file_sha256(path))
