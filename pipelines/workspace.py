"""A workspace: where raw files, tasks, versions and the record of runs lie, and who works in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from corpusmill.pipelines.engines.attempts import is_alive
from corpusmill.schemas.errors import DamagedFileError, UnfinishedError
from corpusmill.schemas.raw import RawManifest

_RUNS = """
CREATE TABLE IF NOT EXISTS runs (
  run TEXT PRIMARY KEY, dataset TEXT NOT NULL, recipe TEXT NOT NULL, engine TEXT NOT NULL,
  started_at TEXT NOT NULL, ended_at TEXT, status TEXT NOT NULL, version TEXT, message TEXT,
  pid INTEGER NOT NULL, host TEXT NOT NULL, steps TEXT NOT NULL DEFAULT '[]'
)
"""


@dataclass(frozen=True)
class Workspace:
    """The folder *root*; nothing is made before it is needed."""

    root: Path

    @property
    def database(self) -> Path:
        """Catalog and runs."""
        return self.root / "corpusmill.db"

    @property
    def versions(self) -> Path:
        """Published versions, by data set."""
        return self.root / "versions"

    @property
    def models(self) -> Path:
        """Trained models, by run."""
        return self.root / "models"

    def raw(self, source: str) -> Path:
        """The folder of a source."""
        return self.root / "raw" / source

    def raw_manifest(self, source: str) -> RawManifest | None:
        """Give the manifest of a source, None when it was never got.

        Raises:
            DamagedFileError: The manifest cannot be read.
        """
        path = self.raw(source) / "manifest.json"
        if not path.exists():
            return None
        try:
            return RawManifest.model_validate_json(path.read_bytes())
        except ValidationError as error:
            hint = f"remove it and get the source `{source}` again"
            raise DamagedFileError(f"not a raw manifest: {error}", file=str(path), hint=hint) from error

    def make(self) -> None:
        """Make the folder.

        Raises:
            UnfinishedError: It cannot be made or written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UnfinishedError(
                f"the workspace {self.root} cannot be written: {error.strerror or error}",
                hint="give another folder with --workspace, or change its owner or mode",
            ) from error

    def free_bytes(self) -> int:
        """Give the bytes that are free on the disk of the workspace."""
        folder = self.root
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    @contextlib.contextmanager
    def lock(self, kind: str, name: str) -> Iterator[None]:
        """Hold the lock of a data set or source; readers take none.

        Raises:
            UnfinishedError: Somebody else holds it; the message names them.
        """
        path = self.root / "locks" / f"{kind}-{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _held(path, kind, name) from None
            file.seek(0)
            file.truncate()
            file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now_text()}))
            file.flush()
            try:
                yield
            finally:
                file.seek(0)
                file.truncate()

    def connect(self) -> sqlite3.Connection:
        """Open the database."""
        connection = sqlite3.connect(self.database, timeout=30, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute(_RUNS)
        except sqlite3.OperationalError:
            connection.close()
            raise
        except sqlite3.DatabaseError as error:
            connection.close()
            hint = "`corpusmill doctor --repair` sets it aside and makes a new one; no version is lost"
            raise DamagedFileError(f"not a database ({error})", file=str(self.database), hint=hint) from error
        return connection

    def start_run(self, *, dataset: str, recipe: str, engine: str) -> str:
        """Record that a run begins; give its name."""
        run = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        with contextlib.closing(self.connect()) as connection:
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
        with contextlib.closing(self.connect()) as connection:
            connection.execute(f"UPDATE runs SET {columns} WHERE run = ?", (*changes.values(), run))

    def runs(self, dataset: str | None = None) -> list[dict[str, Any]]:
        """Give the runs, newest first; one whose process is gone without a word is ``interrupted``."""
        if not self.database.exists():
            return []
        with contextlib.closing(self.connect()) as connection:
            rows = connection.execute("SELECT * FROM runs ORDER BY started_at DESC, run DESC").fetchall()
        runs = [{**dict(row), "steps": json.loads(row["steps"])} for row in rows]
        return [_seen(run) for run in runs if dataset is None or run["dataset"] == dataset]


def _held(path: Path, kind: str, name: str) -> UnfinishedError:
    try:
        holder = json.loads(path.read_text())
        who = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError):
        who = "another process"
    what = "data set" if kind == "dataset" else kind
    return UnfinishedError(f"the {what} `{name}` is being worked on by {who}", hint="wait for it, then run again")


def _seen(run: Mapping[str, Any]) -> dict[str, Any]:
    if run["status"] == "running" and run["host"] == socket.gethostname() and not is_alive(run["pid"]):
        return {**run, "status": "interrupted"}
    return dict(run)


def now_text() -> str:
    """Give the time as text, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
