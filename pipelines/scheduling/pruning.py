"""Removing old runs from the table of schedules, so that it does not grow for ever."""

from __future__ import annotations

import sqlite3
from typing import Final

from corpusmill.pipelines.scheduling.folders import KEPT_LOGS

KEPT_RUNS: Final = 1000
"""Runs of each schedule whose record is kept, the newest ones: a month of hourly runs, or almost three years of nights.

Also kept are unfinished runs, the newest successful one, and runs that have a log. Removed ones stay in the totals.
"""
REMOVED_TABLE: Final = """
CREATE TABLE IF NOT EXISTS removed_runs (
  name TEXT NOT NULL, status TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (name, status)
);
"""
_REMOVABLE: Final = """
SELECT run, status FROM runs WHERE name = :name AND ended_at IS NOT NULL
  AND run NOT IN (SELECT run FROM runs WHERE name = :name ORDER BY run DESC LIMIT :runs)
  AND run NOT IN (SELECT run FROM runs WHERE name = :name ORDER BY due DESC LIMIT :logs)
  AND run IS NOT (SELECT max(run) FROM runs WHERE name = :name AND ended_at IS NOT NULL AND exit = 0)
"""
_ADD: Final = """
INSERT INTO removed_runs (name, status, number) VALUES (?, ?, 1)
ON CONFLICT (name, status) DO UPDATE SET number = number + 1
"""


def remove_old_runs(connection: sqlite3.Connection, name: str) -> None:
    """Remove the old runs of the schedule *name* with their attempts, and count them; the caller commits."""
    values = {"name": name, "runs": KEPT_RUNS, "logs": KEPT_LOGS}
    for run, status in connection.execute(_REMOVABLE, values).fetchall():
        connection.execute(_ADD, (name, status))
        connection.execute("DELETE FROM attempts WHERE run = ?", (run,))
        connection.execute("DELETE FROM runs WHERE run = ?", (run,))
