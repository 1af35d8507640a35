"""The five promises, tested on a small corpus through the interfaces of a user."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import corpusmill
from corpusmill.pipelines.api import make_engine
from corpusmill.pipelines.dataset.evidence import record
from corpusmill.pipelines.dataset.publications import read_manifest
from corpusmill.pipelines.dataset.version import open_version
from corpusmill.pipelines.engines.driver import Engine, Silent
from corpusmill.pipelines.recipes.reading import load_recipe
from corpusmill.pipelines.running.run import Options, run
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError, UnfinishedError
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.manifest import VersionManifest
from tests.corpora import lines_of, records, write_lines, write_project

KILLS = 5
INTERRUPTS = ((1, 0.0), (1, 0.5), (1, 1.0), (1, 1.5), (2, 0.0), (8, 0.0), (10, 0.5))
"""When runs are interrupted: after so many lines of progress, then seconds. Workers start after the first line."""


def run_once(
    recipe: Path, workspace: Path, *, engine: Engine | None = None, **options: Any
) -> tuple[dict[str, Any], VersionManifest]:
    """Run *recipe*, by default in this process, and return the result and the manifest."""
    made = engine or make_engine("local", workers=0)
    acquisition = corpusmill.acquisition()
    loaded = load_recipe(recipe, loaders=acquisition.loaders)
    result = run(loaded, Workspace(workspace), made, acquisition, observer=Silent(), options=Options(**options))
    return result.as_dict(), read_manifest(Path(str(result.path)))


def hashes(manifest: VersionManifest) -> list[tuple[str, str]]:
    """Return the logical hash of every file that is part of the version id."""
    sides = [side for side in manifest.side_files if side.kind != "origin"]
    return [(file.path, file.logical_hash) for file in (*manifest.files, *sides)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recipe with its input files."""
    return write_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def reference(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], VersionManifest]:
    """Return the result of the recipe, computed in one process."""
    return run_once(project, tmp_path_factory.mktemp("reference"))


class TestSameRecipeSameBytes:
    """Promise 1. For other engines, see `tests.pipelines.engines.whole_runs`."""

    @pytest.mark.parametrize("workers", [1, 3])
    def test_the_number_of_workers_changes_nothing(
        self, project: Path, reference: tuple[Any, VersionManifest], tmp_path: Path, workers: int
    ) -> None:
        """The number of processes may change the speed, not the result."""
        engine = make_engine("local", workers=workers)
        try:
            _, manifest = run_once(project, tmp_path, engine=engine)
        finally:
            engine.close()

        assert manifest.version == reference[1].version
        assert hashes(manifest) == hashes(reference[1])

    @pytest.mark.parametrize(("files", "seed"), [(1, 5), (7, 11)])
    def test_other_files_in_another_order_change_nothing(
        self, reference: tuple[Any, VersionManifest], tmp_path: Path, files: int, seed: int
    ) -> None:
        """Records must not depend on their file or position."""
        recipe = write_project(tmp_path / "project", files=files, seed=seed)

        _, manifest = run_once(recipe, tmp_path / "workspace")

        assert hashes(manifest) == hashes(reference[1])

    def test_the_boundaries_of_batches_change_nothing(
        self, project: Path, reference: tuple[Any, VersionManifest], tmp_path: Path
    ) -> None:
        """Detects stages whose result depends on other rows of the batch."""
        _, manifest = run_once(project, tmp_path, batch_rows=1)

        assert hashes(manifest) == hashes(reference[1])

    @pytest.mark.parametrize("before", ["40kB", "1kB"])
    def test_a_version_with_other_shards_before_it_changes_nothing(
        self, project: Path, reference: tuple[Any, VersionManifest], tmp_path: Path, before: str
    ) -> None:
        """The size of the shards must not affect joins with a published version."""
        other = project.with_name(f"recipe-{before}.yaml")
        other.write_text(project.read_text().replace("30kB", before))
        run_once(other, tmp_path)

        _, manifest = run_once(project, tmp_path)

        assert manifest.version == reference[1].version
        assert hashes(manifest) == hashes(reference[1])

    def test_the_number_of_shards_does_not_change_the_documents(
        self, project: Path, reference: tuple[Any, VersionManifest], tmp_path: Path
    ) -> None:
        """Shards are ranges of ids, so the corpus does not depend on their number."""
        other = tmp_path / "recipe.yaml"
        other.write_text(project.read_text().replace("30kB", "1MB").replace("path: ", f"path: {project.parent}/"))

        _, manifest = run_once(other, tmp_path / "workspace")

        assert manifest.counts.published == reference[1].counts.published
        assert sum(file.split == "train" for file in manifest.files) == 1
        assert sum(file.split == "train" for file in reference[1].files) > 1


