"""`serve` in processes of its own: signals, `kill -9`, and the time between."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from corpusmill.pipelines.dataset.history import history
from corpusmill.pipelines.scheduling.folders import schedule_lock
from corpusmill.pipelines.scheduling.records import Run
from corpusmill.pipelines.scheduling.table import Table
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import LockHeldError
from tests.pipelines.scheduling.conftest import Add

FAST = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from corpusmill.pipelines.scheduling.ticking import serve
from corpusmill.pipelines.workspace import Workspace

root, started, speed = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])

def now():
    real = datetime.now(UTC).timestamp()
    return datetime.fromtimestamp(started + (real - started) * speed, UTC)

serve(Workspace(root), poll_s=0.2, report=lambda run: print(run.status, flush=True), warn=print, now=now)
"""
"""A server for which time passes faster, by the same clock after each start."""
SPEED = 30


@contextlib.contextmanager
def process(arguments: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process group of its own, and kill the group at the end."""
    running = subprocess.Popen(
        arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()


def serving(workspace: Workspace, *options: str) -> list[str]:
    return [sys.executable, "-m", "corpusmill", "schedule", "serve", "--workspace", str(workspace.root), *options]


def wait_until(condition: Callable[[], Any], *, seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)
    return result


def started_attempts(workspace: Workspace) -> int:
    return sum(run.attempts for run in Table(workspace).history())


def ended(workspace: Workspace) -> list[Run]:
    return [run for run in Table(workspace).history() if run.ended_at is not None]


def is_free(workspace: Workspace) -> bool:
    try:
        with schedule_lock(workspace, "nightly"):
            return True
    except LockHeldError:
        return False


def make_due(workspace: Workspace, *, cron: str = "0 2 * * *") -> None:
    """Move the next due time into the past, as if no server had run for a while."""
    with Table(workspace)._writing() as connection:
        connection.execute("UPDATE schedules SET cron = ?, next = ?", (cron, "2026-01-01T00:00:00.000000+00:00"))


@pytest.mark.parametrize(
    "whole_group", [pytest.param(True, id="group"), pytest.param(False, id="server", marks=pytest.mark.slow)]
)
def test_after_kill_9_no_due_time_is_lost_or_doubled(
    add: Add, workspace: Workspace, tmp_path: Path, whole_group: bool
) -> None:
    """A schedule of every minute, while time passes 30 times as fast, killed in the middle of runs."""
    schedule = add(cron="* * * * *")
    started = schedule.next.timestamp() - 30
    arguments = [sys.executable, "-c", FAST, str(workspace.root), str(started), str(SPEED)]
    for kill in range(3):
        before = started_attempts(workspace)
        with process(arguments, tmp_path) as server:
            wait_until(lambda before=before: started_attempts(workspace) > before)
            time.sleep(0.4 * kill)
            if whole_group:
                os.killpg(server.pid, signal.SIGKILL)
            else:
                server.kill()
                server.wait()
                assert kill > 0 or not is_free(workspace), "the run goes on, and holds the lock"
                wait_until(lambda: is_free(workspace))
    with process(arguments, tmp_path) as server:
        wait_until(lambda: len(ended(workspace)) >= 4)
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=60)
    table = Table(workspace)
    runs = sorted(table.history(), key=lambda run: run.due)

    assert "Traceback" not in errors
    last_claimed = runs[-1].due
    assert sum(run.missed for run in runs) == schedule.times.count(schedule.next, last_claimed)
    assert len({run.due for run in runs}) == len(runs)
    assert all(run.is_success for run in runs if run.ended_at is not None)
    assert sum(run.ended_at is None for run in runs) <= 1
    assert any(None in run.exits[:-1] for run in runs), "a run that was killed was resumed"
    for earlier, later in pairwise(runs):
        assert earlier.due + later.missed * timedelta(minutes=1) == later.due
    assert history(workspace)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the run's process is looked up in /proc")
def test_ctrl_c_reaches_a_run_only_through_its_server(add: Add, workspace: Workspace, tmp_path: Path) -> None:
    """A terminal sends SIGINT to the whole group; a second signal while the run stops would cut that short."""
    add()
    make_due(workspace)
    with process(serving(workspace, "--poll", "0.2"), tmp_path) as server:
        wait_until(lambda: started_attempts(workspace))
        (child,) = wait_until(lambda: children(server.pid))
        for _ in range(10):
            os.kill(child, signal.SIGINT)
            time.sleep(0.1)
        (run,) = wait_until(lambda: ended(workspace))

    assert run.exits == (0,)


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_stops_the_run_and_the_server_in_order(
    add: Add, workspace: Workspace, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C reaches the whole group; the run is stopped once, and resumed by the next start."""
    add()
    make_due(workspace)
    with process(serving(workspace, "--poll", "0.2", "--json"), tmp_path) as server:
        wait_until(lambda: started_attempts(workspace))
        time.sleep(0.5)
        os.killpg(server.pid, number) if number == signal.SIGINT else server.send_signal(number)
        output, errors = server.communicate(timeout=60)
    stopped = json.loads(output)

    assert server.returncode == 0
    assert "Traceback" not in errors
    assert (stopped["status"], stopped["ended_at"]) == ("interrupted", None)
    with process(serving(workspace, "--poll", "0.2"), tmp_path):
        (run,) = wait_until(lambda: ended(workspace))
    assert (run.status, run.exits) == ("published", (None, 0))


def test_the_server_survives_runs_and_a_table_that_fail(
    add: Add, workspace: Workspace, tmp_path: Path, recipe: Path
) -> None:
    """A broken recipe, and then a locked folder, are reported; the server goes on."""
    add()
    good = recipe.read_text()
    recipe.write_text("dataset: [")
    make_due(workspace)
    with process(serving(workspace, "--poll", "0.1", "--json"), tmp_path) as server:
        assert wait_until(lambda: ended(workspace))[0].exit == 2
        recipe.write_text(good)
        logs = workspace.root / "schedules" / "nightly" / "logs"
        logs.rename(logs.with_name("aside"))
        logs.write_text("in the way")
        make_due(workspace, cron="0 3 * * *")
        wait_until(lambda: Table(workspace).unfinished("nightly"))
        time.sleep(0.5)
        logs.unlink()
        wait_until(lambda: len(ended(workspace)) == 2)
        server.send_signal(signal.SIGTERM)
        output, errors = server.communicate(timeout=60)

    assert [json.loads(line)["exit"] for line in output.splitlines()] == [2, 0]
    assert "warning: schedule `nightly`: " in errors
    assert server.returncode == 0


@pytest.mark.slow
def test_a_schedule_of_every_minute_runs_every_minute(add: Add, workspace: Workspace, tmp_path: Path) -> None:
    """In real time, with a `kill -9` of the whole group after the first run has started."""
    schedule = add(cron="* * * * *")
    with process(serving(workspace, "--poll", "0.5"), tmp_path) as server:
        wait_until(lambda: started_attempts(workspace))
        os.killpg(server.pid, signal.SIGKILL)
    with process(serving(workspace, "--poll", "0.5"), tmp_path):
        wait_until(lambda: len(ended(workspace)) == 3, seconds=240)
    runs = sorted(ended(workspace), key=lambda run: run.due)

    assert [run.due for run in runs] == [schedule.next + number * timedelta(minutes=1) for number in range(3)]
    assert [run.missed for run in runs] == [1, 1, 1]
    assert all(run.is_success for run in runs)
    assert max(run.started_at - run.due for run in runs[1:]) < timedelta(seconds=10)
    assert datetime.now(UTC) - schedule.next < timedelta(minutes=4)
