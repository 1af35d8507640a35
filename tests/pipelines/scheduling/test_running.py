"""Runs of schedules, in real processes: what they record, when they are retried, and what follows them."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from corpusmill.pipelines.dataset.history import history
from corpusmill.pipelines.scheduling import folders
from corpusmill.pipelines.scheduling.metrics import metrics_text
from corpusmill.pipelines.scheduling.records import INTERRUPTED, Run
from corpusmill.pipelines.scheduling.registering import remove_schedule
from corpusmill.pipelines.scheduling.running import Runner
from corpusmill.pipelines.scheduling.table import Table
from corpusmill.pipelines.scheduling.ticking import exit_code, run_schedule, tick
from corpusmill.pipelines.scheduling.webhook import post
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import LockHeldError
from tests.pipelines.scheduling.conftest import Add, write_notes

NIGHT = datetime(2026, 3, 10, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def ticked(workspace: Workspace, now: datetime, **options: Any) -> list[Run]:
    runs: list[Run] = []
    tick(workspace, report=runs.append, now=now, **options)
    return runs


def log_of(workspace: Workspace, run: Run) -> str:
    return folders.log_path(workspace, run.name, run.due).read_text()


def damage_manifest(folder: Path) -> None:
    """Damage what the workspace knows about the source, so that runs end with exit code 1."""
    manifest = folder / "corpus" / "raw" / "notes" / "manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text("not JSON")


def test_nights_publish_what_changed_and_are_recorded(add: Add, workspace: Workspace, tmp_path: Path) -> None:
    """The second night finds nothing new, the third stands for two nights, and `keep` collects garbage."""
    add(keep=1)

    first = ticked(workspace, NIGHT)
    second = ticked(workspace, NIGHT + DAY)
    again = ticked(workspace, NIGHT + DAY)
    write_notes(tmp_path, "The first note.", "Another note.", "A third note.")
    _forget_source(workspace)
    third = ticked(workspace, NIGHT + 3 * DAY)

    assert [run.status for run in (*first, *second, *third)] == ["published", "unchanged", "published"]
    assert [run.missed for run in (*first, *second, *third)] == [1, 1, 2]
    assert [run.documents for run in (*first, *second, *third)] == [2, 2, 3]
    assert again == []
    assert [row["version"] for row in history(workspace)] == [third[0].version, first[0].version]
    assert Table(workspace).history() == [*third, *second, *first]
    log = log_of(workspace, third[0])
    assert re.search(r"attempt 1 of `nightly`.*normalize.*exit 0.*gc --keep 1.*exit 0", log, re.DOTALL)
    assert Table(workspace).last("nightly") == third[0]


def _forget_source(workspace: Workspace) -> None:
    """Let the next run register the file again, as it does when `refresh` has passed."""
    workspace.store.remove("raw/notes/manifest.json")


@pytest.mark.parametrize(
    ("break_it", "code", "attempts"),
    [
        (lambda recipe: recipe.write_text(recipe.read_text().replace("normalize", "normalise")), 2, 1),
        (lambda recipe: recipe.write_text(recipe.read_text() + "checks: {min_documents: 50}\n"), 3, 1),
        (lambda recipe: damage_manifest(recipe.parent), 1, 3),
    ],
    ids=["wrong recipe", "failed check", "failed work"],
)
def test_a_run_is_retried_if_another_attempt_may_help(
    add: Add, workspace: Workspace, recipe: Path, break_it: Callable[[Path], object], code: int, attempts: int
) -> None:
    """A wrong recipe and a failed check need a person; a site may answer in ten minutes."""
    add(retries=2)
    break_it(recipe)

    (run,) = ticked(workspace, NIGHT, runner=Runner(workspace, backoff=lambda _: 0.01))

    assert (run.status, run.exit, run.exits) == ("failed", code, (code,) * attempts)
    assert run.message
    assert exit_code([run]) == code
    assert log_of(workspace, run).count("error: ") == attempts
    assert ticked(workspace, NIGHT) == [], "a failed run is not repeated by the next tick"


def test_a_retry_succeeds_when_the_lock_of_the_data_set_is_free(add: Add, workspace: Workspace) -> None:
    """Exit code 5 means that the same command can be run again."""
    add(retries=3)
    lock = workspace.lock("dataset", "notes")
    workspace.make()
    lock.__enter__()
    waited: list[int] = []

    def backoff(failures: int) -> float:
        waited.append(failures)
        if failures == 2:
            lock.__exit__(None, None, None)
        return 0.01

    (run,) = ticked(workspace, NIGHT, runner=Runner(workspace, backoff=backoff))

    assert (run.status, run.exits, waited) == ("published", (5, 5, 0), [1, 2])


def test_a_stopped_run_is_resumed_and_stands_for_the_same_due_time(add: Add, workspace: Workspace) -> None:
    """SIGTERM stops the run in order; the next tick finishes it, and runs what has become due since."""
    add(retries=1)
    stopped = Runner(workspace)
    threading.Timer(0.2, stopped.stop.set).start()

    (run,) = ticked(workspace, NIGHT, runner=stopped)
    rest = ticked(workspace, NIGHT + DAY)

    assert (run.status, run.ended_at, run.exits) == (INTERRUPTED, None, (None,))
    assert exit_code([run]) == 5
    assert [(one.due, one.status, one.exits) for one in rest] == [
        (run.due, "published", (None, 0)),
        (run.due + DAY, "unchanged", (0,)),
    ]


def test_a_run_that_waits_for_a_retry_can_be_stopped(add: Add, workspace: Workspace, recipe: Path) -> None:
    add(retries=5)
    damage_manifest(recipe.parent)
    runner = Runner(workspace)

    def backoff(_: int) -> float:
        runner.stop.set()
        return 600

    started = time.monotonic()
    (run,) = ticked(workspace, NIGHT, runner=Runner(workspace, stop=runner.stop, backoff=backoff))

    assert time.monotonic() - started < 60
    assert (run.status, run.exits) == (INTERRUPTED, (1,))


def test_a_schedule_that_is_running_is_left_alone(add: Add, workspace: Workspace) -> None:
    """Its due times stay due, and the first tick after that claims them."""
    add()
    with folders.schedule_lock(workspace, "nightly"):
        assert ticked(workspace, NIGHT) == []
        with pytest.raises(LockHeldError, match="`nightly` is in use by process"):
            run_schedule(workspace, "nightly")
        with pytest.raises(LockHeldError):
            remove_schedule(workspace, "nightly")

    (run,) = ticked(workspace, NIGHT + DAY)

    assert run.missed == 1, "the schedule began with the last tick, because it had not run before"


def test_runs_of_several_schedules_take_turns_and_one_failure_stops_no_other(
    add: Add, workspace: Workspace, recipe: Path
) -> None:
    """The exit code is that of the first failure, by name."""
    add("b-works")
    good = recipe.read_text()
    recipe.write_text(good + "checks: {min_documents: 50}\n")
    other = recipe.with_name("other.yaml")
    other.write_text(good)
    with Table(workspace)._writing() as connection:
        connection.execute("UPDATE schedules SET recipe = ?", (str(other),))
    add("a-fails")

    runs = ticked(workspace, NIGHT)

    assert [(run.name, run.exit) for run in runs] == [("a-fails", 3), ("b-works", 0)]
    assert exit_code(runs) == 3
    attempts = Table(workspace)._rows("SELECT started_at, ended_at FROM attempts ORDER BY started_at")
    assert attempts[0]["ended_at"] <= attempts[1]["started_at"]


def test_metrics_are_in_the_format_of_the_textfile_collector(add: Add, workspace: Workspace) -> None:
    """Prometheus refuses the whole file for one wrong line."""
    add()
    (run,) = ticked(workspace, NIGHT)

    text = (workspace.root / "schedules" / "metrics.prom").read_text()

    assert text == metrics_text(Table(workspace))
    label = '{schedule="nightly"'
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples[f"corpusmill_schedule_last_exit_code{label}}}"] == "0"
    assert samples[f"corpusmill_schedule_documents{label}}}"] == "2"
    assert samples[f'corpusmill_schedule_runs_total{label},status="published"}}'] == "1"
    assert run.ended_at is not None
    assert float(samples[f"corpusmill_schedule_last_success_timestamp_seconds{label}}}"]) == pytest.approx(
        run.ended_at.timestamp(), abs=0.01
    )
    comment = r"# (HELP [a-z_]+ [^\n]+|TYPE [a-z_]+ (gauge|counter))"
    sample = r'[a-z_]+\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\} [\d.]+'
    assert all(re.fullmatch(f"{comment}|{sample}", line) for line in text.splitlines())


def test_old_logs_are_removed(add: Add, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule of every minute writes half a million logs a year."""
    add()
    monkeypatch.setattr(folders, "KEPT_LOGS", 3)
    for number in range(5):
        with folders.appended_log(workspace, "nightly", NIGHT + number * DAY) as log:
            log.write(b"one line\n")

    names = sorted(path.name for path in (workspace.root / "schedules" / "nightly" / "logs").iterdir())

    assert names == ["20260312T020000Z.log", "20260313T020000Z.log", "20260314T020000Z.log"]


