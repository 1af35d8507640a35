"""Open members of archives by their address, ``/data/archive.zip!/folder/file.txt``.

A member of a zip or of a plain tar is read in place. A compressed tar, an archive in an archive, and a large compressed
member that is read at several places are decompressed once, to a copy in the scratch folder.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, cast

from corpusmill.crawlers.archives.entries import Entry
from corpusmill.crawlers.archives.tars import Tar, unpack
from corpusmill.crawlers.archives.zips import Zip
from corpusmill.crawlers.loaders.streams import file_size, is_compressed, open_decompressed, open_file
from corpusmill.schemas.archive_paths import MAX_NESTING, SEPARATOR, is_member, split_archive, split_member
from corpusmill.schemas.errors import DataError, SourceError
from corpusmill.schemas.storage import is_url, located
from corpusmill.schemas.storage.cache import cached, scratch_folder

MAX_COPY_BYTES: Final = 64 * 10**9
"""Bound on the copies in the scratch folder."""
_VERSION_S: Final = 60
"""How long the version of an archive on a store is remembered, in seconds."""
_STREAMED_BYTES: Final = 16 << 20
"""A compressed member up to this size is decompressed again for each slice."""


def entries_of(address: str) -> list[Entry]:
    """Return the members of the archive at *address*, in their order.

    Raises:
        DataError: It is no archive, or damaged.
        SourceError: The file is missing or unreadable.
    """
    return _archive(address).entries


def open_member(address: str) -> io.BufferedIOBase:
    """Open the member at *address*, which is seekable.

    Raises:
        DataError: It cannot be read.
        SourceError: The archive is missing or unreadable, or has no such member.
    """
    outer, name = split_member(address)
    archive, entry = _archive(outer), _entry(outer, name)
    if isinstance(archive, Zip) and _STREAMED_BYTES < entry.size <= MAX_COPY_BYTES and entry.key.compress_type:
        return io.BufferedReader(_copied(address, lambda draft: _extract(archive, entry, draft)), 1 << 18)
    return archive.open(entry)


def member_size(address: str) -> int:
    """Return the size in bytes of the member at *address*.

    Raises:
        DataError, SourceError: As `open_member`.
    """
    outer, name = split_member(address)
    return _entry(outer, name).size


def _extract(archive: Zip, entry: Entry, draft: Path) -> None:
    with archive.open(entry) as stream, draft.open("wb") as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)


def _entry(outer: str, name: str) -> Entry:
    entry = _names(outer, version_of(outer), os.getpid()).get(name)
    if entry is None:
        raise SourceError("the archive has no such member", file=f"{outer}{SEPARATOR}{name}", hint="load it again")
    if entry.kind is not None:
        raise DataError(entry.message or "the member cannot be read", kind=entry.kind)
    return entry


@lru_cache(maxsize=4)
def _names(address: str, version: str, process: int) -> dict[str, Entry]:
    """Return the members by name; of several with one name, the first, because the others are refused."""
    names: dict[str, Entry] = {}
    for entry in _opened(address, version, process).entries:
        names.setdefault(entry.name, entry)
    return names


def _archive(address: str) -> Zip | Tar:
    return _opened(address, version_of(address), os.getpid())


def version_of(address: str) -> str:
    """Return a value that changes when the outermost file of *address* is replaced.

    Raises:
        SourceError: The file is missing.
    """
    file = split_archive(address)[0] if is_member(address) else address
    if not is_url(file):
        size = file_size(file)
        return f"{size}-{Path(file).stat().st_mtime_ns}"
    return _version_at(file, int(time.monotonic() / _VERSION_S), os.getpid())


@lru_cache(maxsize=16)
def _version_at(url: str, period: int, process: int) -> str:  # noqa: ARG001, a store is asked once per period
    store, key = located(url)
    return f"{file_size(url)}-{store.marks().get(key, '')}"


@lru_cache(maxsize=4)  # a process reads the members of few archives at a time; the version detects changed files
def _opened(address: str, version: str, process: int) -> Zip | Tar:  # noqa: ARG001, file positions are per process
    """Open the archive at *address*."""
    if address.count(SEPARATOR) >= MAX_NESTING:
        raise SourceError(
            "an archive in an archive in an archive", file=address, hint="extract the outer archive, and load its files"
        )
    if address.lower().endswith((".zip", ".jar")):
        return Zip(_seekable(address))
    if is_compressed(address):
        packed = file_size(address)

        def fetch(draft: Path) -> None:
            with open_decompressed(address) as stream:
                unpack(cast("io.BufferedReader", stream), packed, draft)

        return Tar(_copied(address, fetch))
    return Tar(_seekable(address))


def _seekable(address: str) -> BinaryIO:
    """Open the archive at *address* for reading at any place."""
    return open_file(address)


def _copied(address: str, fetch: Callable[[Path], None]) -> io.FileIO:
    """Open the copy in the scratch folder that *fetch* writes unless it exists."""
    name = hashlib.sha256(f"{address}\0{version_of(address)}".encode()).hexdigest()
    with cached(scratch_folder() / "archives", name, fetch, max_bytes=MAX_COPY_BYTES) as path:
        return io.FileIO(str(path))
