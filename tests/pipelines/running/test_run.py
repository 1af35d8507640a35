"""Runs: locks, records and options."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import corpusmill
from corpusmill.pipelines.api import make_engine
from corpusmill.pipelines.dataset.version import version_in
from corpusmill.pipelines.engines.base import Step
from corpusmill.pipelines.engines.driver import Silent
from corpusmill.pipelines.recipes.reading import load_recipe
from corpusmill.pipelines.running.run import run
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import ChecksFailedError, UnfinishedError
from tests.test_promises import run_once


def test_a_second_run_of_a_data_set_is_refused(project: Path, tmp_path: Path) -> None:
    """The error names the holder of the lock, and the exit code is 5."""
    with (
        Workspace(tmp_path).lock("dataset", "made"),
        pytest.raises(UnfinishedError, match=f"process {os.getpid()}"),
    ):
        run_once(project, tmp_path)


def test_a_run_is_recorded_with_its_result(project: Path, tmp_path: Path) -> None:
    """`runs` lists it, and `gc` keeps the results of its steps."""
    result, manifest = run_once(project, tmp_path)

    (run,) = Workspace(tmp_path).runs("made")
    assert (run["status"], run["version"], run["engine"]) == ("published", manifest.version, "local")
    assert (run["recipe"], run["message"]) == (str(project), None)
    assert [step["fingerprint"] for step in run["steps"]] == [step["fingerprint"] for step in result["steps"]]
    assert run["started_at"] <= run["ended_at"]


def test_a_run_that_failed_is_recorded_with_its_reason(project: Path, tmp_path: Path) -> None:
    """`runs` shows the reason, and the next run reuses the finished steps."""
    recipe = project.with_name("strict.yaml")
    recipe.write_text(project.read_text() + "checks: {min_documents: 10000}\n")

    with pytest.raises(ChecksFailedError):
        run_once(recipe, tmp_path)
    result, _ = run_once(project, tmp_path)

    runs = Workspace(tmp_path).runs("made")
    assert [run["status"] for run in runs] == ["published", "failed"]
    assert "min_documents" in runs[1]["message"]
    assert runs[1]["version"] is None
    assert all(step["cached"] for step in result["steps"])


def test_an_interrupted_run_is_recorded_as_such(project: Path, tmp_path: Path) -> None:
    """An interrupt is not a failure, because the same command resumes the run."""

    class Interrupting(Silent):
        def step_started(self, step: Step, *, tasks: int, missing: int) -> None:
            raise KeyboardInterrupt

    acquisition = corpusmill.acquisition()
    loaded = load_recipe(project, loaders=acquisition.loaders)
    engine = make_engine("local", workers=0)

    with pytest.raises(KeyboardInterrupt):
        run(loaded, Workspace(tmp_path), engine, acquisition, observer=Interrupting())

    assert [one["status"] for one in Workspace(tmp_path).runs("made")] == ["interrupted"]


def test_the_result_counts_what_was_published(project: Path, tmp_path: Path) -> None:
    """read = published + ledger holds in total, by source, and for the counts of stages."""
    result, manifest = run_once(project, tmp_path)

    counts = result["counts"]
    assert counts["read"] == counts["published"] + counts["ledger"]
    assert counts["read"] == sum(source["read"] for source in manifest.counts.by_source.values())
    assert list(manifest.counts.by_source) == ["lines", "pages"]
    assert Path(result["path"]).name == result["version"] == manifest.version
    (words,) = [step for step in result["steps"] if step["name"] == "quality"]
    (stage,) = [stage for stage in manifest.counts.stages if stage.name == "quality"]
    assert (words["in"], words["out"]) == (stage.documents_in, stage.documents_out)


def test_fresh_computes_everything_again_and_publishes_nothing_new(project: Path, tmp_path: Path) -> None:
    """`--fresh` verifies that the results are reproducible."""
    first, _ = run_once(project, tmp_path)
    fresh, _ = run_once(project, tmp_path, fresh=True)

    assert (fresh["status"], fresh["version"]) == ("unchanged", first["version"])
    assert not any(step["cached"] for step in fresh["steps"])


def captured(version: Path) -> list[str]:
    """Return the ids of all documents that were read, in order."""
    files = version_in(version).files("origin")
    return sorted({identity for file in files for identity in pq.read_table(file)["id"].to_pylist()})


def test_a_sample_of_the_smallest_ids_is_a_data_set_of_its_own(project: Path, tmp_path: Path) -> None:
    """`--limit` tests all stages with few documents, and must not replace the full data set."""
    everything, _ = run_once(project, tmp_path)

    result, _ = run_once(project, tmp_path, limit=30)

    assert result["dataset"] == "made-sample"
    assert captured(Path(result["path"])) == captured(Path(everything["path"]))[:30]


def test_runs_are_listed_newest_first_although_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`runs` and `plan` take the first row for the last run."""
    workspace = Workspace(tmp_path)
    workspace.make()
    moments = iter(("2026-11-30T05:00:01+00:00", "2026-11-30T05:00:00+00:00"))
    monkeypatch.setattr("corpusmill.pipelines.workspace.now_text", lambda: next(moments))

    first, second = (workspace.start_run(dataset="made", recipe="r.yaml", engine="local") for _ in range(2))

    assert [run["run"] for run in workspace.runs("made")] == [second, first]
