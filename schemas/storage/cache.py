"""Local copies of objects, kept for the next time up to a bound."""

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
"""What the copies of one user on one machine may occupy when nobody is reading them, bytes."""
_LOOKS: Final = 32
"""A process looks through all copies when it made a 32nd of the bound: looking each time would cost their square."""
_made_bytes: dict[Path, int] = {}
"""By folder, the bytes of the copies that this process made since it looked."""


def scratch_folder() -> Path:
    """Return the folder for copies and drafts of this user: `CORPUSMILL_SCRATCH`, or one in the temporary folder.

    It is made where it is missing, but not the folder above it: where that is missing, a disk is probably not mounted.

    Raises:
        UnfinishedError: The folder cannot be used, or that in the temporary folder belongs to somebody else.
    """
    named = os.environ.get("CORPUSMILL_SCRATCH")
    folder = Path(named or f"{tempfile.gettempdir()}/corpusmill-{os.getuid()}").absolute()
    if problem := _problem(folder):
        what = f"CORPUSMILL_SCRATCH={named}" if named else f"the scratch folder {folder}"
        raise UnfinishedError(
            f"{what} cannot be used: {problem}",
            hint="set CORPUSMILL_SCRATCH to a folder that can be written, or unset it to use the temporary folder"
            if named
            else "set CORPUSMILL_SCRATCH to a folder that can be written",
        )
    status = folder.lstat()
    if not named and (not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid()):
        raise UnfinishedError(
            "the scratch folder belongs to somebody else",
            file=str(folder),
            hint="set CORPUSMILL_SCRATCH to a folder of your own",
        )
    _sweep(folder)
    return folder


def _problem(folder: Path) -> str:
    """Make *folder* where it is missing; return why it cannot be used, empty when it can."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        return "it is not a folder"
    except FileNotFoundError:
        return f"there is no folder {folder.parent}"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "" if os.access(folder, os.R_OK | os.W_OK | os.X_OK) else "it cannot be written"


@cache
def _sweep(folder: Path) -> None:
    """Remove, once in each process, what killed processes left in *folder*."""
    for path in folder.iterdir():
        if is_left_over(path):
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def cached(
    folder: Path, name: str, fetch: Callable[[Path], object], *, suffix: str = "", max_bytes: int = MAX_FETCHED_BYTES
) -> Iterator[Path]:
    """Yield a path with what *fetch* writes to the path that it gets, which was kept in *folder* as *name*.

    The reader has a name of its own for the file, so that it can be dropped from the folder meanwhile.

    Args:
        max_bytes: Bound on the copies in *folder*; each process that fetches may pass it by a 32nd.
    """
    kept = folder / name
    own = folder.parent / f"reading.{attempt_name()}.tmp"
    own.mkdir(parents=True)
    try:
        path = own / f"file{suffix}"
        if not _linked(kept, path):
            folder.mkdir(parents=True, exist_ok=True)
            with appearing(kept) as draft:
                fetch(draft)
                os.link(draft, path)
            if _is_due(folder, path.stat().st_size, max_bytes):
                _bound(folder, max_bytes)
        yield path
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _linked(kept: Path, path: Path) -> bool:
    """Give *kept* the second name *path*; return False when it is not there."""
    try:
        os.link(kept, path)
        os.utime(kept)
    except FileNotFoundError:
        return path.exists()
    return True


def _is_due(folder: Path, size: int, max_bytes: int) -> bool:
    """Count a new copy of *size* bytes; return whether it is time to look: at the first one, and then by bytes."""
    made = _made_bytes.get(folder, max_bytes) + size
    is_due = made * _LOOKS >= max_bytes
    _made_bytes[folder] = 0 if is_due else made
    return is_due


def _bound(folder: Path, max_bytes: int) -> None:
    """Remove the files that were not read for the longest time, until *max_bytes* are left, and abandoned drafts."""
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
