"""Local files that appear whole: written under a draft's name beside their own, then renamed.

A draft's name says which process writes it, ``<name>.a<machine>-<process>-<random>.tmp``, so that what a dead process
left can be told from what a living one is writing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from corpusmill.schemas.storage.attempts import attempt_name, is_attempt, is_left_over


def write_atomically(path: Path | str, data: bytes | str, *, sync: bool = False) -> None:
    """Write *data* (text as UTF-8) to *path*, which holds all of it or what it held before, whatever happens.

    The folder of *path* is made where it is missing.

    Args:
        sync: Return only when the data and its name would survive a power failure.

    Raises:
        OSError: It cannot be written; no draft is left.
    """
    final = os.fspath(path)
    draft = draft_of(final)
    try:
        with _new_file(draft) as file:
            file.write(data.encode() if isinstance(data, str) else data)
        become(draft, final, sync=sync)
    except BaseException:
        forget(draft)
        raise


@contextlib.contextmanager
def appearing(path: Path | str, *, sync: bool = False) -> Iterator[Path]:
    """Yield the path of a draft to write; it becomes *path* when the block ends well, and is removed when it does not.

    The folder of *path* is made where it is missing.

    Args:
        sync: As in `write_atomically`.

    Raises:
        OSError: It cannot be written; no draft is left.
    """
    final = os.fspath(path)
    make_folder(os.path.dirname(final))
    draft = draft_of(final)
    try:
        yield Path(draft)
        become(draft, final, sync=sync)
    except BaseException:
        forget(draft)
        raise


def complete_folder(draft: Path, final: Path) -> None:
    """Rename the folder *draft* to *final*, beside it, with all its files on the disk, and the name too.

    Raises:
        OSError: It cannot be written, or *final* is there.
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


def become(draft: str, final: str, *, sync: bool) -> None:
    """Rename *draft* to *final*, whose folder is made where it is missing."""
    if sync:
        sync_to_disk(draft)
    try:
        os.replace(draft, final)
    except FileNotFoundError:
        make_folder(os.path.dirname(final))
        os.replace(draft, final)
    if sync:
        sync_to_disk(os.path.dirname(final) or ".")


def forget(draft: str) -> None:
    """Remove *draft* where it is still there."""
    with contextlib.suppress(OSError):
        os.unlink(draft)


def make_folder(folder: str) -> None:
    """Make *folder* and those above it; there already is well."""
    try:
        os.mkdir(folder or ".")
    except FileExistsError:
        return
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)


def sync_to_disk(path: Path | str) -> None:
    """Return when the file or folder at *path* would survive a power failure; of a folder: the names in it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def draft_of(path: str) -> str:
    """Return a name for a draft of *path* by this process, different each time."""
    return f"{path}.{attempt_name()}.tmp"


def is_draft(name: str) -> bool:
    """Return whether a file of this *name* is a draft.

    >>> is_draft(draft_of("manifest.json")), is_draft("manifest.json"), is_draft("notes.tmp")
    (True, False, False)
    """
    return name.endswith(".tmp") and is_attempt(name)


def is_abandoned(path: Path) -> bool:
    """Return whether the file at *path* is a draft whose writer is gone."""
    return is_draft(path.name) and is_left_over(path)
