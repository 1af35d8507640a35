"""A read-only fsspec driver that serves a fixed list of files from stores, for DuckDB."""

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
    """Serves *files*, and no others, for reading; the name of a file is ``corpusmill://`` followed by its address.

    A library that calls the driver replaces our errors with its own, so the last one is kept in `failure`.
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
        """Return *path* itself if it is served; wildcards are not expanded."""
        return [path] if path in self._files else []

    def exists(self, path: str, **options: Any) -> bool:
        return path in self._files

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        return {"name": path, "size": self._file(path).size, "type": "file"}

    def modified(self, path: str) -> datetime:
        """Return the same time for all files, because files in a manifest never change."""
        return _EPOCH

    def open(self, path: str, mode: str = "rb", **options: Any) -> pa.NativeFile:
        """Open a file; on a store, each read is a request for a range of bytes.

        Raises:
            PermissionError: *mode* is not ``rb``.
        """
        if mode != "rb":
            raise PermissionError(f"{path} is served read-only")
        file = self._file(path)
        return pa.PythonFile(_RecordingFile(file, self), mode="r")


class _RecordingFile:
    """A file that records errors of reading in `ServedFiles.failure`.

    The threads of a query share the file, and each seeks before it reads, so each thread has a position of its own.
    """

    closed = False

    def __init__(self, file: StoredFile, served: ServedFiles) -> None:
        self._served = served
        self._stored = file
        # By thread id: `threading.local` loses its values whenever a thread that Python did not start leaves Python.
        self._by_thread: dict[int, pa.NativeFile] = {}

    @property
    def _file(self) -> pa.NativeFile:
        thread = threading.get_ident()
        if thread not in self._by_thread:
            self._by_thread[thread] = self._recorded(self._stored.open)
        return self._by_thread[thread]

    def _recorded(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except CorpusmillError as error:
            self._served.failure = error
            raise

    def read(self, size: int = -1) -> bytes:
        return bytes(self._recorded(self._file.read, None if size < 0 else size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._by_thread.clear()


def served_name(file: StoredFile) -> str:
    """Return the name under which `ServedFiles` serves *file*."""
    return f"{PROTOCOL}://{file.address}"
