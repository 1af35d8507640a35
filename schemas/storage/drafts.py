"""Atomic writing of local files: a draft is written next to the final file, then renamed.

The name of a draft contains the process that writes it, ``<name>.a<machine>-<process>-<random>.tmp``, so that drafts of
dead processes can be distinguished from drafts of running ones.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from corpusmill.schemas.storage.attempts import attempt_name, is_attempt, is_left_over


def write_atomically(path: Path | str, data: bytes | str, *, sync: bool = False) -> None:
    """Write *data* (text as UTF-8) to *path* atomically, so that *path* always has either the old or the new content.

    The folder of *path* is created if it is missing.

    Args:
        sync: Return only when the data and the file name would survive a power failure.

    Raises:
        OSError: The file cannot be written; no draft is left.
    """
    final = os.fspath(path)
    draft = draft_of(final)
    try:
        with _new_file(draft) as file:
            file.write(data.encode() if isinstance(data, str) else data)
        rename_draft(draft, final, sync=sync)
    except BaseException:
        remove_draft(draft)
        raise


@contextlib.contextmanager
def appearing(path: Path | str, *, sync: bool = False) -> Iterator[Path]:
    """Yield the path of a draft to write; the draft becomes *path* when the block ends, or is removed if it fails.

    The folder of *path* is created if it is missing.

    Args:
        sync: As in `write_atomically`.

    Raises:
        OSError: The file cannot be written; no draft is left.
    """
    final = os.fspath(path)
    make_folder(os.path.dirname(final))
    draft = draft_of(final)
    try:
        yield Path(draft)
        rename_draft(draft, final, sync=sync)
    finally:  # also after success: renaming a link to a file onto another link to it does nothing (POSIX)
        remove_draft(draft)


def complete_folder(draft: Path, final: Path) -> None:
    """Rename the folder *draft* to *final*, in the same folder, and sync its files and its name to disk.

    Raises:
        OSError: The folder cannot be written, or *final* exists.
    """
    for path in (*draft.iterdir(), draft):
        sync_to_disk(path)
    draft.replace(final)
    sync_to_disk(final.parent)


def _new_file(draft: str) -> BinaryIO:
    try:
        return open(draft, "wb")
    except FileNotFoundError:
        make_folder(os.path.dirname(draft))
        return open(draft, "wb")


def rename_draft(draft: str, final: str, *, sync: bool) -> None:
    """Rename *draft* to *final*; the folder of *final* is created if it is missing."""
    if sync:
        sync_to_disk(draft)
    try:
        os.replace(draft, final)
    except FileNotFoundError:
        make_folder(os.path.dirname(final))
        os.replace(draft, final)
    if sync:
        sync_to_disk(os.path.dirname(final) or ".")


def remove_draft(draft: str) -> None:
    """Remove *draft* if it still exists."""
    with contextlib.suppress(OSError):
        os.unlink(draft)


def make_folder(folder: str) -> None:
    """Create *folder* and its parents, if they do not exist."""
    try:
        os.mkdir(folder or ".")
    except FileExistsError:
        return
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)


def sync_to_disk(path: Path | str) -> None:
    """Sync the file at *path* to disk, so that it survives a power failure; for a folder, sync the names in it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def draft_of(path: str) -> str:
    """Return a new path for a draft of *path*, which this process will write."""
    return f"{path}.{attempt_name()}.tmp"


def is_draft(name: str) -> bool:
    """Return whether *name* is the name of a draft.

    >>> is_draft(draft_of("manifest.json")), is_draft("manifest.json"), is_draft("notes.tmp")
    (True, False, False)
    """
    return name.endswith(".tmp") and is_attempt(name)


def is_abandoned(path: Path) -> bool:
    """Return whether the file at *path* is a draft whose writer is no longer running."""
    return is_draft(path.name) and is_left_over(path)
