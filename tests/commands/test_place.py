"""Valid and invalid values of `--store`, which are checked before any work starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corpusmill.pipelines.workspace import workspace_at
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.storage import open_store
from tests.commands.conftest import Command
from tests.corpora import write_project

REFUSED = [
    ("memory://", "`memory://` would be empty again"),
    ("memory://x", "`memory://x` would be empty again"),
    ("~", "`~` was not expanded"),
    ("~/corpus", "`~` was not expanded"),
    ("~nobody/corpus", "`~` was not expanded"),
    ("s3:/bucket/corpus", "not a valid store: s3:… (`//` is missing)"),
    ("s3:bucket", "not a valid store: s3:… (`//` is missing)"),
    ("file:/data", "not a valid store: file:… (`//` is missing)"),
    ("data://x", "not usable for a workspace: data:// is read-only"),
]


@pytest.mark.parametrize("is_in_environment", [False, True], ids=["option", "environment"])
@pytest.mark.parametrize(("place", "message"), REFUSED, ids=[place for place, _ in REFUSED])
def test_a_probable_mistake_in_a_store_is_wrong_use(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    message: str,
    is_in_environment: bool,
) -> None:
    """A corpus in a folder named `~`, or in memory, would only be noticed after hours of work."""
    recipe = write_project(tmp_path, count=3)
    before = {path.name for path in tmp_path.iterdir()}
    if is_in_environment:
        monkeypatch.setenv("CORPUSMILL_STORE", place)

    answer = command("run", recipe, *([] if is_in_environment else ["--store", place]))

    assert answer.code == 2
    assert message in answer.err
    assert "\nhint: " in answer.err
    assert {path.name for path in tmp_path.iterdir()} == before


def test_doctor_looks_at_the_store(command: Command, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store comes from the option or the environment; without either there is no check."""
    names = [
        {check["name"] for check in json.loads(command("doctor", "--json", *options).out)["checks"]}
        for options in ([], ["--store", s3_url])
    ]
    monkeypatch.setenv("CORPUSMILL_STORE", "s3://not-there/x")
    answer = command("doctor")

    assert ["store" in checks for checks in names] == [False, True]
    assert answer.code == 0
    assert "the bucket does not exist" in answer.out


def test_a_scratch_folder_that_cannot_be_used_ends_a_run_before_it_begins(
    command: Command, tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a worker would fail after computing something."""
    recipe = write_project(tmp_path, count=3)
    monkeypatch.setenv("CORPUSMILL_SCRATCH", f"{recipe}")

    answer = command("run", recipe, "--store", s3_url)

    assert answer.code == 5
    assert f"error: CORPUSMILL_SCRATCH={recipe} cannot be used: it is not a folder\n\nhint: " in answer.err
    assert open_store(s3_url).files() == []
    assert "it is not a folder" in command("doctor", "--store", s3_url).out


def test_a_secret_in_a_mistyped_url_is_not_repeated() -> None:
    """Messages may be stored in logs."""
    with pytest.raises(UsageError) as refused:
        workspace_at("corpus", "s3:/key:secret@bucket/x")

    assert "secret" not in f"{refused.value} {refused.value.hint}"


def test_a_folder_may_be_called_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `./` in front, any name is a path."""
    monkeypatch.chdir(tmp_path)

    for name in ("~", "s3:", "runs:2"):
        assert workspace_at("corpus", f"./{name}/x").store.path() == tmp_path / name / "x"


def test_a_python_program_may_work_in_memory(tmp_path: Path) -> None:
    """The memory lasts as long as the process, which is enough for a test."""
    store = workspace_at(tmp_path, "memory://x").store
    store.write("a", "kept")

    assert workspace_at(tmp_path, "memory://x").store.read_text("a") == "kept"
