"""A cache of local copies of objects, bounded in bytes."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.storage.attempts import attempt_name, is_left_over
from corpusmill.schemas.storage.drafts import appearing, is_abandoned, is_draft

MAX_FETCHED_BYTES: Final = 8_000_000_000
"""Upper bound in bytes of the copies of one user on one machine that are not being read."""
_CHECKS: Final = 32
"""A process checks the size of the cache after adding 1/32 of the bound; checking after each file would take time
quadratic in the number of files."""
_unchecked_bytes: dict[Path, int] = {}
"""By folder, the bytes of the copies that this process added since its last check."""


def scratch_folder() -> Path:
    """Return this user's folder for copies and drafts: `CORPUSMILL_SCRATCH`, or a folder in the temporary folder.

    The folder is created if it is missing, but not its parent: a missing parent is probably a disk that is not mounted.

    Raises:
        UnfinishedError: The folder cannot be used, or the default folder belongs to another user.
    """
    named = os.environ.get("CORPUSMILL_SCRATCH")
    folder = Path(named or f"{tempfile.gettempdir()}/corpusmill-{os.getuid()}").absolute()
    if problem := _problem(folder):
        setting = f"CORPUSMILL_SCRATCH={named}" if named else f"the scratch folder {folder}"
        raise UnfinishedError(
            f"{setting} cannot be used: {problem}",
            hint="set CORPUSMILL_SCRATCH to a writable folder, or unset it to use the temporary folder"
            if named
            else "set CORPUSMILL_SCRATCH to a writable folder",
        )
    status = folder.lstat()
    if not named and (not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid()):
        raise UnfinishedError(
            "the scratch folder belongs to another user",
            file=str(folder),
            hint="set CORPUSMILL_SCRATCH to a folder of your own",
        )
    _sweep(folder)
    return folder


def _problem(folder: Path) -> str:
    """Create *folder* if it is missing, and return why it cannot be used; empty if it can."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        return "it is not a folder"
    except FileNotFoundError:
        return f"the folder {folder.parent} does not exist"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "" if os.access(folder, os.R_OK | os.W_OK | os.X_OK) else "it is not writable"


@cache
def _sweep(folder: Path) -> None:
    """Remove from *folder* what killed processes left there; done once per process."""
    for path in folder.iterdir():
        if is_left_over(path):
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def cached(
    folder: Path, name: str, fetch: Callable[[Path], object], *, suffix: str = "", max_bytes: int = MAX_FETCHED_BYTES
) -> Iterator[Path]:
    """Yield the path of the cached file *name*, which *fetch* writes to a path that it receives, if it is missing.

    The yielded path is a hard link, so that the file can be removed from the cache while it is being read.

    Args:
        folder: Folder of the cache.
        suffix: Suffix of the yielded path.
        max_bytes: Bound on the files in *folder*; each process that fetches files can exceed it by 1/32.
    """
    entry = folder / name
    links = folder.parent / f"reading.{attempt_name()}.tmp"
    links.mkdir(parents=True)
    try:
        path = links / f"file{suffix}"
        if not _link_entry(entry, path):
            folder.mkdir(parents=True, exist_ok=True)
            with appearing(entry) as draft:
                fetch(draft)
                os.link(draft, path)
            if _is_check_due(folder, path.stat().st_size, max_bytes):
                _evict(folder, max_bytes)
        yield path
    finally:
        shutil.rmtree(links, ignore_errors=True)


def _link_entry(entry: Path, path: Path) -> bool:
    """Link *entry* to *path* and mark it as used; return False if it does not exist."""
    try:
        os.link(entry, path)
        os.utime(entry)
    except FileNotFoundError:
        return path.exists()
    return True


def _is_check_due(folder: Path, size: int, max_bytes: int) -> bool:
    """Count a new copy of *size* bytes; return whether a check is due, as it always is after the first copy."""
    unchecked = _unchecked_bytes.get(folder, max_bytes) + size
    is_due = unchecked * _CHECKS >= max_bytes
    _unchecked_bytes[folder] = 0 if is_due else unchecked
    return is_due


def _evict(folder: Path, max_bytes: int) -> None:
    """Remove abandoned drafts, and the least recently used files until *max_bytes* are left."""
    total = 0
    for path, status in sorted(_statuses(folder), key=lambda pair: -pair[1].st_mtime_ns):
        total += status.st_size
        if total > max_bytes or is_abandoned(path):
            path.unlink(missing_ok=True)


def _statuses(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if not is_draft(path.name) or is_abandoned(path):
                yield path, path.stat()
