"""A workspace with raw files, tasks and versions on a store: the same version as in a folder, even after faults."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import corpusmill
from corpusmill.crawlers.crawl import crawl
from corpusmill.pipelines.api import run_recipe
from corpusmill.pipelines.dataset.catalog import open_catalog, rebuild
from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.garbage import collect
from corpusmill.pipelines.dataset.health import verified
from corpusmill.pipelines.dataset.version import open_version
from corpusmill.pipelines.planning.explain import explain_plan
from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.running.sources import acquire
from corpusmill.pipelines.workspace import Workspace, workspace_at
from corpusmill.schemas.errors import DamagedFileError, UnfinishedError
from corpusmill.schemas.storage import open_store
from tests.corpora import write_project
from tests.crawlers.sites import QUICK, Site, page, serve, source_of
from tests.s3 import Server

ACQUISITION = corpusmill.acquisition()


def run(recipe: Path, workspace: Workspace, *, workers: int = 0, **options: Any) -> dict[str, Any]:
    """Run *recipe* and return what the command prints."""
    return run_recipe(recipe, workspace=workspace, acquisition=ACQUISITION, workers=workers, **options)


def start(recipe: Path, workspace: Path, store: str, *, workers: int = 2) -> subprocess.Popen[str]:
    """Start the command in a new process group."""
    command = [sys.executable, "-m", "corpusmill", "run", str(recipe), "--json", "--quiet"]
    places = ["--workspace", str(workspace), "--store", store, "--workers", str(workers)]
    return subprocess.Popen(
        [*command, *places], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recipe with its input files."""
    return write_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def reference(project: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the version id of the recipe in a local workspace."""
    return str(run(project, Workspace(tmp_path_factory.mktemp("reference")))["version"])


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recipe with the same input files and few steps, for tests in which it does not matter what is run."""
    recipe = write_project(tmp_path_factory.mktemp("short"))
    text = recipe.read_text()
    before, _, after = text.partition("stages:\n")
    recipe.write_text(f"{before}stages: [extract, exact_dedup]\nsplit:{after.partition('split:')[2]}")
    return recipe


@pytest.fixture(scope="module")
def short_reference(short: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the version id of the short recipe in a local workspace."""
    return str(run(short, Workspace(tmp_path_factory.mktemp("reference")))["version"])


@pytest.fixture(params=["memory", "s3", "folder"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """Return a workspace whose files are on a store."""
    match request.param:
        case "memory":
            return workspace_at(tmp_path / "here", f"memory://{uuid.uuid4().hex}")
        case "s3":
            return workspace_at(tmp_path / "here", request.getfixturevalue("s3_url"))
        case _:
            return workspace_at(tmp_path / "here", str(tmp_path / "there"))


def files_in(folder: Path) -> set[str]:
    """Return the names of the files in *folder* and below it."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_the_version_is_on_the_store_and_not_in_the_folder(project: Path, reference: str, far: Workspace) -> None:
    """Only the list of runs is on this machine, and the next run reuses all results."""
    first = run(project, far)

    assert first["version"] == reference
    assert files_in(far.root) <= {"corpusmill.db"}
    assert {entry.key.split("/")[0] for entry in far.store.files()} >= {"raw", "steps", "tasks", "versions"}
    again = run(project, far)
    assert again["status"] == "unchanged"
    assert all(step["cached"] for step in again["steps"])


def test_the_catalog_of_a_store_has_its_files(short: Path, s3_url: str, tmp_path: Path) -> None:
    """Other tools read the table like one on disk; a lost database is rebuilt from the versions."""
    workspace = workspace_at(tmp_path / "w", s3_url)
    run(short, workspace)
    with contextlib.closing(open_catalog(workspace)) as catalog:
        rows = catalog.load_table("corpusmill.made").scan().to_arrow().num_rows
    version = open_version("made", workspace)
    assert rows == version.manifest.counts.published

    workspace.database.unlink()

    assert rebuild(workspace) == (1, [])
    with contextlib.closing(open_catalog(workspace)) as catalog:
        assert catalog.load_table("corpusmill.made").metadata_location.startswith(f"{s3_url}/catalog/")


def test_processes_share_the_files_of_a_store(short: Path, short_reference: str, s3_url: str, tmp_path: Path) -> None:
    """Every worker opens the store itself, and a second machine reuses the results of the first one."""
    assert run(short, workspace_at(tmp_path / "one", s3_url), workers=2)["version"] == short_reference

    other = run(short, workspace_at(tmp_path / "other", s3_url))

    assert all(step["cached"] for step in other["steps"])


def test_commands_that_only_read_work_on_a_store(short: Path, short_reference: str, far: Workspace) -> None:
    """`plan`, `explain`, `doctor --verify` and `gc` must read the store, not the folder."""
    run(short, far)
    version = open_version("made", far)
    identity = version.manifest.files[0].first_id

    planned = explain_plan(short, workspace=far, acquisition=ACQUISITION)
    assert all(step["cached"] for step in planned["steps"])
    assert explain(str(identity), far)["status"] == "published"
    assert {row["status"] for row in verified(far)} == {"ok"}
    assert collect(far, keep=None, dry_run=False)["tasks"] == 0


@pytest.mark.parametrize("moments", [(2, 20), pytest.param((2, 12, 30), marks=pytest.mark.slow)])
def test_a_killed_run_on_s3_continues(
    project: Path, reference: str, s3_url: str, tmp_path: Path, moments: tuple[int, ...]
) -> None:
    """The run is killed repeatedly, each time after a few more tasks."""
    store = open_store(s3_url)
    for tasks in moments:
        with start(project, tmp_path / "w", s3_url) as process:
            while process.poll() is None and len(store.files("tasks")) < tasks:
                time.sleep(0.02)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    _steal(store)

    with start(project, tmp_path / "w", s3_url) as process:
        output, _ = process.communicate()

    assert json.loads(output)["version"] == reference


def _steal(store: Any) -> None:
    """Remove the leases of killed runs, which would expire only after a minute."""
    store.remove(*(entry.key for entry in store.files("locks")))


def test_a_run_continues_after_the_store_was_unreachable(
    short: Path, short_reference: str, s3: Server, s3_url: str, tmp_path: Path
) -> None:
    """The run ends with exit code 5 and no incomplete version; the next run reuses finished work."""
    s3.puts_until_down = 30

    with start(short, tmp_path / "w", s3_url) as process:
        _, errors = process.communicate()

    assert process.returncode == 5
    assert [line.partition(" ")[0] for line in errors.splitlines() if line][-2:] == ["error:", "hint:"]
    assert "Traceback" not in errors
    s3.heal()
    _steal(open_store(s3_url))
    result = run(short, workspace_at(tmp_path / "w", s3_url))
    assert result["version"] == short_reference
    assert any(step["cached"] for step in result["steps"])


def test_an_unreadable_output_is_named(short: Path, s3: Server, s3_url: str, tmp_path: Path) -> None:
    """The permissions of an object can change."""
    workspace = workspace_at(tmp_path / "w", s3_url)
    run(short, workspace)
    (dead, *_) = [entry.key for entry in workspace.store.files("tasks") if entry.key.endswith(".shard.parquet")]
    workspace.store.remove_folder("versions")
    s3.denied = dead.rpartition("/")[2]

    with pytest.raises(UnfinishedError) as caught:
        run(short, workspace)

    assert caught.value.exit_code == 5
    assert s3.denied in str(caught.value.file)


def test_a_missing_output_is_computed_again(short: Path, short_reference: str, far: Workspace) -> None:
    """The listing of the store counts, not the manifest of the step."""
    run(short, far)
    outputs = [entry.key for entry in far.store.files("tasks") if entry.key.endswith(".arrow")]
    far.store.remove(*outputs[::3])
    far.store.remove_folder("versions")

    assert run(short, far)["version"] == short_reference


def test_a_second_run_on_the_same_store_is_refused(short: Path, s3_url: str, tmp_path: Path) -> None:
    """The error names the process that holds the lock, also from another workspace."""
    one, other = workspace_at(tmp_path / "one", s3_url), workspace_at(tmp_path / "other", s3_url)

    with one.lock("dataset", "made"), pytest.raises(UnfinishedError, match=f"process {os.getpid()} on "):
        run(short, other)


def test_gc_waits_for_a_run_of_another_machine(short: Path, s3_url: str, tmp_path: Path) -> None:
    """The files that the run needs are known only to the other machine."""
    one, other = workspace_at(tmp_path / "one", s3_url), workspace_at(tmp_path / "other", s3_url)
    run(short, one)

    with one.lock("dataset", "made"), pytest.raises(UnfinishedError, match="another machine uses `made`"):
        collect(other, keep=None, dry_run=False)


def test_a_folder_whose_lock_was_lost_does_not_appear(s3_url: str, tmp_path: Path) -> None:
    """A machine can wake up from sleep while publishing, after its lease has expired."""
    dataset = workspace_at(tmp_path / "w", s3_url).dataset("made")

    def lost() -> None:
        assert dataset.exists("0123456789abcdef/train-00000-of-00001.parquet")
        raise UnfinishedError("the lock was lost")

    def publish() -> None:
        with dataset.appearing_folder("0123456789abcdef", last="manifest.json", check=lost) as folder:
            (folder / "manifest.json").write_text("{}")
            (folder / "train-00000-of-00001.parquet").write_bytes(b"x")

    with pytest.raises(UnfinishedError, match="the lock was lost"):
        publish()

    assert not dataset.exists("0123456789abcdef/manifest.json")


# -- raw files


@pytest.fixture
def site() -> Iterator[Site]:
    """Return a site of three pages that link to each other."""
    with serve({"/": page("/a", "/b"), "/a": page(), "/b": page()}) as found:
        yield found


def test_loaded_files_are_copied_to_the_store_and_read_there(project: Path, far: Workspace) -> None:
    """The version must stay the same after the originals are removed."""
    recipe = write_project(far.root.parent / "moved")
    for source in read_recipe(recipe, far, ACQUISITION).recipe.sources:
        acquire(read_recipe(recipe, far, ACQUISITION), source, far, ACQUISITION, copy=True)
    for folder in ("lines", "pages"):
        for path in (recipe.parent / folder).rglob("*"):
            path.unlink(missing_ok=True)

    assert run(recipe, far)["counts"]["published"] > 0
    assert len(far.store.files("raw/lines/files")) > 0


def test_a_copy_that_changed_on_the_store_is_refused(short: Path, far: Workspace) -> None:
    """It is refused like a file on disk, because the manifest has another hash."""
    loaded = read_recipe(short, far, ACQUISITION)
    acquire(loaded, loaded.recipe.sources[0], far, ACQUISITION, copy=True)
    key = far.store.files("raw/lines/files")[0].key
    far.store.write(key, far.store.read(key) + b"{}\n")

    with pytest.raises(DamagedFileError, match="1 of 3 files of the source `lines` changed"):
        run(short, far)


def test_a_copy_that_was_replaced_by_one_of_its_size_is_refused(short: Path, far: Workspace) -> None:
    """Its name is the hash of the original content; on a store, its ETag shows that it was written again."""
    loaded = read_recipe(short, far, ACQUISITION)
    acquire(loaded, loaded.recipe.sources[0], far, ACQUISITION, copy=True)
    key = far.store.files("raw/lines/files")[0].key
    before = far.store.read(key)
    time.sleep(0.01)
    far.store.write(key, b"x" * len(before))

    with pytest.raises(DamagedFileError, match="1 of 3 files of the source `lines` changed"):
        run(short, far)

    far.store.write(key, before)
    assert run(short, far)["counts"]["published"] > 0


def test_a_finished_crawl_is_on_the_store_only(site: Site, far: Workspace) -> None:
    """Archives are written on this machine and moved to the store when the crawl is finished."""
    source, raw = source_of(site), far.raw("site")
    folder = far.crawl_folder("site")

    first = crawl(source, folder, store=raw, limits=QUICK)
    second = crawl(source, folder, store=raw, limits=QUICK)

    assert [file.path for file in first.files] == ["site-00000.warc.gz"]
    assert [file.path for file in second.files] == ["site-00001.warc.gz"]
    names = {entry.key for entry in raw.files()}
    assert names == {"manifest.json", second.files[0].path, *second.ledger, *second.pages}
    assert raw.sha256(second.files[0].path) == second.files[0].sha256
    assert files_in(folder) == set()
    with raw.open(second.ledger[0]) as file:
        assert pq.read_table(file).num_rows == 0
    assert far.raw_manifest("site") == second


def test_a_crawl_is_sent_when_the_store_is_reachable_again(site: Site, s3: Server, s3_url: str, tmp_path: Path) -> None:
    """No page may be fetched twice because of it."""
    workspace = workspace_at(tmp_path / "w", s3_url)
    folder, raw = workspace.crawl_folder("site"), workspace.raw("site")
    s3.puts_until_down = 1  # the manifest of the unfinished crawl is written, the archive is not

    with pytest.raises(UnfinishedError):
        crawl(source_of(site), folder, store=raw, limits=QUICK)
    asked = len(site.seen)
    s3.heal()
    manifest = crawl(source_of(site), folder, store=raw, limits=QUICK)

    assert len(site.seen) == asked
    assert manifest.counts["pages"] == 3
    assert raw.exists(manifest.files[0].path)


def test_a_new_machine_continues_the_numbers_of_archives_on_the_store(site: Site, s3_url: str, tmp_path: Path) -> None:
    """Its folder is empty, but existing archives on the store must not be overwritten while they are read."""
    for machine in ("one", "other"):
        workspace = workspace_at(tmp_path / machine, s3_url)
        manifest = crawl(source_of(site), workspace.crawl_folder("site"), store=workspace.raw("site"), limits=QUICK)

    assert [file.path for file in manifest.files] == ["site-00001.warc.gz"]
