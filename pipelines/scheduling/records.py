"""Schedules and their runs, as the table stores them and as ``--json`` prints them."""

from __future__ import annotations

import json
import socket
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from corpusmill.pipelines.scheduling.cron import Cron
from corpusmill.schemas.storage import is_alive

RUNNING: Final = "running"
RETRYING: Final = "retrying"
"""The status of a run that waits for its next attempt."""
INTERRUPTED: Final = "interrupted"
FAILED: Final = "failed"


@dataclass(frozen=True)
class Schedule:
    """A recipe and the times at which it runs.

    Args:
        recipe: Absolute path.
        retries: Further attempts after a failed one.
        webhook: URL that gets a notice about each run.
        keep: After a successful run, ``gc --keep`` keeps the intermediate results of this many versions.
        next: The first due time that no run stands for, in UTC.
    """

    name: str
    recipe: str
    cron: str
    timezone: str
    retries: int
    webhook: str | None
    keep: int | None
    added_at: datetime
    next: datetime

    @property
    def times(self) -> Cron:
        """The times at which it is due."""
        return Cron(self.cron, self.timezone)


@dataclass(frozen=True)
class Run:
    """A run of a schedule, which may take several attempts.

    Args:
        due: The last due time that it stands for, in UTC; the time of the request for a run that was not due.
        missed: Number of due times that it stands for: 1 if it is on time, 0 if it was not due.
        ended_at: None while it is unfinished: running, waiting for its next attempt, or interrupted.
        exit: Exit code of the last attempt that ended.
        attempts: Number of attempts, including those that were interrupted.
        exits: The exit code of each attempt; None for one that was interrupted, or is running.
        documents: Number of published documents.
    """

    run: int
    name: str
    due: datetime
    missed: int
    started_at: datetime
    ended_at: datetime | None
    status: str
    exit: int | None
    version: str | None
    documents: int | None
    message: str | None
    webhook_error: str | None
    exits: tuple[int | None, ...]

    @property
    def attempts(self) -> int:
        """The number of attempts."""
        return len(self.exits)

    @property
    def is_success(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.ended_at is not None and self.exit == 0

    def as_dict(self) -> dict[str, Any]:
        """Return the run as ``schedule history --json`` prints it."""
        return {
            "name": self.name,
            "due": as_text(self.due),
            "started_at": as_text(self.started_at),
            "ended_at": as_text(self.ended_at),
            "status": self.status,
            "exit": self.exit,
            "version": self.version,
            "attempts": self.attempts,
            "missed": self.missed,
            "documents": self.documents,
            "exits": list(self.exits),
            "message": self.message,
            "webhook_error": self.webhook_error,
        }


def schedule_of(row: sqlite3.Row) -> Schedule:
    """Return the schedule in a row of the table."""
    times = {name: datetime.fromisoformat(row[name]) for name in ("added_at", "next")}
    return Schedule(**{**dict(row), **times})


def run_of(row: sqlite3.Row) -> Run:
    """Return the run in a row of the table. If it is unfinished and its process has ended, it is ``interrupted``."""
    fields = {name: row[name] for name in row.keys() if name not in ("pid", "host")}  # noqa: SIM118 - not a dictionary
    for name in ("due", "started_at", "ended_at"):
        fields[name] = None if fields[name] is None else datetime.fromisoformat(fields[name])
    fields["exits"] = tuple(json.loads(fields["exits"]))
    if fields["ended_at"] is None and row["host"] == socket.gethostname() and not is_alive(row["pid"]):
        fields["status"] = INTERRUPTED
    return Run(**fields)


def as_stored(value: Any) -> Any:
    """Return *value* for the database: a time as text in UTC, so that texts sort like times."""
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def as_text(moment: datetime | None) -> str | None:
    """Return *moment* in UTC, to the second, as ``--json`` prints it.

    >>> as_text(datetime.fromisoformat("2026-03-29T03:00:00.5+02:00"))
    '2026-03-29T01:00:00+00:00'
    """
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
