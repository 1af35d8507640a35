"""What `schedule install` prints, checked with the programs and the schema that read it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from corpusmill.pipelines.scheduling.cron import parse_cron
from corpusmill.pipelines.scheduling.install import KINDS
from corpusmill.pipelines.scheduling.install.systemd import calendar_expressions
from corpusmill.pipelines.scheduling.records import Schedule
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UsageError

CRONJOB = json.loads(Path(__file__).with_name("cronjob-batch-v1.json").read_text())
DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
EXPRESSIONS = (
    *(
        "0 2 * * *",
        "*/10 * * * *",
        "30 2 1 * MON-FRI",
        "15,45 8-18/2 * * 1-5",
        "@monthly",
        "@hourly",
        "0 0 1 jan,jul *",
    ),
    *("0 0 */2 * MON", "5 4 * * sun", "0 12 28-31 2-12/5 *", "0 12 * * 5-7"),
)
START = datetime(2026, 1, 1, tzinfo=UTC)

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def schedule(cron: str = "0 2 * * *", **changes: Any) -> Schedule:
    made = Schedule(
        name="nightly_news",
        recipe="/srv/recipes/news.yaml",
        cron=parse_cron(cron).expression,
        timezone="Europe/Berlin",
        retries=2,
        webhook=None,
        keep=None,
        added_at=START,
        next=START,
    )
    return replace(made, **changes)


WORKSPACE = Workspace(Path('/srv/50% of "it"/corpus'), "s3://bucket/it's")
ARGUMENTS = [
    *(sys.executable, "-P", "-m", "corpusmill", "schedule", "run", "nightly_news", "--quiet"),
    *("--workspace", str(WORKSPACE.root), "--store", "s3://bucket/it's"),
]


def test_the_crontab_line_runs_the_schedule_from_any_folder() -> None:
    """cron ends a command at `%`, so it is escaped."""
    *_, zone, line = KINDS["cron"](schedule("30 2 1 * MON-FRI"), WORKSPACE).splitlines()
    command = line.removeprefix("30 2 1 * MON-FRI ")

    assert zone == "CRON_TZ=Europe/Berlin"
    assert re.search(r"(?<!\\)%", command) is None
    assert shlex.split(command.replace(r"\%", "%")) == ARGUMENTS
    assert KINDS["cron"](schedule("@daily"), WORKSPACE).splitlines()[-1].startswith("@daily /")


def units(text: str, folder: Path) -> dict[str, Path]:
    """Write the units as the comments name them, and return them by suffix."""
    paths = {}
    for name, body in re.findall(r"^# /etc/systemd/system/(\S+)\n(.*?)(?=^# |\Z)", text, re.DOTALL | re.MULTILINE):
        path = folder / name
        path.write_text(body)
        paths[path.suffix] = path
    return paths


@needs_systemd
@pytest.mark.parametrize("cron", EXPRESSIONS)
def test_systemd_accepts_the_units(cron: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` reads them as systemd does."""
    workspace = Workspace(tmp_path / "corpus")
    paths = units(KINDS["systemd"](schedule(cron), workspace), tmp_path)

    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, paths.values())], capture_output=True, text=True
    )

    ours = [line for line in answer.stderr.splitlines() if "corpusmill" in line]
    assert set(paths) == {".service", ".timer"}
    assert ours == []


@needs_systemd
@pytest.mark.parametrize("cron", EXPRESSIONS)
def test_systemd_reads_the_same_times(cron: str) -> None:
    """The next hundred times of the timer are the due times of the schedule."""
    times = parse_cron(cron, "Asia/Kolkata")  # its clock never changes
    elapsed: set[datetime] = set()
    for expression in calendar_expressions(times):
        answer = subprocess.run(
            ["systemd-analyze", "calendar", "--iterations=100", "--base-time=2026-01-01 00:00:00 UTC", expression],
            capture_output=True,
            text=True,
            check=True,
            env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )
        found = re.findall(r"(?:elapse|#\d+): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", answer.stdout)
        elapsed |= {datetime.fromisoformat(f"{text}+00:00") for text in found}

    assert sorted(elapsed)[:100] == list(islice(times._after(START), 100))


def test_systemd_runs_exactly_the_arguments(tmp_path: Path) -> None:
    """systemd expands `%` and `$`, and reads escapes in quotes."""
    text = KINDS["systemd"](schedule(), WORKSPACE)
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    unquoted = shlex.split(line.removeprefix("ExecStart="))

    assert re.search(r"(?<!%)(%%)*%(?!%)", line) is None
    assert [word.replace("%%", "%").replace("$$", "$") for word in unquoted] == ARGUMENTS


@pytest.mark.parametrize("name", ["nightly_news", "a", "x" * 64, "a-" * 32])
def test_the_cron_job_follows_the_schema_of_kubernetes(name: str) -> None:
    manifest = yaml.safe_load(KINDS["kubernetes"](schedule(name=name), WORKSPACE))
    spec = manifest["spec"]
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]

    jsonschema.validate(manifest, CRONJOB, cls=jsonschema.Draft7Validator)
    assert (manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "CronJob")
    assert re.fullmatch(DNS_LABEL, manifest["metadata"]["name"])
    assert len(manifest["metadata"]["name"]) <= 52
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("0 2 * * *", "Europe/Berlin", "Forbid")
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["image"]
    assert re.fullmatch(DNS_LABEL, container["name"])
    assert container["args"] == ["schedule", "run", name, *ARGUMENTS[-4:]]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_the_schema_refuses_what_kubernetes_refuses() -> None:
    """A schema that accepts everything would prove nothing."""
    manifest = yaml.safe_load(KINDS["kubernetes"](schedule(), WORKSPACE))
    manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["arguments"] = []

    with pytest.raises(jsonschema.ValidationError, match="arguments"):
        jsonschema.validate(manifest, CRONJOB, cls=jsonschema.Draft7Validator)


def test_a_recipe_in_the_workspace_needs_no_mount_of_its_own() -> None:
    recipe = str(WORKSPACE.root / "recipe.yaml")
    manifest = yaml.safe_load(KINDS["kubernetes"](schedule(recipe=recipe), WORKSPACE))
    pod = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    assert [volume["name"] for volume in pod["volumes"]] == ["workspace"]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [("@daily", "0 0 * * *"), ("0 1 * * 7", "0 1 * * 0"), ("0 1 * * 5-7", "0 1 * * 0,5,6"), ("0 1 1 * 1", "0 1 1 * 1")],
)
def test_kubernetes_has_no_weekday_7(cron: str, expected: str) -> None:
    manifest = yaml.safe_load(KINDS["kubernetes"](schedule(cron), WORKSPACE))

    assert manifest["spec"]["schedule"] == expected


def test_an_expression_that_kubernetes_reads_in_another_way_is_refused() -> None:
    """cron: every second day, if it is a Monday. Kubernetes: every second day, and every Monday."""
    with pytest.raises(UsageError, match="in another way") as refused:
        KINDS["kubernetes"](schedule("0 0 */2 * MON"), WORKSPACE)

    assert "--kind systemd" in (refused.value.hint or "")
