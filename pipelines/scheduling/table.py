"""The table of schedules, their runs and the attempts of each run: ``schedules.db`` in the workspace.

It is a file of its own because ``doctor --repair`` may replace the database of the catalog, which is only an index.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from corpusmill.pipelines.scheduling.pruning import REMOVED_TABLE, remove_old_runs
from corpusmill.pipelines.scheduling.records import RUNNING, Run, Schedule, as_stored, run_of, schedule_of
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError, UnfinishedError, UsageError
from corpusmill.schemas.problems import hint_among

_WAIT_S: Final = 30
"""How long to wait for another process that writes to the table."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS schedules (
  name TEXT PRIMARY KEY, recipe TEXT NOT NULL, cron TEXT NOT NULL, timezone TEXT NOT NULL, retries INTEGER NOT NULL,
  webhook TEXT, keep INTEGER, added_at TEXT NOT NULL, next TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS runs (
  run INTEGER PRIMARY KEY, name TEXT NOT NULL, due TEXT NOT NULL, missed INTEGER NOT NULL,
  started_at TEXT NOT NULL, ended_at TEXT, status TEXT NOT NULL, exit INTEGER, version TEXT, documents INTEGER,
  message TEXT, webhook_error TEXT, pid INTEGER NOT NULL, host TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS attempts (
  run INTEGER NOT NULL, number INTEGER NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, exit INTEGER,
  PRIMARY KEY (run, number)
);
CREATE INDEX IF NOT EXISTS runs_of_a_schedule ON runs (name, run);
CREATE UNIQUE INDEX IF NOT EXISTS one_unfinished_run ON runs (name) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS each_due_time_once ON runs (name, due) WHERE missed > 0;
"""


_SELECT_RUNS: Final = """
SELECT *, (
  SELECT json_group_array(exit) FROM (SELECT exit FROM attempts WHERE attempts.run = runs.run ORDER BY number)
) AS exits FROM runs
"""


_TOTALS: Final = """
SELECT status, sum(number) AS number FROM (
  SELECT status, 1 AS number FROM runs WHERE name = ? AND ended_at IS NOT NULL
  UNION ALL SELECT status, number FROM removed_runs WHERE name = ?
) GROUP BY status ORDER BY status
"""


class Table:
    """The schedules of a workspace. Each call opens the database, so that threads and processes can share it."""

    def __init__(self, workspace: Workspace) -> None:
        self.path: Path = workspace.root / "schedules.db"

    # -- schedules

    def add(self, schedule: Schedule) -> None:
        """Store a new schedule.

        Raises:
            UsageError: There is a schedule of this name.
        """
        row = {name: as_stored(value) for name, value in asdict(schedule).items()}
        columns = ", ".join(row)
        try:
            with self._writing() as connection:
                connection.execute(
                    f"INSERT INTO schedules ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
                )
        except sqlite3.IntegrityError:
            raise UsageError(
                f"there is a schedule `{schedule.name}` already",
                hint=f"choose another name, or remove it with `corpusmill schedule remove {schedule.name}`",
            ) from None

    def remove(self, name: str) -> None:
        """Remove a schedule and the record of its runs."""
        with self._writing() as connection:
            connection.execute("DELETE FROM attempts WHERE run IN (SELECT run FROM runs WHERE name = ?)", (name,))
            connection.execute("DELETE FROM runs WHERE name = ?", (name,))
            connection.execute("DELETE FROM removed_runs WHERE name = ?", (name,))
            connection.execute("DELETE FROM schedules WHERE name = ?", (name,))

    def schedules(self) -> list[Schedule]:
        """Return all schedules, sorted by name."""
        return [schedule_of(row) for row in self._rows("SELECT * FROM schedules ORDER BY name")]

    def schedule(self, name: str) -> Schedule:
        """Return the schedule *name*.

        Raises:
            UsageError: There is no such schedule.
        """
        for row in self._rows("SELECT * FROM schedules WHERE name = ?", name):
            return schedule_of(row)
        names = [schedule.name for schedule in self.schedules()]
        hint = hint_among(name, names, noun="schedules") or "add one with `corpusmill schedule add NAME RECIPE`"
        raise UsageError(f"there is no schedule `{name}`", hint=hint)

    def is_ready(self, schedule: Schedule, now: datetime) -> bool:
        """Return whether *schedule* is due at *now*, or has an unfinished run."""
        return schedule.next <= now or self.unfinished(schedule.name) is not None

    # -- runs

    def claim(self, name: str, now: datetime, *, is_simulated: bool = False, is_asked_for: bool = False) -> Run | None:
        """Record a run that stands for all due times up to *now*; return None if there are none.

        One transaction reads the next due time, moves it behind *now* and records the run, so a due time is never
        claimed twice, and never lost. Old runs are removed.

        Args:
            is_simulated: *now* is not the time of the clock. A schedule that has not run yet begins at *now* if that
                is before the schedule was added.
            is_asked_for: Record a run even if it is not due.

        Raises:
            UsageError: There is no such schedule.
        """
        with self._writing() as connection:
            row = connection.execute("SELECT * FROM schedules WHERE name = ?", (name,)).fetchone()
            if row is None:
                self.schedule(name)
            schedule = schedule_of(row)
            times, first = schedule.times, schedule.next
            if is_simulated and now < schedule.added_at and not _has_run(connection, name):
                first = times.after(now - datetime.resolution) or first
            due = times.latest(now, since=first) if first <= now else None
            missed = 0 if due is None else times.count(first, due)
            following = first if due is None else times.after(now)
            assert following is not None, "what was due once is due again"
            connection.execute("UPDATE schedules SET next = ? WHERE name = ?", (as_stored(following), name))
            if due is None and not is_asked_for:
                return None
            started_at = datetime.now(UTC)
            values = (name, as_stored(due or now), missed, as_stored(started_at), RUNNING, *_holder())
            cursor = connection.execute(
                "INSERT INTO runs (name, due, missed, started_at, status, pid, host) VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            remove_old_runs(connection, name)
            return _run(connection, cursor.lastrowid)

    def unfinished(self, name: str) -> Run | None:
        """Return the unfinished run of the schedule *name*; there is at most one."""
        runs = self._runs("WHERE name = ? AND ended_at IS NULL", name)
        return runs[0] if runs else None

    def start_attempt(self, run: Run) -> Run:
        """Record that an attempt starts, in this process."""
        with self._writing() as connection:
            pid, host = _holder()
            connection.execute(
                "UPDATE runs SET status = ?, pid = ?, host = ? WHERE run = ?", (RUNNING, pid, host, run.run)
            )
            connection.execute(
                "INSERT INTO attempts (run, number, started_at) VALUES (?, ?, ?)",
                (run.run, run.attempts + 1, as_stored(datetime.now(UTC))),
            )
            return _run(connection, run.run)

    def end_attempt(self, run: Run, exit_code: int | None, *, is_last: bool, **changes: Any) -> Run:
        """Record that the last attempt ended, and the run with it if *is_last*; *changes* are columns of the run.

        Args:
            exit_code: None if it was interrupted, so that the run stays unfinished.
        """
        now = as_stored(datetime.now(UTC))
        changes |= {"exit": exit_code} | ({"ended_at": now} if is_last else {})
        with self._writing() as connection:
            connection.execute(
                "UPDATE attempts SET ended_at = ?, exit = ? WHERE run = ? AND number = ?",
                (now, exit_code, run.run, run.attempts),
            )
            _update(connection, run.run, changes)
            return _run(connection, run.run)

    def update_run(self, run: Run, **changes: Any) -> Run:
        """Change columns of a run."""
        with self._writing() as connection:
            _update(connection, run.run, changes)
            return _run(connection, run.run)

    def history(self, name: str | None = None) -> list[Run]:
        """Return the runs of the schedule *name*, or of all schedules, newest first.

        An unfinished run whose process has ended is ``interrupted``.
        """
        where = "" if name is None else "WHERE name = ? "
        return self._runs(f"{where}ORDER BY run DESC", *([] if name is None else [name]))

    def last(self, name: str) -> Run | None:
        """Return the newest run of the schedule *name*."""
        runs = self._runs("WHERE name = ? ORDER BY run DESC LIMIT 1", name)
        return runs[0] if runs else None

    def last_ended(self, name: str) -> Run | None:
        """Return the newest run of the schedule *name* that is not unfinished."""
        runs = self._runs("WHERE name = ? AND ended_at IS NOT NULL ORDER BY run DESC LIMIT 1", name)
        return runs[0] if runs else None

    def last_success(self, name: str) -> Run | None:
        """Return the newest successful run of the schedule *name*."""
        runs = self._runs("WHERE name = ? AND exit = 0 AND ended_at IS NOT NULL ORDER BY run DESC LIMIT 1", name)
        return runs[0] if runs else None

    def totals(self, name: str) -> dict[str, int]:
        """Return the number of finished runs of the schedule *name* by status, with those that were removed."""
        rows = self._rows(_TOTALS, name, name)
        return {row["status"]: row["number"] for row in rows}

    # -- the database

    def _rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        if not self.path.exists():
            return []
        with self._open() as connection:
            return connection.execute(query, values).fetchall()

    def _runs(self, rest: str, *values: Any) -> list[Run]:
        if not self.path.exists():
            return []
        with self._open() as connection:
            return [run_of(row) for row in connection.execute(f"{_SELECT_RUNS} {rest}", values)]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open the database for one transaction, which begins by locking it."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the database and close it.

        Raises:
            DamagedFileError: The file is not a database.
            UnfinishedError: The disk is full, or the file is read-only or locked for long.
        """
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                connection.executescript(_TABLES + REMOVED_TABLE)
                yield connection
        except sqlite3.IntegrityError:
            raise
        except sqlite3.OperationalError as error:
            hint = "free some space or correct the permissions, then run the same command again"
            raise UnfinishedError(f"the schedules cannot be used: {error}", file=str(self.path), hint=hint) from error
        except sqlite3.DatabaseError as error:
            hint = "restore it from a copy, or move it away and add the schedules again"
            raise DamagedFileError(f"not a database ({error})", file=str(self.path), hint=hint) from error


def _holder() -> tuple[int, str]:
    return os.getpid(), socket.gethostname()


def _has_run(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM runs WHERE name = ? LIMIT 1", (name,)).fetchone() is not None


def _update(connection: sqlite3.Connection, run: int, changes: Mapping[str, Any]) -> None:
    columns = ", ".join(f"{name} = ?" for name in changes)
    connection.execute(f"UPDATE runs SET {columns} WHERE run = ?", (*changes.values(), run))


def _run(connection: sqlite3.Connection, run: int | None) -> Run:
    return run_of(connection.execute(f"{_SELECT_RUNS} WHERE run = ?", (run,)).fetchone())
