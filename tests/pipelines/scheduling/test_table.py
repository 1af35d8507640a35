"""The table: every due time is claimed once, by whichever process comes first, and none is lost."""

from __future__ import annotations

import multiprocessing
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.scheduling.records import INTERRUPTED, RETRYING, RUNNING, Schedule
from corpusmill.pipelines.scheduling.table import Table
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError, UnfinishedError, UsageError
from tests.pipelines.scheduling.conftest import Add

START = datetime(2026, 3, 1, tzinfo=UTC)


def schedule_at(start: datetime, *, name: str = "nightly", cron: str = "0 2 * * *") -> Schedule:
    return Schedule(
        name=name,
        recipe="/r.yaml",
        cron=cron,
        timezone="Europe/Berlin",
        retries=0,
        webhook=None,
        keep=None,
        added_at=start,
        next=start,
    )


@pytest.fixture
def table(workspace: Workspace) -> Table:
    workspace.make()
    table = Table(workspace)
    schedule = schedule_at(START)
    first = schedule.times.after(START)
    assert first is not None
    table.add(Schedule(**{**vars(schedule), "next": first}))
    return table


def finish(table: Table, run: object) -> None:
    table.end_attempt(table.start_attempt(run), 0, is_last=True, status="published")  # type: ignore[arg-type]


def test_one_run_stands_for_all_due_times_that_have_passed(table: Table) -> None:
    """Three months of missed nights are one run, not ninety."""
    before = table.claim("nightly", START)
    late = table.claim("nightly", datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert late is not None
    finish(table, late)
    again = table.claim("nightly", datetime(2026, 6, 1, 13, tzinfo=UTC))
    on_time = table.claim("nightly", datetime(2026, 6, 2, 0, tzinfo=UTC))

    assert before is None
    assert (late.due, late.missed) == (datetime(2026, 6, 1, 0, tzinfo=UTC), 93)
    assert again is None
    assert on_time is not None
    assert on_time.missed == 1


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.integers(0, 400_000), min_size=1, max_size=12))
def test_each_due_time_is_claimed_once_whenever_ticks_come(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    """The runs together stand for exactly the due times that have passed."""
    workspace = Workspace(tmp_path_factory.mktemp("w"))
    table, schedule = Table(workspace), schedule_at(START, cron="*/30 1-3 * * *")
    table.add(schedule)
    now = START
    for step in steps:
        now += timedelta(seconds=step)
        if (run := table.claim("nightly", now)) is not None:
            finish(table, run)

    runs = table.history("nightly")
    assert sum(run.missed for run in runs) == schedule.times.count(START, now)
    assert len({run.due for run in runs}) == len(runs)
    assert table.schedule("nightly").next > now


def _claim(root: Path, now: datetime, barrier: object, claims: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    run = Table(Workspace(root)).claim("nightly", now)
    claims.put(None if run is None else run.missed)  # type: ignore[attr-defined]


def test_of_processes_that_claim_at_once_one_gets_the_due_time(table: Table, workspace: Workspace) -> None:
    """Two ticks may start in the same second, on two machines."""
    context = multiprocessing.get_context("spawn")
    barrier, claims = context.Barrier(4), context.Queue()
    arguments = (workspace.root, datetime(2026, 3, 5, tzinfo=UTC), barrier, claims)
    processes = [context.Process(target=_claim, args=arguments) for _ in range(4)]

    for process in processes:
        process.start()
    results = [claims.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()

    assert sorted(results, key=str) == [4, None, None, None]


def test_a_simulated_time_before_the_schedule_was_added_starts_it_earlier(table: Table) -> None:
    """So nights of any year can be tried out; once it has run, time only goes forward."""
    early = datetime(2020, 5, 1, 0, tzinfo=UTC)

    assert table.claim("nightly", early) is None
    run = table.claim("nightly", early, is_simulated=True)
    assert run is not None
    finish(table, run)
    next_day = table.claim("nightly", early + timedelta(days=1), is_simulated=True)
    assert next_day is not None
    finish(table, next_day)

    assert [(run.due.date().isoformat(), run.missed) for run in (run, next_day)] == [
        ("2020-05-01", 1),
        ("2020-05-02", 1),
    ]
    assert table.claim("nightly", early - timedelta(days=3), is_simulated=True) is None


def test_a_run_that_was_asked_for_moves_no_due_time(table: Table) -> None:
    """`schedule run` in the afternoon does not replace the next night."""
    night = table.schedule("nightly").next
    asked_for = table.claim("nightly", START, is_asked_for=True)
    assert asked_for is not None
    finish(table, asked_for)

    assert (asked_for.due, asked_for.missed) == (START, 0)
    assert table.schedule("nightly").next == night


def test_attempts_are_recorded_and_an_unfinished_run_is_seen(table: Table) -> None:
    """Whoever comes after a killed process has to know what to resume."""
    run = table.claim("nightly", START + timedelta(days=1))
    assert run is not None
    run = table.start_attempt(run)
    assert run.status == RUNNING
    run = table.end_attempt(run, 5, is_last=False, status=RETRYING)
    run = table.start_attempt(run)
    with sqlite3.connect(table.path) as connection:  # as if this process had ended
        connection.execute("UPDATE runs SET pid = 999999999")
    connection.close()

    seen = table.unfinished("nightly")

    assert seen is not None
    assert (seen.status, seen.exits, seen.attempts) == (INTERRUPTED, (5, None), 2)
    ended = table.end_attempt(seen, 0, is_last=True, status="published", version="ab", documents=3)
    assert (ended.exits, ended.is_success, table.unfinished("nightly")) == ((5, 0), True, None)
    assert table.totals("nightly") == {"published": 1}


def test_a_second_unfinished_run_cannot_be_recorded(table: Table) -> None:
    """The database itself refuses runs that overlap."""
    assert table.claim("nightly", START + timedelta(days=1)) is not None

    with pytest.raises(sqlite3.IntegrityError):
        table.claim("nightly", START + timedelta(days=2))

    assert table.schedule("nightly").next < START + timedelta(days=2), "the due time is not lost"


def test_names_are_unique_and_unknown_ones_are_refused_with_the_nearest(add: Add, workspace: Workspace) -> None:
    add("nightly")

    with pytest.raises(UsageError, match="already") as taken:
        add("nightly")
    with pytest.raises(UsageError, match="no schedule `nigthly`") as unknown:
        Table(workspace).schedule("nigthly")

    assert "schedule remove nightly" in (taken.value.hint or "")
    assert "did you mean `nightly`?" in (unknown.value.hint or "")


def test_a_damaged_or_unwritable_table_is_an_error_with_a_hint(workspace: Workspace) -> None:
    workspace.make()
    table = Table(workspace)
    table.path.write_bytes(b"not a database" * 100)
    with pytest.raises(DamagedFileError) as damaged:
        table.schedules()
    table.path.unlink()
    table.path.mkdir()
    with pytest.raises(UnfinishedError) as unwritable:
        table.schedules()

    assert damaged.value.hint
    assert unwritable.value.hint
    assert Table(Workspace(workspace.root / "elsewhere")).schedules() == []
