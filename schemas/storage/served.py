"""Some files of stores, for a library that takes an fsspec driver and asks for nothing else (DuckDB)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
from fsspec.spec import AbstractFileSystem

from corpusmill.schemas.errors import CorpusmillError
from corpusmill.schemas.storage.base import StoredFile

PROTOCOL: Final = "corpusmill"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ServedFiles(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """Serves *files*, and no other, for reading; the name of a file is ``corpusmill://`` and its address.

    A library that calls it turns our errors into its own: `failure` is the last one.
    """

    protocol = PROTOCOL
    cachable = False

    def __init__(self, files: Iterable[StoredFile]) -> None:
        super().__init__()
        self._files = {served_name(file): file for file in files}
        self.failure: CorpusmillError | None = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path

    def _file(self, path: str) -> StoredFile:
        if path not in self._files:
            raise FileNotFoundError(path)
        return self._files[path]

    def glob(self, path: str, **options: Any) -> list[str]:
        """Return *path* itself where it is served: names are taken literally."""
        return [path] if path in self._files else []

    def exists(self, path: str, **options: Any) -> bool:
        return path in self._files

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        return {"name": path, "size": self._file(path).size, "type": "file"}

    def modified(self, path: str) -> datetime:
        """Return one time for all: what a manifest lists is never written again."""
        return _EPOCH

    def open(self, path: str, mode: str = "rb", **options: Any) -> pa.NativeFile:
        """Open a file; each read is a request for a range.

        Raises:
            PermissionError: It was to be written.
        """
        if mode != "rb":
            raise PermissionError(f"{path} is served for reading")
        file = self._file(path)
        return pa.PythonFile(_Noting(file, self), mode="r")


class _Noting:
    """A file that notes why it could not be read.

    Threads of one query share it, and each of them seeks before it reads: so each has a place of its own.
    """

    closed = False

    def __init__(self, file: StoredFile, served: ServedFiles) -> None:
        self._served = served
        self._stored = file
        # By number: what `threading.local` holds is gone when a thread that is not Python's leaves Python.
        self._of_thread: dict[int, pa.NativeFile] = {}

    @property
    def _file(self) -> pa.NativeFile:
        thread = threading.get_ident()
        if thread not in self._of_thread:
            self._of_thread[thread] = self._noted(self._stored.open)
        return self._of_thread[thread]

    def _noted(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except CorpusmillError as error:
            self._served.failure = error
            raise

    def read(self, size: int = -1) -> bytes:
        return bytes(self._noted(self._file.read, None if size < 0 else size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._of_thread.clear()


def served_name(file: StoredFile) -> str:
    """Return the name under which `ServedFiles` serves *file*."""
    return f"{PROTOCOL}://{file.address}"
