"""The interface of all stores, folders and buckets alike."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import pyarrow as pa

from corpusmill.schemas.errors import LockHeldError
from corpusmill.schemas.storage.ranges import RangeFile


class Entry(NamedTuple):
    """A file in a store: its key, and its size in bytes."""

    key: str
    size: int


class Written(NamedTuple):
    """A file that was copied into a store: its key, its size in bytes and its SHA-256 in hex."""

    key: str
    size: int
    sha256: str


class StoredFile(NamedTuple):
    """A file in a store, with its size in bytes as listed in a manifest."""

    store: Store
    key: str
    size: int

    @property
    def address(self) -> str:
        """Path or URL of the file."""
        return self.store.address(self.key)

    def open(self) -> pa.NativeFile:
        """Open the file as `Store.open` does."""
        return self.store.open(self.key, size=self.size)


class Lock(ABC):
    """A lock that is held."""

    @abstractmethod
    def check(self) -> None:
        """Check that the lock is still held; call this before a change that only the holder may make.

        Raises:
            UnfinishedError: Another process may hold the lock by now.
        """


class Store(ABC):
    """A place for files, each under a *key*: a relative POSIX path.

    A file appears completely or not at all, and replacing a file does not disturb processes that read the old one. A
    store can be pickled, and `open_store(store.url)` opens it again, also in another process.

    Every method may raise:
        ValueError: A key is invalid (`checked_key`).
        UnfinishedError: The disk or the store refuses the operation, is full, or does not respond.
    """

    url: str
    """The argument with which `open_store` opens this store again."""

    def __reduce__(self) -> tuple[Any, ...]:
        from corpusmill.schemas.storage import open_store

        return open_store, (self.url,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __repr__(self) -> str:
        return f"open_store({self.url!r})"

    # -- places

    @abstractmethod
    def address(self, key: str = "") -> str:
        """Return the path or URL of *key*, for messages and other programs."""

    @abstractmethod
    def below(self, prefix: str) -> Store:
        """Return the store of the folder *prefix*."""

    @abstractmethod
    def path(self, key: str = "") -> Path | None:
        """Return the local path of *key*, or None if it is not on this machine."""

    @abstractmethod
    def refuse_read_only(self) -> None:
        """Check that this kind of store supports writing and removing files, without contacting the store.

        Raises:
            UsageError: This kind of store is read-only, such as web pages and archives.
        """

    @abstractmethod
    def probe(self) -> None:
        """Check that the store is writable by writing and removing a file; an object is also read."""

    # -- writing

    @abstractmethod
    def write(self, key: str, data: bytes | str, *, sync: bool = False) -> None:
        """Write *data* (text as UTF-8) under *key*, replacing an existing file.

        Args:
            sync: On a disk, return only when the file would survive a power failure. A store always does.
        """

    @abstractmethod
    def creating(self, key: str | Callable[[], str], *, sync: bool = False) -> AbstractContextManager[Path]:
        """Yield a local path to write to; the file becomes *key* when the block ends, and is removed if it fails.

        Args:
            key: The key, or a function that returns it, called when the block has ended.
        """

    @abstractmethod
    def put(self, path: Path, key: str) -> None:
        """Copy the local file *path* into the store as *key*; on the same disk, the copy may be a hard link.

        Raises:
            FileNotFoundError: *path* does not exist.
        """

    @contextlib.contextmanager
    def writing(self, key: str, *, sync: bool = False) -> Iterator[BinaryIO]:
        """Yield a file to write to; it becomes *key* when the block ends, and is removed if the block fails."""
        with self.creating(key, sync=sync) as path, path.open("wb") as file:
            yield file

    def write_hashed(self, chunks: Iterable[bytes], key: str | Callable[[str], str]) -> Written:
        """Write *chunks* to one file and compute its SHA-256. Errors raised by *chunks* are not translated.

        Args:
            key: The key, or a function that returns it for the SHA-256 in hex.
        """
        digest = hashlib.sha256()
        size = 0

        def name() -> str:
            return key if isinstance(key, str) else key(digest.hexdigest())

        with self.creating(name) as path, path.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        return Written(name(), size, digest.hexdigest())

    @abstractmethod
    def append(self, key: str, line: str) -> None:
        """Append *line* and a line break, and sync them to disk; an incomplete last line is ended first.

        The caller must hold a lock, because on a store the whole object is read and written again.
        """

    @abstractmethod
    def copy(self, key: str, to: str) -> None:
        """Copy *key* to *to*, replacing an existing file: a hard link on a disk, a copy made by the store elsewhere.

        Raises:
            FileNotFoundError: *key* does not exist.
        """

    @abstractmethod
    def appearing_folder(
        self, prefix: str, *, last: str, check: Callable[[], None] = lambda: None
    ) -> AbstractContextManager[Path]:
        """Yield an empty local folder; when the block ends, it appears as *prefix* at once, synced to disk.

        On a disk the folder is renamed. On a store its files are copied, with *last* after all others: for readers, a
        folder without that file does not exist. Subfolders are not copied.

        Args:
            check: Called right before the folder becomes visible; if it raises, the folder does not appear.
        """

    @abstractmethod
    def sweep(self, prefix: str, *, last: str) -> int:
        """Remove what killed writers left in the folder *prefix*: drafts and unfinished folders.

        The caller must hold the lock of *prefix*.

        Returns:
            The number of unfinished folders.
        """

    # -- reading

    @abstractmethod
    def read(self, key: str) -> bytes:
        """Return the whole content of *key*.

        Raises:
            FileNotFoundError: *key* does not exist.
        """

    def read_text(self, key: str) -> str:
        """Return the content of *key* as UTF-8 text.

        Raises:
            FileNotFoundError: *key* does not exist.
            UnicodeDecodeError: The content is not valid UTF-8.
        """
        return self.read(key).decode()

    @abstractmethod
    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return *length* bytes from byte *start* on, or fewer at the end of the file.

        Raises:
            FileNotFoundError: *key* does not exist.
        """

    @abstractmethod
    def open(self, key: str, *, size: int | None = None) -> pa.NativeFile:
        """Open *key* for random access, as `pq.ParquetFile`, `pa.ipc.open_file` and `pa.ipc.open_stream` need it.

        On a disk, the file is memory-mapped. On a store, each read is a request for a range of at least 64 KiB.

        Args:
            size: Size in bytes, if known; saves a request.

        Raises:
            FileNotFoundError: *key* does not exist.
        """

    def reader(self, key: str) -> io.RawIOBase:
        """Open *key* as a Python file for reading; on a store, each read is a request for a range of bytes.

        Raises:
            FileNotFoundError: *key* does not exist.
        """
        return RangeFile(partial(self.read_range, key), self.size(key))

    @abstractmethod
    def fetched(self, key: str) -> AbstractContextManager[Path]:
        """Yield a read-only local path with the content of *key*, for libraries that need a file.

        On a store, the fetched file is cached; the cache holds up to `MAX_FETCHED_BYTES`.

        Raises:
            FileNotFoundError: *key* does not exist.
        """

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of *key* in hex; the file is read in chunks.

        Raises:
            FileNotFoundError: *key* does not exist.
        """
        digest = hashlib.sha256()
        with self.open(key) as file:
            while chunk := file.read_buffer(_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    # -- listing

    @abstractmethod
    def size(self, key: str) -> int:
        """Return the size of *key* in bytes.

        Raises:
            FileNotFoundError: *key* does not exist.
        """

    def exists(self, key: str) -> bool:
        """Return whether the file *key* exists; a folder does not count."""
        try:
            self.size(key)
        except FileNotFoundError:
            return False
        return True

    @abstractmethod
    def files(self, prefix: str = "") -> list[Entry]:
        """Return all files below the folder *prefix*, sorted by key, without drafts."""

    def marks(self, prefix: str = "") -> dict[str, str]:
        """Return a value for each file below *prefix* that changes if the file is replaced; empty if unsupported."""
        return {}

    @abstractmethod
    def folders(self, prefix: str = "") -> list[str]:
        """Return the sorted names of the folders directly in *prefix*, except names that begin with a dot."""

    # -- removing

    @abstractmethod
    def remove(self, *keys: str) -> None:
        """Remove files; missing files are ignored."""

    def drafts(self, prefix: str = "") -> list[Path]:
        """Return the files below *prefix* that killed writers left half-written. A store of objects has none."""
        return []

    def remove_drafts(self, prefix: str = "") -> None:
        """Remove the files below *prefix* that killed writers left half-written."""
        for path in self.drafts(prefix):
            path.unlink(missing_ok=True)

    @abstractmethod
    def remove_folder(self, prefix: str) -> None:
        """Remove the folder *prefix* with all files below it; a missing folder is ignored."""

    # -- locking

    @abstractmethod
    def lock(
        self, name: str, *, subject: str | None = None, wait_s: float = 0, lease_s: float = 60
    ) -> AbstractContextManager[Lock]:
        """Hold the lock *name*, a key, for the duration of the block.

        On a disk the lock ends with the process. On a store it is a lease that is renewed in the background, so the
        lease of a killed holder expires.

        Args:
            subject: What the lock protects, for the error message; the name by default.
            wait_s: How long to wait for another holder, in seconds.
            lease_s: How long a lease lasts without renewal, in seconds.

        Raises:
            LockHeldError: Another process holds the lock; the message names it.
        """


_CHUNK_BYTES: Final = 1 << 20
WAIT: Final = "wait for it, then run again"
"""Hint for a lock that another process holds."""


def holder() -> dict[str, Any]:
    """Return the process id, host and current time, which are stored in a lock to identify its holder."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}


def lock_held_error(subject: str, content: bytes, *, hint: str) -> LockHeldError:
    """Return the error for a lock on *subject* that another process holds; *content* is what its holder wrote."""
    try:
        other = json.loads(content)
        owner = f"process {other['pid']} on {other['host']} since {other['since']}"
    except (ValueError, KeyError, TypeError):
        owner = "another process"
    return LockHeldError(f"{subject} is in use by {owner}", hint=hint)
