"""What every store can do, whether it is a folder or a bucket."""

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
    """A file in a store: its key and its bytes."""

    key: str
    size: int


class Written(NamedTuple):
    """A file that was copied into a store: its key, its bytes and their SHA-256 in hex."""

    key: str
    size: int
    sha256: str


class StoredFile(NamedTuple):
    """A file of a store, and its bytes as a manifest has them."""

    store: Store
    key: str
    size: int

    @property
    def address(self) -> str:
        """Its path or URL."""
        return self.store.address(self.key)

    def open(self) -> pa.NativeFile:
        """Open it as `Store.open` does."""
        return self.store.open(self.key, size=self.size)


class Lock(ABC):
    """A lock that is held."""

    @abstractmethod
    def check(self) -> None:
        """Make sure that the lock is still held; call it before a change that only the holder may make.

        Raises:
            UnfinishedError: Somebody else may hold it by now.
        """


class Store(ABC):
    """A place for files, each under a *key*: a relative POSIX path.

    A file appears whole or not at all, and whoever replaces one leaves readers of the old one alone. A store can be
    pickled, and `open_store(store.url)` opens it again, also in another process.

    Every method may raise:
        ValueError: A key is not one (`checked_key`).
        UnfinishedError: The disk or the store refuses, is full, or does not answer.
    """

    url: str
    """What `open_store` takes to open it again."""

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
        """Return the path or URL of *key*, for messages and for other programs."""

    @abstractmethod
    def below(self, prefix: str) -> Store:
        """Return the store of what lies in the folder *prefix*."""

    @abstractmethod
    def path(self, key: str = "") -> Path | None:
        """Return the path of *key* where it lies on this machine, else None."""

    @abstractmethod
    def refuse_read_only(self) -> None:
        """Make sure that files of a store of this kind can be written and removed; the store is not asked.

        Raises:
            UsageError: It is for reading only, as web pages and archives are.
        """

    @abstractmethod
    def probe(self) -> None:
        """Make sure that the store can be written, by writing to it; an object is also read, and removed."""

    # -- writing

    @abstractmethod
    def write(self, key: str, data: bytes | str, *, sync: bool = False) -> None:
        """Write *data* (text as UTF-8) under *key*, in place of what is there.

        Args:
            sync: On a disk, return only when it would survive a power failure; a store always does.
        """

    @abstractmethod
    def creating(self, key: str | Callable[[], str], *, sync: bool = False) -> AbstractContextManager[Path]:
        """Yield a local path to write to; it becomes *key* when the block ends, and nothing when the block fails.

        Args:
            key: The name, or a function that returns it and is called when the block has ended.
        """

    @abstractmethod
    def put(self, path: Path, key: str) -> None:
        """Give the store a copy of the local file *path* as *key*; on one disk it may be a second name.

        Raises:
            FileNotFoundError: There is no *path*.
        """

    @contextlib.contextmanager
    def writing(self, key: str, *, sync: bool = False) -> Iterator[BinaryIO]:
        """Yield a file to write to; it becomes *key* when the block ends, and nothing when the block fails."""
        with self.creating(key, sync=sync) as path, path.open("wb") as file:
            yield file

    def take_in(self, pieces: Iterable[bytes], key: str | Callable[[str], str]) -> Written:
        """Write *pieces*, end to end, and hash them on the way.

        Args:
            key: The name, or a function that makes one from the SHA-256 in hex. Errors of *pieces* pass unchanged.
        """
        digest = hashlib.sha256()
        size = 0

        def name() -> str:
            return key if isinstance(key, str) else key(digest.hexdigest())

        with self.creating(name) as path, path.open("wb") as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
        return Written(name(), size, digest.hexdigest())

    @abstractmethod
    def append(self, key: str, line: str) -> None:
        """Append *line* and a line break, on disk before this returns; a torn last line is closed first.

        The caller holds a lock: on a store, the object is read and written again.
        """

    @abstractmethod
    def copy(self, key: str, to: str) -> None:
        """Give the content of *key* a second name, *to*, in place of what is there: a hard link, or the store's copy.

        Raises:
            FileNotFoundError: There is no *key*.
        """

    @abstractmethod
    def appearing_folder(
        self, prefix: str, *, last: str, check: Callable[[], None] = lambda: None
    ) -> AbstractContextManager[Path]:
        """Yield an empty local folder; what is in it when the block ends lies under *prefix*, on disk, and in one go.

        On a disk it is renamed. On a store its files are copied, that called *last* after all others: readers take for
        there what has one. Folders in it are left out.

        Args:
            check: Called right before the folder becomes visible; when it raises, it does not.
        """

    @abstractmethod
    def sweep(self, prefix: str, *, last: str) -> int:
        """Remove what killed writers left in the folder *prefix*: drafts, folders that did not appear.

        The caller holds the lock of *prefix*. Returns the number of such folders.
        """

    # -- reading

    @abstractmethod
    def read(self, key: str) -> bytes:
        """Return the whole content of *key*.

        Raises:
            FileNotFoundError: There is none.
        """

    def read_text(self, key: str) -> str:
        """Return the content of *key* as UTF-8 text.

        Raises:
            FileNotFoundError: There is none.
            UnicodeDecodeError: It is no such text.
        """
        return self.read(key).decode()

    @abstractmethod
    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return *length* bytes from byte *start* on, fewer where the file ends.

        Raises:
            FileNotFoundError: There is no *key*.
        """

    @abstractmethod
    def open(self, key: str, *, size: int | None = None) -> pa.NativeFile:
        """Open *key* for reading in any order: `pq.ParquetFile`, `pa.ipc.open_file` and `pa.ipc.open_stream` take it.

        On a disk, it is mapped into memory. On a store, each read is a request for a range of bytes, of at least
        64 KiB.

        Args:
            size: The size where it is known, which saves a request.

        Raises:
            FileNotFoundError: There is no *key*.
        """

    def reader(self, key: str) -> io.RawIOBase:
        """Open *key* for reading as Python's files are; on a store, each read is a request for a range of bytes.

        Raises:
            FileNotFoundError: There is no *key*.
        """
        return RangeFile(partial(self.read_range, key), self.size(key))

    @abstractmethod
    def fetched(self, key: str) -> AbstractContextManager[Path]:
        """Yield a local path with the content of *key*, for libraries that read files only; do not write to it.

        On a store, what was fetched is kept for the next time, up to `MAX_FETCHED_BYTES`.

        Raises:
            FileNotFoundError: There is no *key*.
        """

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of *key* in hex, read in pieces.

        Raises:
            FileNotFoundError: There is no *key*.
        """
        digest = hashlib.sha256()
        with self.open(key) as file:
            while piece := file.read_buffer(_PIECE_BYTES):
                digest.update(piece)
        return digest.hexdigest()

    # -- looking

    @abstractmethod
    def size(self, key: str) -> int:
        """Return the bytes of *key*.

        Raises:
            FileNotFoundError: There is no *key*.
        """

    def exists(self, key: str) -> bool:
        """Return whether there is a file called *key*; a folder is none."""
        try:
            self.size(key)
        except FileNotFoundError:
            return False
        return True

    @abstractmethod
    def files(self, prefix: str = "") -> list[Entry]:
        """Return the files in the folder *prefix* and all below it, by key; drafts and folders are left out."""

    def marks(self, prefix: str = "") -> dict[str, str]:
        """Return, for the files in the folder *prefix*, what changes when one is replaced; empty where nobody knows."""
        return {}

    @abstractmethod
    def folders(self, prefix: str = "") -> list[str]:
        """Return the names of the folders in the folder *prefix*, sorted; those that begin with a dot are left out."""

    # -- removing

    @abstractmethod
    def remove(self, *keys: str) -> None:
        """Remove files; what is not there is not missed."""

    @abstractmethod
    def remove_folder(self, prefix: str) -> None:
        """Remove all files in the folder *prefix* and below; what is not there is not missed."""

    # -- locking

    @abstractmethod
    def lock(
        self, name: str, *, what: str | None = None, wait_s: float = 0, lease_s: float = 60
    ) -> AbstractContextManager[Lock]:
        """Hold the lock *name*, a key, as long as the block runs.

        On a disk it ends with the process. On a store it is a lease that is renewed in the background: a killed
        holder's ends by itself.

        Args:
            what: What the lock is for, in the error's message; by default the name.
            wait_s: How long to wait for another holder, seconds.
            lease_s: How long a lease lasts that is not renewed, seconds.

        Raises:
            LockHeldError: Somebody else holds it; the message names them.
        """


_PIECE_BYTES: Final = 1 << 20
WAIT: Final = "wait for it, then run again"
"""What to do when somebody else holds a lock."""


def holder() -> dict[str, Any]:
    """Describe this process: machine, process and time, for whoever finds a lock taken."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}


def held(what: str, content: bytes, *, hint: str) -> LockHeldError:
    """Return the error for a lock that somebody holds; *content* is what they wrote into it."""
    try:
        found = json.loads(content)
        who = f"process {found['pid']} on {found['host']} since {found['since']}"
    except (ValueError, KeyError, TypeError):
        who = "another process"
    return LockHeldError(f"{what} is being worked on by {who}", hint=hint)
