"""Stores in a folder on the local disk."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from corpusmill.schemas.errors import CorpusmillError
from corpusmill.schemas.storage.base import WAIT, Entry, Lock, Store, holder, lock_held_error
from corpusmill.schemas.storage.drafts import (
    appearing,
    complete_folder,
    draft_of,
    is_abandoned,
    is_draft,
    make_folder,
    remove_draft,
    rename_draft,
    write_atomically,
)
from corpusmill.schemas.storage.failures import disk_failure
from corpusmill.schemas.storage.keys import checked_key, joined

_STAGING: Final = ".staging-"
_POLL_S: Final = 0.05


class LocalStore(Store):
    """The files in the folder *root*, which the first write creates."""

    def __init__(self, root: Path | str) -> None:
        self.url = os.path.abspath(root)
        self._root = self.url.rstrip("/")

    # -- places

    def address(self, key: str = "") -> str:
        return self._path(key) if key else self.url

    def below(self, prefix: str) -> LocalStore:
        return LocalStore(self._path(prefix))

    def path(self, key: str = "") -> Path:
        return Path(self.address(key))

    def _path(self, key: str) -> str:
        return f"{self._root}/{checked_key(key)}"

    def _folder(self, prefix: str) -> str:
        return self._path(prefix) if prefix else self.url

    def refuse_read_only(self) -> None:
        pass

    def probe(self) -> None:
        draft = draft_of(f"{self._root}/.writable")
        try:
            make_folder(self.url)
            with open(draft, "wb"):
                pass
            os.unlink(draft)
        except OSError as error:
            raise disk_failure(error, action="write", address=self.url) from error

    # -- writing

    def write(self, key: str, data: bytes | str, *, sync: bool = False) -> None:
        path = self._path(key)
        try:
            write_atomically(path, data, sync=sync)
        except OSError as error:
            raise disk_failure(error, action="write", address=path) from error

    @contextlib.contextmanager
    def creating(self, key: str | Callable[[], str], *, sync: bool = False) -> Iterator[Path]:
        place = key if isinstance(key, str) else "unnamed"
        draft = draft_of(self._path(place))
        try:
            with self._translating_errors("write", place):
                make_folder(os.path.dirname(draft))
            yield Path(draft)
            name = key if isinstance(key, str) else key()
            with self._translating_errors("write", name):
                rename_draft(draft, self._path(name), sync=sync)
        finally:
            remove_draft(draft)

    def put(self, path: Path, key: str) -> None:
        target = self._path(key)
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist")
        with self._translating_errors("write", key), appearing(target) as draft:
            link_or_copy(path, draft)

    def append(self, key: str, line: str) -> None:
        path = self._path(key)
        try:
            make_folder(os.path.dirname(path))
            with open(path, "ab+") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read(1) == b"\n" else f"\n{line}"
                file.write(f"{line}\n".encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise disk_failure(error, action="write", address=path) from error

    def copy(self, key: str, to: str) -> None:
        self.put(Path(self._path(key)), to)

    @contextlib.contextmanager
    def appearing_folder(self, prefix: str, *, last: str, check: Callable[[], None] = lambda: None) -> Iterator[Path]:
        final = Path(self._path(prefix))
        draft = final.with_name(f"{_STAGING}{final.name}")
        with self._translating_errors("write", prefix):
            make_folder(str(final.parent))
            draft.mkdir()
        try:
            yield draft
            check()
            with self._translating_errors("write", prefix):
                complete_folder(draft, final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def sweep(self, prefix: str, *, last: str) -> int:
        folder = Path(self._folder(prefix))
        left = list(folder.glob(f"{_STAGING}*"))
        with self._translating_errors("remove", prefix):
            for path in left:
                shutil.rmtree(path)
            for path in folder.glob("*.tmp"):
                if is_abandoned(path):
                    path.unlink(missing_ok=True)
        return len(left)

    # -- reading

    def read(self, key: str) -> bytes:
        path = self._path(key)
        try:
            with open(path, "rb", buffering=0) as file:
                return file.read()
        except OSError as error:
            raise _read_error(error, path) from error

    def read_range(self, key: str, start: int, length: int) -> bytes:
        path = self._path(key)
        try:
            with open(path, "rb", buffering=0) as file:
                return os.pread(file.fileno(), length, start)
        except OSError as error:
            raise _read_error(error, path) from error

    def open(self, key: str, *, size: int | None = None) -> pa.NativeFile:
        path = self._path(key)
        try:
            return pa.memory_map(path)
        except OSError as error:
            raise _read_error(error, path) from error

    @contextlib.contextmanager
    def fetched(self, key: str) -> Iterator[Path]:
        self.size(key)
        yield Path(self._path(key))

    # -- listing

    def size(self, key: str) -> int:
        path = self._path(key)
        try:
            status = os.stat(path)
        except OSError as error:
            raise _read_error(error, path) from error
        if stat.S_ISDIR(status.st_mode):
            raise FileNotFoundError(f"{path} is a folder")
        return status.st_size

    def files(self, prefix: str = "") -> list[Entry]:
        with self._translating_errors("list", prefix):
            return sorted(_files(self._folder(prefix), joined(prefix, "")))

    def folders(self, prefix: str = "") -> list[str]:
        with (
            self._translating_errors("list", prefix),
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self._folder(prefix)) as entries,
        ):
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        return []

    def drafts(self, prefix: str = "") -> list[Path]:
        with self._translating_errors("list", prefix):
            return sorted(path for path in Path(self._folder(prefix)).rglob("*.tmp") if is_abandoned(path))

    # -- removing

    def remove(self, *keys: str) -> None:
        for key in keys:
            with self._translating_errors("remove", key), contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(self._path(key))

    def remove_folder(self, prefix: str) -> None:
        with self._translating_errors("remove", prefix), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            shutil.rmtree(self._folder(prefix))

    # -- locking

    @contextlib.contextmanager
    def lock(
        self, name: str, *, subject: str | None = None, wait_s: float = 0, lease_s: float = 60
    ) -> Iterator[FileLock]:
        subject = subject or f"`{name}`"
        with contextlib.ExitStack() as stack:
            with self._translating_errors("lock", name):
                lock = stack.enter_context(file_lock(Path(self._path(name)), subject=subject, wait_s=wait_s))
            yield lock

    @contextlib.contextmanager
    def _translating_errors(self, action: str, key: str) -> Iterator[None]:
        """Translate errors of the disk into errors with a hint."""
        try:
            yield
        except OSError as error:
            raise disk_failure(error, action=action, address=self.address(key)) from error


class FileLock(Lock):
    """A lock of the operating system on an open file, held by this process and the processes that inherit the file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Return the descriptor of the file; a process that inherits it holds the lock, too."""
        return self._descriptor

    def check(self) -> None:
        """Do nothing, because such a lock cannot be lost while the file is open."""


@contextlib.contextmanager
def file_lock(path: Path, *, subject: str, wait_s: float = 0, hint: str = WAIT) -> Iterator[FileLock]:
    """Hold a lock on the file at *path* for the duration of the block.

    The file identifies the holder; it is not removed when the lock is released.

    Args:
        subject: What the lock protects, for the error message.
        wait_s: How long to wait for another holder, in seconds.
        hint: Hint of the error if another process holds the lock.

    Raises:
        LockHeldError: Another process holds the lock for longer than *wait_s*.
        OSError: The file cannot be opened.
    """
    make_folder(str(path.parent))
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + wait_s
        while not _is_locked(file):
            if time.monotonic() >= deadline:
                raise lock_held_error(subject, _written_by_holder(file), hint=hint)
            time.sleep(_POLL_S)
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(holder()).encode(), 0)
        try:
            yield FileLock(file)
        finally:
            os.ftruncate(file, 0)
    finally:
        os.close(file)


def _is_locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written_by_holder(file: int) -> bytes:
    """Return what the holder of a lock wrote into *file*; wait briefly, because it writes after taking the lock."""
    for _ in range(10):
        content = os.pread(file, 1000, 0)
        if content:
            break
        time.sleep(_POLL_S)
    return content


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Create a hard link *target* to the file *source*, or a copy if the file system does not support that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _files(folder: str, prefix: str) -> Iterator[Entry]:
    """List *folder*, whose key is *prefix*; links to folders inside it are not followed, to avoid loops."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            key = joined(prefix, entry.name)
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, key)
            elif not entry.is_dir() and not is_draft(entry.name):
                with contextlib.suppress(FileNotFoundError):  # removed in the meantime
                    yield Entry(key, entry.stat().st_size)


def _read_error(error: OSError, path: str) -> OSError | CorpusmillError:
    """Return the exception for a *path* that cannot be read: `FileNotFoundError` if it is not a file."""
    if isinstance(error, FileNotFoundError | NotADirectoryError) or os.path.isdir(path):
        return FileNotFoundError(f"{path} does not exist")
    return disk_failure(error, action="read", address=path)