class TestNothingIsLostSilently:
    """Promise 2."""

    def test_every_stage_accounts_for_documents_and_bytes(self, reference: tuple[Any, VersionManifest]) -> None:
        """In = out + ledger, and the input of a stage is the output of the previous one."""
        stages = reference[1].counts.stages

        assert all(stage.holds for stage in stages)
        assert [s.documents_out for s in stages[:-1]] == [s.documents_in for s in stages[1:]]
        assert [s.bytes_out for s in stages[:-1]] == [s.bytes_in for s in stages[1:]]
        assert {s.name for s in stages} >= {
            "read",
            "extract",
            "quality",
            "pii",
            "identity",
            "exact_dedup",
            "near_dedup",
        }

    def test_every_record_is_in_a_shard_or_in_the_ledger(
        self, project: Path, reference: tuple[dict[str, Any], VersionManifest]
    ) -> None:
        """Compared with the input files, not with our own counts."""
        folder = Path(reference[0]["path"])
        published = _rows(folder, reference[1], "shard", ["id", "source_id", "source"])
        ledger = _rows(folder, reference[1], "ledger", ["id", "source_id", "source", "rule", "duplicate_of"])

        lines = sum(len(path.read_bytes().splitlines()) for path in (project.parent / "lines").iterdir())
        pages = len(list((project.parent / "pages").iterdir()))

        assert len(published) + len(ledger) == lines + pages
        assert not {row["id"] for row in published} & {row["id"] for row in ledger}
        kept = {row["id"] for row in published}
        assert all(row["duplicate_of"] in kept for row in ledger if row["rule"] == "near_dedup.duplicate")
        assert {row["rule"] for row in ledger} >= {
            "error.not_json",
            "error.no_text",
            "error.encoding",
            "error.empty",
            "error.not_text",
            "exact_dedup.duplicate",
            "near_dedup.duplicate",
            "gopher.word_count",
        }

    def test_samples_in_the_ledger_hold_no_personal_data(
        self, reference: tuple[dict[str, Any], VersionManifest]
    ) -> None:
        """The stage does not mask rejected texts, so their samples must be masked separately."""
        folder = Path(reference[0]["path"])
        rows = _rows(folder, reference[1], "ledger", ["sample_text"]) + _rows(folder, reference[1], "shard", ["text"])

        texts = [text for row in rows for text in row.values() if text]
        assert any("<EMAIL>" in text for text in texts)
        assert not any("jane.roe@" in text or "4111" in text for text in texts)


