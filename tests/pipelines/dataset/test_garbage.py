import json
import os
import posixpath

import pytest

from corpusmill.pipelines.dataset.garbage import collect
from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.engines.store import STEPS, TASKS
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.storage.attempts import attempt_name
from tests.pipelines.dataset.corpora import docs, publish_version
from tests.read_only import read_only


def _step(workspace: Workspace, name: str, tasks: list[str]) -> None:
    content = json.dumps({"tasks": [{"fingerprint": task} for task in tasks]})
    workspace.store.write(f"{STEPS}/{name}/manifest.json", content)
    for task in tasks:
        _task(workspace, task)


def _task(workspace: Workspace, name: str) -> None:
    for end in ("json", "arrow", "shard.parquet"):
        workspace.store.write(f"{workspace.tasks.out(name)}.{end}", b"x" * 100)


def _run(workspace: Workspace, version: Version | None, *steps: str, status: str = "published") -> None:
    workspace.make()
    run = workspace.start_run(dataset="my-docs", recipe="r", engine="local")
    published = None if version is None else version.manifest.version
    rows = [{"name": step, "fingerprint": step} for step in steps]
    workspace.update_run(run, status=status, version=published, steps=rows)


def _left(workspace: Workspace) -> tuple[set[str], set[str]]:
    tasks = {posixpath.basename(entry.key).partition(".")[0] for entry in workspace.store.files(TASKS)}
    return set(workspace.store.folders(STEPS)), tasks


@pytest.fixture
def versions(workspace: Workspace) -> list[Version]:
    """Two versions; their runs share the step ``read`` and a task."""
    published = [publish_version(workspace, docs(range(n))) for n in (3, 4)]
    _step(workspace, "read", ["aa01"])
    _step(workspace, "old", ["bb01", "cc01"])
    _step(workspace, "new", ["cc01", "dd01"])
    _step(workspace, "lost", ["ee01"])
    _task(workspace, "ff01")
    _run(workspace, published[0], "read", "old")
    _run(workspace, published[1], "read", "new")
    _run(workspace, None, "read", "lost", status="failed")
    return published


def test_tasks_of_versions_are_kept(workspace: Workspace, versions: list[Version]) -> None:
    """After a change of one stage, a run must not start from the beginning."""
    result = collect(workspace, keep=None, dry_run=False)

    assert (result["tasks"], result["steps"], result["bytes"]) == (
        2,
        1,
        600 + len('{"tasks": [{"fingerprint": "ee01"}]}'),
    )
    assert _left(workspace) == ({"read", "old", "new"}, {"aa01", "bb01", "cc01", "dd01"})


def test_only_the_newest_versions_may_be_kept(workspace: Workspace, versions: list[Version]) -> None:
    """Tasks of the kept versions stay, and no version is ever removed."""
    collect(workspace, keep=1, dry_run=False)

    assert _left(workspace) == ({"read", "new"}, {"aa01", "cc01", "dd01"})
    assert all(path.is_file() for version in versions for path in version.files("shard"))


def test_a_dry_run_removes_nothing_and_returns_the_same(workspace: Workspace, versions: list[Version]) -> None:
    """Users check what would be removed."""
    before = _left(workspace)

    rehearsed = collect(workspace, keep=1, dry_run=True)

    assert _left(workspace) == before
    assert {**collect(workspace, keep=1, dry_run=False), "dry_run": True} == rehearsed
    assert collect(workspace, keep=1, dry_run=False)["tasks"] == 0


def test_bytes_that_a_version_shares_are_not_counted(workspace: Workspace, versions: list[Version]) -> None:
    """Shards are hard links to the files of tasks."""
    before = collect(workspace, keep=None, dry_run=True)["bytes"]
    os.link(workspace.root / f"{workspace.tasks.out('ff01')}.shard.parquet", workspace.root / "held")

    assert collect(workspace, keep=None, dry_run=True)["bytes"] == before - 100


