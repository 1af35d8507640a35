"""Stores behind a URL, accessed through fsspec."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import logging
import os
import posixpath
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import fsspec
import pyarrow as pa

from corpusmill.schemas.errors import CorpusmillError, MissingExtraError, UnfinishedError, UsageError
from corpusmill.schemas.identity import canonical_json
from corpusmill.schemas.problems import nearest
from corpusmill.schemas.storage.attempts import attempt_name
from corpusmill.schemas.storage.base import Entry, Lock, Store
from corpusmill.schemas.storage.cache import cached, scratch_folder
from corpusmill.schemas.storage.failures import service_code, store_failure
from corpusmill.schemas.storage.keys import checked_key, joined
from corpusmill.schemas.storage.leases import LockObject, lease
from corpusmill.schemas.storage.local import file_lock
from corpusmill.schemas.storage.ranges import RangeFile

_PART_BYTES: Final = 16 << 20
"""Larger files are uploaded in parts of this size, four at a time."""
_DELETED_AT_ONCE: Final = 1000
_S3: Final = ("s3", "s3a")
_REFUSED: Final = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404"}
"""Error codes of S3 if a condition does not hold, or another process is writing."""
_STORES: Final = "use a folder, s3://bucket/prefix, gs://bucket/prefix, or another URL with an fsspec driver"
_WRAPPERS: Final = ("dir", "generic", "local")
"""Drivers of fsspec that wrap another driver or a local path; a local path is passed without a protocol."""
_REMOVING: Final = ("rm", "rm_file", "_rm", "_rm_file")
"""A driver that can remove files overrides one of these methods; read-only drivers (web pages, archives) do not."""

_log = logging.getLogger(__name__)


class ObjectStore(Store):
    """The objects under *url*, such as ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``memory://name``.

    Objects are written under their final names. Credentials and endpoint of S3 come from the variables of boto3:
    `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_PROFILE`, `AWS_ENDPOINT_URL`, `AWS_REGION` and so on.

    Raises:
        UsageError: *url* does not name a usable store.
        MissingExtraError: Its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self._protocol, _, place = url.partition("://")
        place = place.rstrip("/")
        self.url = f"{self._protocol}://{place}"
        if not _is_place(place):
            raise UsageError(
                f"not the URL of a store: {self._protocol}://…",  # the rest can contain a secret
                hint="use `s3://bucket/prefix`; credentials come from the environment (AWS_ACCESS_KEY_ID, …)",
            )
        self._root = _driver(self._protocol)._strip_protocol(self.url)

    @property
    def _fs(self) -> Any:
        """The driver, one per process, because its threads and connections do not survive a fork."""
        return _file_system(self._protocol, process=os.getpid())

    # -- places

    def address(self, key: str = "") -> str:
        return f"{self.url}/{checked_key(key)}" if key else self.url

    def below(self, prefix: str) -> ObjectStore:
        return ObjectStore(self.address(checked_key(prefix)))

    def path(self, key: str = "") -> None:
        return None

    def _path(self, key: str) -> str:
        return f"{self._root}/{checked_key(key)}"

    def _folder(self, prefix: str) -> str:
        return self._path(prefix) if prefix else self._root

    def refuse_read_only(self) -> None:
        if not _can_remove(_driver(self._protocol)):
            raise UsageError(f"not usable for a workspace: {self._protocol}:// is read-only", hint=_STORES)

    def probe(self) -> None:
        key = f".writable-{os.getpid()}-{os.urandom(4).hex()}"
        self.write(key, b"")
        try:
            self.read(key)
        finally:
            self.remove(key)

    # -- writing

    def write(self, key: str, data: bytes | str, *, sync: bool = False) -> None:
        path = self._path(key)
        with self._translating_errors("write", key):
            self._fs.pipe_file(path, data.encode() if isinstance(data, str) else data)

    @contextlib.contextmanager
    def creating(self, key: str | Callable[[], str], *, sync: bool = False) -> Iterator[Path]:
        if isinstance(key, str):
            checked_key(key)
        with _scratch("writing") as folder:
            # The driver guesses the media type of an object from the local name.
            path = folder / (posixpath.basename(key) if isinstance(key, str) else "file")
            yield path
            self._send(path, key if isinstance(key, str) else key())

    def put(self, path: Path, key: str) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist")
        self._send(path, key)

    def _send(self, path: Path, key: str) -> None:
        options = {"chunksize": _PART_BYTES, "max_concurrency": 4} if self._protocol in _S3 else {}
        target = self._path(key)
        with self._translating_errors("write", key):
            self._fs.put_file(str(path), target, **options)

    def append(self, key: str, line: str) -> None:
        try:
            before = self.read(key)
        except FileNotFoundError:
            before = b""
        torn = b"\n" * (before[-1:] not in (b"", b"\n"))
        self.write(key, before + torn + line.encode() + b"\n")

    def copy(self, key: str, to: str) -> None:
        source, target = self._path(key), self._path(to)
        self.size(key)
        with self._translating_errors("write", to):
            self._fs.cp_file(source, target)

    @contextlib.contextmanager
    def appearing_folder(self, prefix: str, *, last: str, check: Callable[[], None] = lambda: None) -> Iterator[Path]:
        checked_key(prefix)
        with _scratch("appearing") as folder:
            yield folder
            paths = sorted((path for path in folder.iterdir() if path.is_file()), key=lambda path: path.name)
            for path in sorted(paths, key=lambda path: path.name == last):
                if path.name == last:
                    check()
                self._send(path, f"{prefix}/{path.name}")

    def sweep(self, prefix: str, *, last: str) -> int:
        names = {entry.key[len(joined(prefix, "")) :].lstrip("/") for entry in self.files(prefix)}
        folders = {name.partition("/")[0] for name in names if "/" in name}
        left = [folder for folder in folders if f"{folder}/{last}" not in names]
        for folder in left:
            self.remove_folder(joined(prefix, folder))
        return len(left)

    # -- reading

    def read(self, key: str) -> bytes:
        path = self._path(key)
        with self._translating_errors("read", key):
            return bytes(self._fs.cat_file(path))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        path = self._path(key)
        if not length:
            return b""
        with self._translating_errors("read", key):
            try:
                return bytes(self._fs.cat_file(path, start=start, end=start + length))
            except OSError as error:
                if service_code(error) == "InvalidRange":  # the range starts after the end
                    return b""
                raise

    def open(self, key: str, *, size: int | None = None) -> pa.NativeFile:
        size = self.size(key) if size is None else size
        return pa.PythonFile(RangeFile(partial(self.read_range, key), size), mode="r")

    @contextlib.contextmanager
    def fetched(self, key: str) -> Iterator[Path]:
        info = {name: str(value) for name, value in self._info(key).items()}
        name = hashlib.sha256(canonical_json([self.address(key), info])).hexdigest()
        suffix = "".join(Path(key).suffixes[-2:])
        with cached(scratch_folder() / "fetched", name, lambda path: self._fetch(key, path), suffix=suffix) as path:
            yield path

    def _fetch(self, key: str, path: Path) -> None:
        with self._translating_errors("read", key):
            self._fs.get_file(self._path(key), str(path))

    # -- listing

    def _info(self, key: str) -> dict[str, Any]:
        path = self._path(key)
        with self._translating_errors("read", key):
            info: dict[str, Any] = self._fs.info(path)
        if info["type"] != "file":
            raise FileNotFoundError(f"{self.address(key)} is a folder")
        return info

    def size(self, key: str) -> int:
        return int(self._info(key)["size"])

    def files(self, prefix: str = "") -> list[Entry]:
        folder = self._folder(prefix)
        with self._translating_errors("list", prefix, is_needed=False):
            objects = self._fs.find(folder, detail=True)
            return sorted(
                Entry(path[len(self._root) + 1 :], int(info["size"]))
                for path, info in objects.items()
                if path.startswith(f"{folder}/") and not path.endswith("/")
            )
        return []

    def marks(self, prefix: str = "") -> dict[str, str]:
        folder = self._folder(prefix)
        with self._translating_errors("list", prefix, is_needed=False):
            objects = self._fs.find(folder, detail=True)
            return {
                path[len(self._root) + 1 :]: str(mark)
                for path, info in objects.items()
                if (mark := info.get("ETag") or info.get("created")) is not None
            }
        return {}

    def folders(self, prefix: str = "") -> list[str]:
        folder = self._folder(prefix)
        with self._translating_errors("list", prefix, is_needed=False):
            children = self._fs.ls(folder, detail=True)
            names = {posixpath.basename(info["name"].rstrip("/")) for info in children if info["type"] == "directory"}
            return sorted(name for name in names if not name.startswith("."))
        return []

    # -- removing

    def remove(self, *keys: str) -> None:
        paths = [self._path(key) for key in keys]
        if self._protocol in _S3:
            for first in range(0, len(paths), _DELETED_AT_ONCE):
                self._remove_from_s3(paths[first : first + _DELETED_AT_ONCE])
            return
        for key, path in zip(keys, paths, strict=True):
            with self._translating_errors("remove", key, is_needed=False):
                self._fs.rm_file(path)

    def _remove_from_s3(self, paths: list[str]) -> None:
        bucket = paths[0].partition("/")[0]
        objects = [{"Key": path.partition("/")[2]} for path in paths]
        with self._translating_errors("remove", ""):
            response = self._fs.call_s3("delete_objects", Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        for error in response.get("Errors", ()):
            reason = f"{error.get('Code')}: {error.get('Message')}"
            raise UnfinishedError(f"cannot remove: {reason}", file=f"{self._protocol}://{bucket}/{error.get('Key')}")

    def remove_folder(self, prefix: str) -> None:
        if self._protocol in _S3:
            self.remove(*(entry.key for entry in self.files(prefix)))
            return
        with self._translating_errors("remove", prefix, is_needed=False):  # some drivers keep empty folders
            self._fs.rm(self._folder(prefix), recursive=True)

    # -- locking

    @contextlib.contextmanager
    def lock(self, name: str, *, subject: str | None = None, wait_s: float = 0, lease_s: float = 60) -> Iterator[Lock]:
        subject = subject or f"`{checked_key(name)}`"
        with contextlib.ExitStack() as stack:
            try:
                lock: Lock = stack.enter_context(self._lease(name, subject=subject, wait_s=wait_s, lease_s=lease_s))
            except NotImplementedError:
                lock = stack.enter_context(self._machine_lock(name, subject=subject, wait_s=wait_s))
            yield lock

    def _lease(self, name: str, *, subject: str, wait_s: float, lease_s: float) -> AbstractContextManager[Lock]:
        if self._protocol not in _S3:
            raise NotImplementedError
        return lease(_S3Object(self, name), subject=subject, wait_s=wait_s, lease_s=lease_s)

    @contextlib.contextmanager
    def _machine_lock(self, name: str, *, subject: str, wait_s: float) -> Iterator[Lock]:
        """Hold a lock that only processes of this machine see, for stores without conditional writes."""
        place = self.address(checked_key(name))
        if self._protocol == "memory":
            place += f" of {os.getpid()}"
        else:
            _log.warning(
                "%s has no conditional writes: nothing prevents two machines from writing at the same time", self.url
            )
        file = hashlib.sha256(place.encode()).hexdigest()
        with file_lock(scratch_folder() / "locks" / file, subject=subject, wait_s=wait_s) as lock:
            yield lock

    @contextlib.contextmanager
    def _translating_errors(self, action: str, key: str, *, is_needed: bool = True) -> Iterator[None]:
        """Translate exceptions of the driver into errors with a hint.

        Raises:
            FileNotFoundError: *action* is ``read`` and the object does not exist.
        """
        try:
            yield
        except (CorpusmillError, NotImplementedError):
            raise
        except FileNotFoundError as error:
            if service_code(error) == "NoSuchBucket" or (is_needed and action != "read"):
                raise store_failure(error, action=action, address=self.address(key)) from error
            if is_needed:
                raise FileNotFoundError(f"{self.address(key)} does not exist") from error
        except Exception as error:
            raise store_failure(error, action=action, address=self.address(key)) from error


class _S3Object:
    """One object of S3 that supports conditional writes."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        bucket, _, name = store._path(key).partition("/")
        self._place = {"Bucket": bucket, "Key": name}

    def get(self) -> LockObject | None:
        fs = self._store._fs
        with self._store._translating_errors("lock", self._key, is_needed=False):
            response, content = fsspec.asyn.sync(fs.loop, self._get, fs)
            date = response["ResponseMetadata"]["HTTPHeaders"].get("date")
            now = parsedate_to_datetime(date) if date else datetime.now(UTC)
            return LockObject(content, response["ETag"], (now - response["LastModified"]).total_seconds())
        return None

    async def _get(self, fs: Any) -> tuple[dict[str, Any], bytes]:
        response = await fs._call_s3("get_object", **self._place)
        async with response["Body"] as body:
            return response, await body.read()

    def put(self, content: bytes, *, etag: str | None) -> str | None:
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self._store._translating_errors("lock", self._key):
            try:
                response = self._store._fs.call_s3("put_object", **self._place, Body=content, **condition)
            except OSError as error:
                if service_code(error) in _REFUSED:
                    return None
                if service_code(error) in {"NotImplemented", "501"}:
                    raise NotImplementedError from error
                raise
        return str(response["ETag"])


def _is_place(place: str) -> bool:
    """Return whether *place*, a URL without its protocol, is a bucket and an optional prefix inside it."""
    try:
        checked_key(place)
    except ValueError:
        return False
    return "@" not in place.partition("/")[0]


def _driver(protocol: str) -> Any:
    """Return the driver class of *protocol*; chained drivers (``simplecache::s3``) are refused."""
    try:
        if ":" in protocol or protocol in _WRAPPERS:
            raise ValueError(protocol)
        driver = fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        if protocol in _S3:
            raise MissingExtraError.of("s3", "s3fs") from error
        raise UsageError(f"there is no driver for {protocol}://", hint=str(error)) from error
    except ValueError as error:
        close = nearest(
            protocol, ("file", "memory", "s3", "gs", "az", "abfs", "sftp", "hdfs", *fsspec.available_protocols())
        )
        hint = f"did you mean `{close}://`? {_STORES}" if close else _STORES
        raise UsageError(f"unknown protocol {protocol}://", hint=hint) from error
    if argument := _required_argument(driver):
        raise UsageError(f"not usable: the driver of {protocol}:// needs {argument} besides the URL", hint=_STORES)
    return driver


@cache
def _required_argument(driver: Any) -> str:
    """Return the first required argument of the class *driver*; empty if a URL is enough."""
    parameters = list(inspect.signature(driver.__init__).parameters.values())[1:]
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return next((f"`{each.name}`" for each in parameters if each.default is each.empty and each.kind in plain), "")


@cache
def _can_remove(driver: Any) -> bool:
    """Return whether the class *driver* implements the removal of files."""
    from fsspec.asyn import AsyncFileSystem

    bases = (fsspec.AbstractFileSystem, AsyncFileSystem)
    inherited = {getattr(base, name, None) for base in bases for name in _REMOVING}
    return any(getattr(driver, name, None) not in inherited for name in _REMOVING)


@cache
def _file_system(protocol: str, *, process: int) -> Any:  # noqa: ARG001 - part of the cache key
    """Open the driver of *protocol* for this process, whose id is *process*."""
    options: dict[str, Any] = {} if protocol == "memory" else {"use_listings_cache": False}
    if protocol in _S3:
        options["config_kwargs"] = {"connect_timeout": 10, "read_timeout": 60}
        region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")
        if region:
            options["client_kwargs"] = {"region_name": region}
    return fsspec.filesystem(protocol, **options)


@contextlib.contextmanager
def _scratch(prefix: str) -> Iterator[Path]:
    """Yield an empty folder that is removed with its content when the block ends."""
    folder = scratch_folder() / f"{prefix}.{attempt_name()}.tmp"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
