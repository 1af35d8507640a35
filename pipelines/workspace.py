"""A workspace: the place of raw files, tasks, versions and runs, and its locks."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from corpusmill.pipelines.engines.store import SPILL, TaskStore
from corpusmill.schemas import DEFAULT_WORKSPACE
from corpusmill.schemas.errors import DamagedFileError, LockHeldError, UnfinishedError, UsageError
from corpusmill.schemas.raw import RawManifest, read_raw_manifest
from corpusmill.schemas.storage import Lock, Store, is_alive, open_store
from corpusmill.schemas.storage.cache import scratch_folder

LOCKS: Final = "locks"
_HALF_A_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?!//|:)")
_URL_WITHOUT_COLON: Final = re.compile(r"(s3|s3a|gs|gcs|az|abfs|file|memory|sftp|hdfs)//")
_RUNS: Final = """
CREATE TABLE IF NOT EXISTS runs (
  run TEXT PRIMARY KEY, dataset TEXT NOT NULL, recipe TEXT NOT NULL, engine TEXT NOT NULL,
  started_at TEXT NOT NULL, ended_at TEXT, status TEXT NOT NULL, version TEXT, message TEXT,
  pid INTEGER NOT NULL, host TEXT NOT NULL, steps TEXT NOT NULL DEFAULT '[]'
)
"""


@dataclass(frozen=True)
class Workspace:
    """The folder *root* and the store of shared files. Folders are created when they are needed.

    The database, the queues of crawls, the spills of exchanges and trained models are always in *root*, on this
    machine.

    Args:
        root: Absolute path.
        place: Folder or URL of the store for raw files, tasks, versions and locks; None means *root*.
    """

    root: Path
    place: str | None = None

    @cached_property
    def store(self) -> Store:
        """The store of raw files, tasks, versions and locks."""
        return open_store(self.root if self.place is None else self.place)

    @property
    def tasks(self) -> TaskStore:
        """The store of tasks and steps."""
        return TaskStore(self.store, scratch=self.root / SPILL)

    @property
    def database(self) -> Path:
        """The database of the catalog and the runs."""
        return self.root / "corpusmill.db"

    @property
    def versions(self) -> Path:
        """The folder of published versions, by data set, if the workspace is on this machine."""
        return self.root / "versions"

    def dataset(self, name: str) -> Store:
        """Return the store of the versions of the data set *name*."""
        return self.store.below(f"versions/{name}")

    def datasets(self) -> list[str]:
        """Return the names of the data sets, including those without a version."""
        return self.store.folders("versions")

    def sources(self) -> list[str]:
        """Return the names of the sources that have a manifest."""
        return [name for name in self.store.folders("raw") if self.store.exists(f"raw/{name}/manifest.json")]

    @property
    def models(self) -> Path:
        """The folder of trained models, by run."""
        return self.root / "models"

    def raw(self, source: str) -> Store:
        """Return the store of a source, with its manifest and its crawled or copied files."""
        return self.store.below(f"raw/{source}")

    def crawl_folder(self, source: str) -> Path:
        """The local folder in which a crawl writes its archives."""
        return self.root / "raw" / source

    def raw_manifest(self, source: str) -> RawManifest | None:
        """Return the manifest of a source; None if it was never acquired.

        Raises:
            DamagedFileError: The manifest cannot be read.
        """
        return read_raw_manifest(self.raw(source), source=source)

    def make(self) -> None:
        """Create the folder.

        Raises:
            UnfinishedError: The folder, the store, or the local folder for files of the store cannot be written.
        """
        if self.store.path() is None:
            scratch_folder()
        for store in {open_store(self.root), self.store}:
            try:
                store.probe()
            except UnfinishedError as error:
                message = f"the workspace {store.address()} cannot be written: {error.message}"
                raise UnfinishedError(
                    message, hint=f"{error.hint}; or use another workspace with --workspace"
                ) from error

    def free_bytes(self) -> int:
        """Return the free bytes on the disk of tasks and versions; if they are elsewhere, on the disk of *root*."""
        folder = self.store.path() or self.root
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    @contextlib.contextmanager
    def lock(self, kind: str, name: str) -> Iterator[Lock]:
        """Hold the lock of a data set or source; readers take none.

        Raises:
            LockHeldError: Another process holds the lock; the message names it.
            UnfinishedError: The store cannot be written.
        """
        subject = f"the {'data set' if kind == 'dataset' else kind} `{name}`"
        with contextlib.ExitStack() as stack:
            try:
                lock = stack.enter_context(self.store.lock(f"{LOCKS}/{kind}-{name}.lock", subject=subject))
            except LockHeldError:
                raise
            except UnfinishedError as error:
                message = f"the workspace {self.store.address()} cannot be written: {error}"
                raise UnfinishedError(message, hint=error.hint) from error
            yield lock

    @contextlib.contextmanager
    def _runs(self) -> Iterator[sqlite3.Connection]:
        """Open the database with the table of runs, and close it.

        Raises:
            DamagedFileError: The file is not a database.
            UnfinishedError: The disk is full, or the file is read-only or locked for long.
        """
        try:
            with contextlib.closing(sqlite3.connect(self.database, timeout=30, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                connection.execute(_RUNS)
                yield connection
        except sqlite3.OperationalError as error:
            hint = "free some space or correct the permissions, then run the same command again"
            raise UnfinishedError(
                f"the database cannot be used: {error}", file=str(self.database), hint=hint
            ) from error
        except sqlite3.DatabaseError as error:
            hint = "replace it with `corpusmill doctor --repair`; no version is lost"
            raise DamagedFileError(f"not a database ({error})", file=str(self.database), hint=hint) from error

    def start_run(self, *, dataset: str, recipe: str, engine: str) -> str:
        """Record the start of a run; return its name."""
        run = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        with self._runs() as connection:
            connection.execute(
                "INSERT INTO runs (run, dataset, recipe, engine, started_at, status, pid, host)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (run, dataset, recipe, engine, now_text(), "running", os.getpid(), socket.gethostname()),
            )
        return run

    def update_run(self, run: str, **changes: Any) -> None:
        """Change columns of a run; `steps` is a list of plain rows."""
        if "steps" in changes:
            changes["steps"] = json.dumps(changes["steps"])
        columns = ", ".join(f"{name} = ?" for name in changes)
        with self._runs() as connection:
            connection.execute(f"UPDATE runs SET {columns} WHERE run = ?", (*changes.values(), run))

    def runs(self, dataset: str | None = None) -> list[dict[str, Any]]:
        """Return the runs, newest first. A run whose process ended without recording it is ``interrupted``."""
        if not self.database.exists():
            return []
        with self._runs() as connection:
            rows = connection.execute("SELECT * FROM runs ORDER BY rowid DESC").fetchall()  # clocks jump
        runs = [{**dict(row), "steps": json.loads(row["steps"])} for row in rows]
        return [_seen(run) for run in runs if dataset is None or run["dataset"] == dataset]


def workspace_at(folder: str | Path | None = None, store: str | None = None) -> Workspace:
    """Return the workspace in *folder* with its shared files at *store*.

    Args:
        folder: By default the value of `CORPUSMILL_WORKSPACE`, or else ``./corpus``.
        store: Folder or URL; by default the value of `CORPUSMILL_STORE`, or else *folder*.

    Raises:
        UsageError: *store* is not a valid store.
    """
    root = Path(folder or os.environ.get("CORPUSMILL_WORKSPACE", DEFAULT_WORKSPACE)).absolute()
    place = store or os.environ.get("CORPUSMILL_STORE") or None
    return Workspace(root, None if place is None else _place(place))


def _place(text: str) -> str:
    """Return the absolute path or URL of the store that *text* names.

    A relative path that is probably a mistake is refused. A leading ``~`` is not expanded, because a scheduler or
    container that runs as another user would silently use another store.
    """
    if text.startswith("~"):
        raise UsageError(
            f"not a valid store: {text} (`~` was not expanded)",
            hint="write the absolute path; a shell expands `~` in `--store ~/corpus`, but not in `--store=~/corpus`",
        )
    if scheme := _URL_WITHOUT_COLON.match(text):
        raise UsageError(
            f"not a valid store: {scheme[1]}//… (`:` is missing)",
            hint=f"`{scheme[1]}://bucket/prefix`; for a folder of this name, write `./{scheme[1]}/…`",
        )
    if scheme := _HALF_A_URL.match(text):
        name = scheme[1]
        url = "file:///absolute/path" if name == "file" else f"{name}://bucket/prefix"
        raise UsageError(
            f"not a valid store: {name}:… (`//` is missing)",  # the rest may be a secret
            hint=f"`{url}`; for a folder whose name begins with `{name}:`, write `./{name}:…`",
        )
    store = open_store(text)
    store.refuse_read_only()
    return store.url


def _seen(run: Mapping[str, Any]) -> dict[str, Any]:
    if run["status"] == "running" and run["host"] == socket.gethostname() and not is_alive(run["pid"]):
        return {**run, "status": "interrupted"}
    return dict(run)


def now_text() -> str:
    """Return the current time in UTC as text."""
    return datetime.now(UTC).isoformat(timespec="seconds")