class TestKilledItResumes:
    """Promise 4."""

    def test_a_killed_run_gives_the_same_bytes(
        self, project: Path, reference: tuple[Any, VersionManifest], tmp_path: Path
    ) -> None:
        """The process group is killed with `kill -9` five times before a run completes."""
        duration = _timed_run(project, tmp_path / "timed")
        workspace = tmp_path / "killed"

        for number in range(KILLS):
            _killed_run(project, workspace, after_s=duration * (0.25 + 0.7 * number / KILLS))
        result = _command("run", str(project), "--workspace", str(workspace), "--workers", "2", "--json")

        manifest = read_manifest(Path(json.loads(result.stdout)["path"]))
        assert hashes(manifest) == hashes(reference[1])
        assert not list((workspace / "versions").glob("*/.staging*"))

    def test_an_interrupted_run_reports_it_and_can_continue(
        self, project: Path, reference: tuple[Any, VersionManifest], tmp_path: Path
    ) -> None:
        """Ctrl-C reaches all processes of the terminal, and none of them may print a traceback."""
        workspace = tmp_path / "interrupted"

        answers = [_interrupted_run(project, workspace, lines=lines, then_s=then_s) for lines, then_s in INTERRUPTS]
        result = _command("run", str(project), "--workspace", str(workspace), "--workers", "2", "--json")

        assert [errors for _, errors in answers if "Traceback" in errors] == []
        assert [code for code, _ in answers[:-1]] == [130] * (len(INTERRUPTS) - 1)
        assert answers[-1][0] in (130, 0, -signal.SIGINT), "the last interrupt can come after the run has finished"
        assert hashes(read_manifest(Path(json.loads(result.stdout)["path"]))) == hashes(reference[1])

    def test_published_versions_survive_a_kill_during_publication(
        self, project: Path, reference: tuple[Any, VersionManifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The run is killed before the files are renamed, or before the log is written; the next run completes both."""
        from corpusmill.pipelines.dataset import publications
        from corpusmill.schemas.storage import local

        def die(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        for target, name in ((local, "complete_folder"), (publications, "record")):
            with monkeypatch.context() as patch:
                patch.setattr(target, name, die)
                with pytest.raises(KeyboardInterrupt):
                    run_once(project, tmp_path)

        result, manifest = run_once(project, tmp_path)

        assert result["status"] == "published" or result["status"] == "unchanged"
        assert hashes(manifest) == hashes(reference[1])
        assert [entry["version"] for entry in publications.publications(tmp_path / "versions" / "made")] == [
            manifest.version
        ]

    def test_a_second_run_reuses_every_step_and_publishes_nothing(self, project: Path, tmp_path: Path) -> None:
        """The same input gives the same version."""
        first, _ = run_once(project, tmp_path)
        second, _ = run_once(project, tmp_path)

        assert (first["status"], second["status"]) == ("published", "unchanged")
        assert all(step["cached"] for step in second["steps"])


class TestBadInputIsAnAnswer:
    """Promise 3, for whole runs."""

    def test_repeated_ids_are_kept_once(self, tmp_path: Path) -> None:
        """Of two captures of one id, one is published and the other is in the ledger with a rule."""
        recipe = write_project(tmp_path / "project", count=20)
        rows = records(20)
        again = [rows[0], {**rows[1], "text": rows[1]["text"] + " And one sentence more for the road."}]
        write_lines(tmp_path / "project" / "lines", lines_of(again)[:2], files=1, seed=8)

        result, manifest = run_once(recipe, tmp_path / "workspace")

        ledger = _rows(Path(result["path"]), manifest, "ledger", ["id", "rule"])
        rules = [row["rule"] for row in ledger if row["rule"].startswith("identity.")]
        assert sorted(rules) == ["identity.repeated", "identity.superseded"]


def _rows(folder: Path, manifest: VersionManifest, kind: str, columns: list[str]) -> list[dict[str, Any]]:
    names = (
        [f.path for f in manifest.files] if kind == "shard" else [f.path for f in manifest.side_files if f.kind == kind]
    )
    return [row for name in names for row in pq.read_table(folder / name, columns=columns).to_pylist()]


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "corpusmill", *arguments]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return completed


def _timed_run(recipe: Path, workspace: Path) -> float:
    start = time.monotonic()
    _command("run", str(recipe), "--workspace", str(workspace), "--workers", "2")
    return time.monotonic() - start


def _killed_run(recipe: Path, workspace: Path, *, after_s: float) -> None:
    """Start a run in a new process group and kill the whole group."""
    command = [sys.executable, "-m", "corpusmill", "run", str(recipe), "--workspace", str(workspace), "--workers", "2"]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _interrupted_run(recipe: Path, workspace: Path, *, lines: int, then_s: float) -> tuple[int, str]:
    """Start a fresh run, interrupt it *then_s* after *lines* lines of progress; return exit code and standard error."""
    command = [sys.executable, "-m", "corpusmill", "run", str(recipe), "--workspace", str(workspace)]
    process = subprocess.Popen(
        [*command, "--workers", "2", "--fresh"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = [process.stderr.readline() for _ in range(lines)]
    time.sleep(then_s)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    rest = process.communicate()[1]
    return process.returncode, "".join([*first, rest])


def test_each_of_several_equal_files_has_its_own_origin(tmp_path: Path) -> None:
    """The origin of a document must not point to another file with the same content."""
    recipe = write_project(tmp_path / "project", count=5)
    pages = tmp_path / "project" / "pages"
    for number in range(3):
        shutil.copy(pages / "page-1.html", pages / f"copy-{number}.html")

    result, manifest = run_once(recipe, tmp_path / "workspace")

    folder = Path(result["path"])
    version = open_version(str(folder))
    columns = ["id", "record_sha256", "source_id", "source"]
    captures = [row for kind in ("shard", "ledger") for row in _rows(folder, manifest, kind, columns)]
    origins = [
        (record(version, row["id"], row["record_sha256"], row["source_id"])["file"], row["source_id"])
        for row in captures
        if row["source"] == "pages"
    ]
    assert sorted(origins) == sorted((str(path), path.name) for path in pages.iterdir())
    hashes_of = {row["file"] for row in _rows(folder, manifest, "origin", ["file"])}
    assert hashes_of >= {file_sha256(path) for path in pages.iterdir()}


def test_signals_have_one_row_for_each_measured_document(tmp_path: Path) -> None:
    """Joining signals by id must not duplicate documents with several captures."""
    recipe = write_project(tmp_path / "project", count=20)
    rows = records(20)
    again = [{**row, "text": row["text"] + " And one sentence more for the road."} for row in rows]
    write_lines(tmp_path / "project" / "lines", lines_of(again)[:20], files=1, seed=8)

    result, manifest = run_once(recipe, tmp_path / "workspace")

    folder = Path(result["path"])
    signals = _rows(folder, manifest, "signals", ["id", "gopher.word_count"])
    documents = {row["id"]: row["word_count"] for row in _rows(folder, manifest, "shard", ["id", "word_count"])}
    assert len({row["id"] for row in signals}) == len(signals)
    assert documents.keys() <= {row["id"] for row in signals}
    superseded = [row for row in _rows(folder, manifest, "ledger", ["rule"]) if row["rule"] == "identity.superseded"]
    assert len(superseded) > 10


class TestDamageIsNoticed:
    """Files on disk are verified before they are used."""

    @pytest.mark.parametrize("damage", ["flipped byte", "missing shard", "torn manifest", "edited manifest"])
    def test_a_damaged_version_is_reported(self, project: Path, tmp_path: Path, damage: str) -> None:
        """The user needs the name of the file and a way to restore it."""
        result, manifest = run_once(project, tmp_path)
        shard, manifest_path = Path(result["path"]) / manifest.files[0].path, Path(result["path"]) / "manifest.json"
        match damage:
            case "flipped byte":
                data = bytearray(shard.read_bytes())
                data[len(data) // 2] ^= 1
                shard.unlink()
                shard.write_bytes(data)
            case "missing shard":
                shard.unlink()
            case "torn manifest":
                manifest_path.write_text(manifest_path.read_text()[:500])
            case "edited manifest":
                counts = f'"published": {manifest.counts.published}'
                manifest_path.write_text(manifest_path.read_text().replace(counts, '"published": 1', 1))

        with pytest.raises(DamagedFileError) as caught:
            run_once(project, tmp_path)

        assert Path(str(caught.value.file)).name == (manifest_path.name if "manifest" in damage else shard.name)
        assert "pydantic" not in str(caught.value)

    def test_a_damaged_task_is_computed_again_before_it_is_published(
        self, project: Path, reference: tuple[Any, VersionManifest], tmp_path: Path
    ) -> None:
        """A version shares its files with tasks, so damage must not be published again from the task."""
        result, manifest = run_once(project, tmp_path)
        shard = Path(result["path"]) / manifest.files[0].path
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1
        shard.write_bytes(data)  # written in place, which changes the task's file too
        shutil.rmtree(result["path"])

        with pytest.raises(UnfinishedError, match="damaged"):
            run_once(project, tmp_path)
        _, again = run_once(project, tmp_path)

        assert hashes(again) == hashes(reference[1])

    def test_a_killed_attempt_is_swept_by_the_next_one(self, project: Path, tmp_path: Path) -> None:
        """Repeated crashes must not fill the disk."""
        from corpusmill.schemas.storage.attempts import attempt_name

        run_once(project, tmp_path)
        records = (tmp_path / "tasks").glob("*/*.json")
        task = next(path for path in records if json.loads(path.read_text())["step"] == "normalize")
        dead = subprocess.run(
            [
                sys.executable,
                "-c",
                "from corpusmill.schemas.storage.attempts import attempt_name; print(attempt_name())",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        left = [task.with_name(f"{task.stem}.arrow.{dead}.tmp"), task.with_name(f"{task.stem}.{dead}.shard.parquet")]
        ours = task.with_name(f"{task.stem}.arrow.{attempt_name()}.tmp")
        for path in (*left, ours):
            path.touch()
        task.unlink()

        run_once(project, tmp_path)

        assert not any(path.exists() for path in left)
        assert ours.exists()

    def test_a_damaged_database_is_reported_with_a_hint(self, project: Path, tmp_path: Path) -> None:
        """The database can always be rebuilt."""
        run_once(project, tmp_path)
        (tmp_path / "corpusmill.db").write_text("junk" * 300)

        with pytest.raises(DamagedFileError, match=r"corpusmill\.db: not a database") as caught:
            run_once(project, tmp_path)

        assert "doctor --repair" in str(caught.value.hint)
