"""The record of a schedule does not grow for ever, and loses nothing that somebody needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from corpusmill.pipelines.scheduling import pruning
from corpusmill.pipelines.scheduling.folders import KEPT_LOGS
from corpusmill.pipelines.scheduling.records import Run
from corpusmill.pipelines.scheduling.table import Table
from corpusmill.pipelines.workspace import Workspace
from tests.pipelines.scheduling.test_table import schedule_at

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def table(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Return the table of two schedules that keep five runs each, and those with the three last logs."""
    monkeypatch.setattr(pruning, "KEPT_RUNS", 5)
    monkeypatch.setattr(pruning, "KEPT_LOGS", 3)
    workspace.make()
    table = Table(workspace)
    table.add(schedule_at(START))
    table.add(schedule_at(START, name="weekly", cron="0 2 * * 1"))
    return table


def _run(table: Table, day: int, exit_code: int | None, *, name: str = "nightly", is_simulated: bool = False) -> Run:
    """Run the schedule *name* after *day* days; without an exit code, the run goes on."""
    now = START + timedelta(days=day)
    run = table.claim(name, now, is_simulated=is_simulated, is_asked_for=True)
    assert run is not None
    run = table.start_attempt(run)
    if exit_code is None:
        return run
    return table.end_attempt(run, exit_code, is_last=True, status="failed" if exit_code else "published")


def test_there_is_a_run_for_each_log() -> None:
    """A log without its run could not be found in the history."""
    assert pruning.KEPT_RUNS >= KEPT_LOGS


def test_the_newest_runs_stay_and_all_are_counted(table: Table) -> None:
    """The counters of Prometheus must not fall, and other schedules are not affected."""
    other = _run(table, 1, 0, name="weekly")
    runs = [_run(table, day, day % 2) for day in range(12)]

    assert [run.run for run in table.history("nightly")] == [run.run for run in reversed(runs[-5:])]
    assert table.history("weekly") == [other]
    assert table.totals("nightly") == {"failed": 6, "published": 6}
    assert table.totals("weekly") == {"published": 1}


def test_the_newest_success_stays(table: Table) -> None:
    """After months of failures, the metrics still say when a run last succeeded."""
    success = _run(table, 0, 0)
    for day in range(1, 12):
        _run(table, day, 1)

    assert table.last_success("nightly") == success
    assert len(table.history("nightly")) == 6
    _run(table, 12, 0)
    _run(table, 13, 0)
    assert table.last_success("nightly") != success
    assert success not in table.history("nightly")


def test_runs_with_a_log_stay(table: Table) -> None:
    """Logs are kept by their due time, which a run of simulated nights does not raise."""
    late = [_run(table, 300 + day, 0) for day in range(3)]
    for _ in range(9):
        _run(table, 1, 0)

    assert {run.run for run in late} <= {run.run for run in table.history("nightly")}


def test_a_run_that_goes_on_stays(table: Table) -> None:
    """The run that was claimed is the newest one, so it is never removed, nor are its attempts."""
    for day in range(8):
        _run(table, day, 0)
    going = _run(table, 9, None)

    assert table.unfinished("nightly") == going
    assert table.end_attempt(going, 0, is_last=True, status="published").attempts == 1


def test_a_schedule_that_is_added_again_has_no_past(table: Table) -> None:
    """The totals go with the schedule."""
    for day in range(9):
        _run(table, day, 0)

    table.remove("nightly")

    assert table.totals("nightly") == {}