class Hooks(BaseHTTPRequestHandler):
    """Answers by path, and keeps what was posted."""

    posted: list[tuple[str, Any]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posted.append((self.path, json.loads(body)))
        if self.path == "/slow":
            time.sleep(2)
        self.send_response({"/moved": 302, "/broken": 500}.get(self.path, 204))
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hooks() -> Any:
    server = HTTPServer(("127.0.0.1", 0), Hooks)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    Hooks.posted.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/ok", None),
        ("/broken", "the answer was 500"),
        ("/moved", "the answer was 302"),
        ("/slow", "no answer within 0.5 s"),
    ],
)
def test_a_notice_is_posted_once_and_a_bad_answer_is_reported(hooks: str, path: str, problem: str | None) -> None:
    """The URL may be a secret, so it is no part of the message."""
    assert post(f"{hooks}{path}", {"name": "nightly"}, timeout_s=0.5) == problem
    assert Hooks.posted == [(path, {"name": "nightly"})]


def test_a_server_that_is_not_there_is_reported() -> None:
    assert "no connection" in (post("http://127.0.0.1:9/secret", {}) or "")


def test_a_failed_notice_never_fails_the_run(add: Add, workspace: Workspace, hooks: str) -> None:
    add("a", webhook=f"{hooks}/ok")
    add("b", webhook=f"{hooks}/broken")

    runs = ticked(workspace, NIGHT)

    assert [run.exit for run in runs] == [0, 0]
    assert [run.webhook_error for run in runs] == [None, "the answer was 500"]
    by_path = dict(Hooks.posted)
    assert by_path["/ok"] == runs[0].as_dict()
    assert Table(workspace).history("b")[0].webhook_error == "the answer was 500"
