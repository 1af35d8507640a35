"""The files of a schedule on this machine: ``schedules/NAME/lock`` and ``schedules/NAME/logs/<due>.log``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.storage import LocalStore, file_lock
from corpusmill.schemas.storage.local import FileLock

SCHEDULES: Final = "schedules"
KEPT_LOGS: Final = 100
"""Logs of each schedule that are kept, the newest ones."""


def schedules_store(workspace: Workspace) -> LocalStore:
    """Return the folder of all schedules. It is on this machine even if the workspace has a store elsewhere."""
    return LocalStore(workspace.root / SCHEDULES)


def schedule_lock(workspace: Workspace, name: str) -> AbstractContextManager[FileLock]:
    """Hold the lock of the schedule *name*, without waiting.

    The processes that run it inherit the lock, so it is free when, and only when, all of them have ended.

    Raises:
        LockHeldError: A process runs the schedule.
        OSError: The folder cannot be written.
    """
    return file_lock(workspace.root / SCHEDULES / name / "lock", subject=f"the schedule `{name}`")


def log_path(workspace: Workspace, name: str, due: datetime) -> Path:
    """Return the path of the log of the run for *due*."""
    return workspace.root / SCHEDULES / name / "logs" / f"{due.astimezone(UTC):%Y%m%dT%H%M%SZ}.log"


@contextlib.contextmanager
def appended_log(workspace: Workspace, name: str, due: datetime) -> Iterator[BinaryIO]:
    """Yield the log of the run for *due*, open for appending, and remove the oldest logs beyond `KEPT_LOGS`.

    Raises:
        OSError: The folder cannot be written.
    """
    path = log_path(workspace, name, due)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as log:
        store = schedules_store(workspace)
        store.remove(*[entry.key for entry in store.files(f"{name}/logs")][:-KEPT_LOGS])
        yield log


def remove_files(workspace: Workspace, name: str) -> None:
    """Remove the logs and the lock of the schedule *name*, whose lock the caller holds."""
    schedules_store(workspace).remove_folder(name)