def test_files_of_killed_processes_are_removed(workspace: Workspace, versions: list[Version]) -> None:
    """These are half-written files, spills and staged versions."""
    spill, loose = workspace.tasks.spill, workspace.root / TASKS / "ab" / "ab01.0-1.shard.parquet"
    dead = attempt_name().replace(f"-{os.getpid()}-", "-999999-")
    copied = workspace.root / "raw" / "site" / f"site-00003.warc.gz.{dead}.tmp"
    for path in (
        copied,
        spill / f"step.{dead}.spill" / "000000.arrow",
        workspace.root / TASKS / "aa" / "aa01.arrow.123.tmp",
        loose,
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    staging = workspace.versions / "my-docs" / ".staging-0123456789abcdef"
    staging.mkdir()

    collect(workspace, keep=None, dry_run=False)

    assert list(spill.iterdir()) == []
    assert not staging.exists()
    assert not loose.exists()
    assert not copied.exists()


def test_a_running_run_keeps_its_steps_and_unfinished_tasks(workspace: Workspace, versions: list[Version]) -> None:
    """Tasks without a finished step may belong to the run, which holds the lock of its data set."""
    _run(workspace, None, "lost", "not-yet", status="running")
    spill = workspace.tasks.spill / "not-yet"
    spill.mkdir(parents=True)
    staging = workspace.versions / "my-docs" / ".staging-0123456789abcdef"
    staging.mkdir()

    with workspace.lock("dataset", "my-docs"):
        result = collect(workspace, keep=1, dry_run=False)

    assert result["steps"] == 1
    assert _left(workspace) == ({"read", "new", "lost"}, {"aa01", "cc01", "dd01", "ee01", "ff01"})
    assert spill.is_dir()
    assert staging.is_dir()


def test_nothing_is_removed_while_a_run_plans(workspace: Workspace, versions: list[Version]) -> None:
    """The steps of such a run are unknown."""
    _run(workspace, None, status="running")

    with (
        workspace.lock("dataset", "my-docs"),
        pytest.raises(UnfinishedError, match="has not planned its steps yet"),
    ):
        collect(workspace, keep=None, dry_run=False)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_workspace_that_cannot_be_written_is_not_taken_for_a_busy_one(
    workspace: Workspace, versions: list[Version], dry_run: bool
) -> None:
    """It is not in use, so a hint to wait would be wrong."""
    with read_only(workspace.root), pytest.raises(UnfinishedError) as refused:
        collect(workspace, keep=None, dry_run=dry_run)

    assert f"the workspace {workspace.root} cannot be written: " in str(refused.value)
    assert "change owner or mode" in str(refused.value.hint)


def test_a_run_that_died_holds_no_lock_and_keeps_nothing(workspace: Workspace, versions: list[Version]) -> None:
    """Its row has the status `running` forever, on a machine that may not exist any more."""
    _run(workspace, None, "lost", status="running")

    collect(workspace, keep=None, dry_run=False)

    assert "ee01" not in _left(workspace)[1]


def test_an_empty_workspace_has_no_garbage(workspace: Workspace) -> None:
    """Running `gc` before the first run is valid."""
    assert collect(workspace, keep=None, dry_run=False) == {"tasks": 0, "steps": 0, "bytes": 0, "dry_run": False}
    assert not workspace.root.exists()


def test_drafts_of_dead_processes_go_with_a_task_that_is_needed(workspace: Workspace, versions: list[Version]) -> None:
    """A task that was killed and repeated leaves its first draft beside its files."""
    dead = attempt_name().replace(f"-{os.getpid()}-", "-999999-")
    draft = workspace.root / f"{workspace.tasks.out('aa01')}.arrow.{dead}.tmp"
    draft.write_bytes(b"x")

    collect(workspace, keep=None, dry_run=False)

    assert not draft.exists()
    assert workspace.store.exists(f"{workspace.tasks.out('aa01')}.arrow")
