"""A workspace: where raw files, tasks, versions and the record of runs lie, and who works in it."""

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
    """The folder *root* and the store that holds what is shared; nothing is made before it is needed.

    On this machine, in *root*, lie in any case: the database, the queues of crawls, what is on its way through an
    exchange, and trained models.

    Args:
        root: Absolute.
        place: Folder or URL of the store for raw files, tasks, versions and locks; None is *root*.
    """

    root: Path
    place: str | None = None

    @cached_property
    def store(self) -> Store:
        """Where raw files, tasks, versions and locks lie."""
        return open_store(self.root if self.place is None else self.place)

    @property
    def tasks(self) -> TaskStore:
        """Where tasks and steps lie."""
        return TaskStore(self.store, scratch=self.root / SPILL)

    @property
    def database(self) -> Path:
        """Catalog and runs."""
        return self.root / "corpusmill.db"

    @property
    def versions(self) -> Path:
        """Published versions, by data set, of a workspace that lies on this machine."""
        return self.root / "versions"

    def dataset(self, name: str) -> Store:
        """Return the store of the versions of the data set *name*."""
        return self.store.below(f"versions/{name}")

    def datasets(self) -> list[str]:
        """Return the names of the data sets, those that have no version yet too."""
        return self.store.folders("versions")

    def sources(self) -> list[str]:
        """Return the names of the sources that have a manifest."""
        return [name for name in self.store.folders("raw") if self.store.exists(f"raw/{name}/manifest.json")]

    @property
    def models(self) -> Path:
        """Trained models, by run."""
        return self.root / "models"

    def raw(self, source: str) -> Store:
        """Return the store of a source: its manifest, and the files that were crawled or copied."""
        return self.store.below(f"raw/{source}")

    def crawl_folder(self, source: str) -> Path:
        """The local folder in which the archives of a crawl grow."""
        return self.root / "raw" / source

    def raw_manifest(self, source: str) -> RawManifest | None:
        """Give the manifest of a source, None when it was never got.

        Raises:
            DamagedFileError: The manifest cannot be read.
        """
        return read_raw_manifest(self.raw(source), source=source)

    def make(self) -> None:
        """Make the folder.

        Raises:
            UnfinishedError: It, or the store, cannot be made or written; or what goes to the store has no place here.
        """
        if self.store.path() is None:
            scratch_folder()
        for store in {open_store(self.root), self.store}:
            try:
                store.probe()
            except UnfinishedError as error:
                message = f"the workspace {store.address()} cannot be written: {error.message}"
                raise UnfinishedError(message, hint=f"{error.hint}; or give another one with --workspace") from error

    def free_bytes(self) -> int:
        """Give the free bytes of the disk of tasks and versions; where these lie elsewhere, of that of the folder."""
        folder = self.store.path() or self.root
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    @contextlib.contextmanager
    def lock(self, kind: str, name: str) -> Iterator[Lock]:
        """Hold the lock of a data set or source; readers take none.

        Raises:
            LockHeldError: Somebody else holds it; the message names them.
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
        """Open the database, in which the table of runs is, and close it.

        Raises:
            DamagedFileError: It is no database.
            UnfinishedError: It cannot be read or written now: the disk is full, the file read-only or held for long.
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
            hint = "`corpusmill doctor --repair` sets it aside and makes a new one; no version is lost"
            raise DamagedFileError(f"not a database ({error})", file=str(self.database), hint=hint) from error

    def start_run(self, *, dataset: str, recipe: str, engine: str) -> str:
        """Record that a run begins; give its name."""
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
        """Give the runs, newest first; one whose process is gone without a word is ``interrupted``."""
        if not self.database.exists():
            return []
        with self._runs() as connection:
            rows = connection.execute("SELECT * FROM runs ORDER BY started_at DESC, run DESC").fetchall()
        runs = [{**dict(row), "steps": json.loads(row["steps"])} for row in rows]
        return [_seen(run) for run in runs if dataset is None or run["dataset"] == dataset]


def workspace_at(folder: str | Path | None = None, store: str | None = None) -> Workspace:
    """Return the workspace in *folder* whose shared part lies at *store*.

    Args:
        folder: By default what `CORPUSMILL_WORKSPACE` names, else ``./corpus``.
        store: Folder or URL; by default what `CORPUSMILL_STORE` names, else *folder*.

    Raises:
        UsageError: *store* names no store that can be used.
    """
    root = Path(folder or os.environ.get("CORPUSMILL_WORKSPACE", DEFAULT_WORKSPACE)).absolute()
    place = store or os.environ.get("CORPUSMILL_STORE") or None
    return Workspace(root, None if place is None else _place(place))


def _place(text: str) -> str:
    """Return the absolute path or URL of the store that *text* names.

    What reads as a relative path and is hardly meant as one is refused. A leading ``~`` is not expanded: a store is
    shared, and a scheduler or container that runs as another user would silently work in another one.
    """
    if text.startswith("~"):
        raise UsageError(
            f"not the place of a store: {text} (`~` was not expanded)",
            hint="write the absolute path; a shell expands `~` in `--store ~/corpus`, but not in `--store=~/corpus`",
        )
    if scheme := _URL_WITHOUT_COLON.match(text):
        raise UsageError(
            f"not the place of a store: {scheme[1]}//… (`:` is missing)",
            hint=f"`{scheme[1]}://bucket/prefix`; for a folder of this name, write `./{scheme[1]}/…`",
        )
    if scheme := _HALF_A_URL.match(text):
        what = scheme[1]
        url = "file:///absolute/path" if what == "file" else f"{what}://bucket/prefix"
        raise UsageError(
            f"not the place of a store: {what}:… (`//` is missing)",  # what follows may be a secret
            hint=f"`{url}`; for a folder whose name begins with `{what}:`, write `./{what}:…`",
        )
    store = open_store(text)
    store.refuse_read_only()
    return store.url


def _seen(run: Mapping[str, Any]) -> dict[str, Any]:
    if run["status"] == "running" and run["host"] == socket.gethostname() and not is_alive(run["pid"]):
        return {**run, "status": "interrupted"}
    return dict(run)


def now_text() -> str:
    """Give the time as text, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
