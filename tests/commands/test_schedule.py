"""The commands for recurring runs: what they print, store and refuse."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from corpusmill.pipelines.scheduling.folders import schedule_lock
from corpusmill.pipelines.workspace import Workspace
from tests.commands.conftest import Answer, Command

RECIPE = """\
dataset: notes
sources:
  - load: {name: notes, format: jsonl, path: notes.jsonl, refresh: 12h}
stages: [normalize]
"""
RUN_KEYS = ("name", "due", "started_at", "ended_at", "status", "exit", "version", "attempts", "missed")


@pytest.fixture(autouse=True)
def _recipe(workspace: Workspace) -> None:
    folder = workspace.root.parent
    (folder / "notes.jsonl").write_text('{"id": "a", "text": "One note."}\n')
    (folder / "recipe.yaml").write_text(RECIPE)


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.out.splitlines()]


def add(command: Command, *options: str, name: str = "nightly") -> Answer:
    return command("schedule", "add", name, "recipe.yaml", "--cron", "30 2 * * *", *options)


def test_a_schedule_is_added_ticked_listed_and_removed(command: Command, workspace: Workspace) -> None:
    """The keys are those of the contract; the two nights are around the change to summer time."""
    added = add(command, "--timezone", "Europe/Berlin", "--json")
    (before,) = rows(command("schedule", "list", "--json"))
    first = command("schedule", "tick", "--now", "2026-03-28T02:30:00+01:00", "--json")
    second = command("schedule", "tick", "--now", "2026-03-29T03:00:00+02:00", "--json")
    nothing = command("schedule", "tick", "--now", "2026-03-29T23:00:00+02:00")
    (after,) = rows(command("schedule", "list", "--json"))
    history = rows(command("schedule", "history", "--json"))
    removed = command("schedule", "remove", "nightly", "--json")

    assert (added.code, first.code, second.code, nothing.code, removed.code) == (0, 0, 0, 0, 0)
    assert before["last"] is None
    assert datetime.fromisoformat(before["next"]) > datetime.now(UTC)
    assert tuple(rows(first)[0])[: len(RUN_KEYS)] == RUN_KEYS
    assert [row["due"] for row in history] == ["2026-03-29T01:00:00+00:00", "2026-03-28T01:30:00+00:00"]
    assert [row["status"] for row in history] == ["unchanged", "published"]
    assert history == [*rows(second), *rows(first)]
    assert {"name", "recipe", "cron", "timezone", "next", "last"} <= after.keys()
    assert after["recipe"] == str(workspace.root.parent / "recipe.yaml")
    assert after["next"] == "2026-03-30T00:30:00+00:00"
    assert after["last"] == {key: history[0][key] for key in ("due", "status", "exit", "version")}
    assert "nothing is due" in nothing.err
    assert nothing.out == ""
    assert rows(command("schedule", "list", "--json")) == rows(command("schedule", "history", "--json")) == []
    assert not (workspace.root / "schedules" / "nightly").exists()
    assert rows(command("versions", "--json")), "published versions stay"


def test_run_runs_at_once_and_exits_like_the_run(command: Command, workspace: Workspace) -> None:
    """A failed check is exit code 3 here, too; a schedule that is running is exit code 5."""
    add(command)
    done = command("schedule", "run", "nightly", "--json")
    recipe = workspace.root.parent / "recipe.yaml"
    recipe.write_text(f"{RECIPE}checks: {{min_documents: 9}}\n")
    failed = command("schedule", "run", "nightly")
    with schedule_lock(workspace, "nightly"):
        held = command("schedule", "run", "nightly")

    assert (done.code, failed.code, held.code) == (0, 3, 5)
    assert rows(done)[0]["missed"] == 0
    assert "failed" in failed.out
    assert "the schedule `nightly` is in use by process" in held.err
    assert "hint: wait for it" in held.err


def test_people_get_tables_in_the_zone_of_the_schedule(command: Command) -> None:
    """JSON is in UTC; a person thinks in the zone of the schedule."""
    empty = command("schedule", "list")
    added = add(command, "--timezone", "Asia/Kolkata")
    listed = command("schedule", "list")
    history = command("schedule", "history", "nightly")

    assert "no schedules yet" in empty.out
    assert "02:30 IST" in added.out
    assert "02:30 IST" in listed.out
    assert "no runs yet" in history.err


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("add Night/ly recipe.yaml --cron @daily", "not a name for a schedule: `Night/ly`", "`night-ly`"),
        ("add n recipe.yaml", "Missing option '--cron'", "schedule add --help"),
        ("add n recipe.yaml --cron @dayly", "unknown word `@dayly`", "did you mean `@daily`?"),
        ("add n recipe.yaml --cron 99", "1 field instead of five", "0 2 * * *"),
        ("add n recipe.yaml --cron @daily --timezone Berlin", "unknown time zone `Berlin`", "`Europe/Berlin`"),
        ("add n recipe.yaml --cron @daily --retries -1", "`--retries`: expected a whole number", "--retries"),
        ("add n recipe.yaml --cron @daily --keep 0", "`--keep`: expected a whole number", "--keep"),
        ("add n recipe.yaml --cron @daily --webhook file:///x", "`--webhook`: not an http", "https://"),
        ("add n recipe.yaml --cron @daily --webhook http://[x", "`--webhook`: not an http", "https://"),
        ("add n nowhere.yaml --cron @daily", "nowhere.yaml", ""),
        ("add n broken.yaml --cron @daily", "unknown stage `normalise`", "`normalize`"),
        ("remove n", "there is no schedule `n`", "schedule add"),
        ("run n", "there is no schedule `n`", "schedule add"),
        ("history n", "there is no schedule `n`", "schedule add"),
        ("install n --kind cron", "there is no schedule `n`", "schedule add"),
        ("install n --kind corn", "`corn` is not allowed", "`cron`"),
        ("tick --now yesterday", "`--now`: not a time in ISO 8601: `yesterday`", "2026-03-29T02:00:00+01:00"),
        ("tick --now 9999-12-31T23:59:59-23:00", "`--now`: not a time", "2026"),
        ("tick --now 0001-01-01", "`--now`: 1 is not a year from 1970 to 8999", "check the year"),
        ("serve --poll 0", "`--poll`: expected a number", "--poll"),
        ("tik", "No such command 'tik'. Did you mean `tick`?", "schedule --help"),
    ],
)
def test_wrong_use_is_refused_with_a_hint_and_stores_nothing(
    command: Command, workspace: Workspace, arguments: str, message: str, hint: str
) -> None:
    """A schedule that can never run is refused while the person is still there."""
    (workspace.root.parent / "broken.yaml").write_text(RECIPE.replace("[normalize]", "[normalise]"))

    answer = command("schedule", *arguments.split())

    error, _, advice = answer.err.partition("\n\nhint: ")
    assert answer.code == 2
    assert message in error
    assert hint in advice
    assert "Traceback" not in answer.err
    assert not workspace.root.exists()


@pytest.mark.parametrize(
    ("refresh", "words"),
    [
        ("", "has no `refresh`"),
        (", refresh: 2d", "longer than the time between runs"),
        (", refresh: 1d", None),
        (", refresh: 12h", None),
    ],
)
def test_a_source_that_is_not_acquired_again_is_a_warning(
    command: Command, workspace: Workspace, refresh: str, words: str | None
) -> None:
    """Without `refresh`, every night would publish the corpus of the first one."""
    recipe = workspace.root.parent / "recipe.yaml"
    recipe.write_text(RECIPE.replace(", refresh: 12h", refresh))

    answer = add(command)

    assert answer.code == 0
    assert ("warning" in answer.err) == (words is not None)
    assert words is None or words in answer.err


def test_the_webhook_is_a_secret(command: Command) -> None:
    """Its URL often contains a token, and lists are pasted into tickets."""
    added = add(command, "--webhook", "https://hooks.example.org/token-123", "--json")
    listed = command("schedule", "list", "--json")

    assert "token-123" not in added.out + added.err + listed.out
    assert rows(listed)[0]["has_webhook"]


@pytest.mark.parametrize("kind", ["cron", "systemd", "kubernetes"])
def test_install_prints_text_and_json(command: Command, kind: str) -> None:
    add(command)

    text = command("schedule", "install", "nightly", "--kind", kind)
    (as_json,) = rows(command("schedule", "install", "nightly", "--kind", kind, "--json"))

    assert (text.code, text.err) == (0, "")
    assert "schedule" in text.out
    assert as_json == {"name": "nightly", "kind": kind, "text": text.out}
