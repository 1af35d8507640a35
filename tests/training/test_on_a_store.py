"""Training from a store gives the same run as from a folder, also after a kill or an outage of the store."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from corpusmill.schemas.errors import DamagedFileError, UnfinishedError
from corpusmill.training import evaluate, fit
from corpusmill.training.checkpoint import newest_checkpoint
from corpusmill.training.trainer import Progress
from tests.s3 import Server
from tests.training.corpora import copy_to_store, tiny_config, write_version
from tests.training.test_trainer import (
    StopError,
    kill,
    lines,
    start_training,
    stop_after,
    wait_for_step,
    weights,
)


def lineage(run: Path) -> dict[str, Any]:
    checkpoint = newest_checkpoint(run)
    assert checkpoint is not None
    found: dict[str, Any] = json.loads((checkpoint / "state.json").read_text())["lineage"]
    return found


def test_a_run_from_a_store_is_that_from_a_folder(far_version: str, trained: Path, tmp_path: Path) -> None:
    """Results are equal bit by bit, with the same lineage.

    Model and tokenizer are local, the report stays on the store.
    """
    result = fit(tiny_config(), version_dir=far_version, workspace=tmp_path)

    run = tmp_path / "models" / "tiny"
    assert result["path"] == str(run)
    assert lines(run) == lines(trained)
    assert weights(run) == weights(trained)
    assert (run / "tokenizer.json").read_bytes() == (trained / "tokenizer.json").read_bytes()
    far, near = lineage(run), lineage(trained)
    assert (far["dataset"], far["version"]) == (near["dataset"], near["version"])
    assert (far["path"], far["report"]) == (far_version, f"{far_version}/report.html")
    for page in ("index.html", "README.md"):
        assert f"{far_version}/report.html" in (run / page).read_text()


def test_a_run_moves_between_folder_and_store(
    far_version: str, version_dir: Path, trained: Path, tmp_path: Path
) -> None:
    """The version decides, not its location."""
    for place, stop in ((version_dir, 5), (far_version, 9)):
        with pytest.raises(StopError):
            fit(tiny_config(), version_dir=place, workspace=tmp_path, progress=stop_after(stop))
    fit(tiny_config(), version_dir=version_dir, workspace=tmp_path)

    assert lines(tmp_path / "models" / "tiny") == lines(trained)
    assert weights(tmp_path / "models" / "tiny") == weights(trained)


def test_a_killed_run_goes_on_from_a_store(s3_version: str, version_dir: Path, tmp_path: Path) -> None:
    """A real SIGKILL at an arbitrary moment."""
    config = tiny_config(run="killed", steps=60, checkpoint_every=7, validate_every=30)
    fit(config.model_copy(update={"run": "whole"}), version_dir=version_dir, workspace=tmp_path)
    run = tmp_path / "models" / "killed"

    child = start_training(config, s3_version, tmp_path)
    assert wait_for_step(run, random.randint(5, 45), child)
    assert kill(child), "the run was over before it could be killed"
    fit(config, version_dir=s3_version, workspace=tmp_path)

    assert lines(run) == lines(tmp_path / "models" / "whole")
    assert weights(run) == weights(tmp_path / "models" / "whole")


@pytest.mark.parametrize("validate_every", [6, 1000], ids=["while validating", "while training"])
def test_a_run_whose_store_vanishes_goes_on_from_its_checkpoint(
    s3: Server, s3_version: str, version_dir: Path, tmp_path: Path, validate_every: int
) -> None:
    """Exit 5, no checkpointed step is lost, and the losses equal those of an undisturbed run."""
    config = tiny_config(steps=40, validate_every=validate_every)
    whole = Path(fit(config, version_dir=version_dir, workspace=tmp_path / "near")["path"])

    def vanish(now: Progress) -> None:
        s3.is_down = now.step >= 5

    with pytest.raises(UnfinishedError, match="cannot read: the store does not respond") as stopped:
        fit(config, version_dir=s3_version, workspace=tmp_path, progress=vanish)
    run = tmp_path / "models" / "tiny"
    saved = newest_checkpoint(run)
    s3.heal()
    fit(config, version_dir=s3_version, workspace=tmp_path)

    assert stopped.value.exit_code == 5
    assert "run the same command" in str(stopped.value.hint)
    assert saved is not None
    assert saved.name < "step-00000040"
    assert lines(run) == lines(whole)
    assert weights(run) == weights(whole)


def test_a_checkpoint_is_written_while_the_store_is_away(s3: Server, s3_version: str, tmp_path: Path) -> None:
    """Known facts, such as the manifest and the existence of a report, must not be requested again."""
    config = tiny_config(steps=6, validate_every=1000, checkpoint_every=3, model={"sequence_length": 1})

    def vanish(now: Progress) -> None:
        s3.is_down = True

    with pytest.raises(UnfinishedError):  # of the validation after the last step
        fit(config, version_dir=s3_version, workspace=tmp_path, progress=vanish)

    assert newest_checkpoint(tmp_path / "models" / "tiny") is not None
    assert lineage(tmp_path / "models" / "tiny")["report"] == f"{s3_version}/report.html"


def test_all_bytes_are_compared_only_where_they_are_asked_for(store_url: str, tmp_path: Path) -> None:
    """On a store, this would transfer every column of every document before the first step."""
    version = write_version(tmp_path / "version")
    manifest = json.loads((version / "manifest.json").read_text())
    manifest["files"][-1]["sha256"] = "0" * 64
    (version / "manifest.json").write_text(json.dumps(manifest))
    copy_to_store(version, store_url)
    config = tiny_config(steps=3)

    for place, verify in ((store_url, True), (version, None)):
        with pytest.raises(DamagedFileError, match=manifest["files"][-1]["path"]):
            fit(config, version_dir=place, workspace=tmp_path, verify=verify)
    assert fit(config, version_dir=store_url, workspace=tmp_path)["status"] == "trained"


def test_a_model_is_measured_on_a_store(far_version: str, version_dir: Path, trained: Path) -> None:
    """The same numbers, by source and against the baseline."""
    far, near = (evaluate(trained, place, baseline="trigram") for place in (far_version, version_dir))

    assert far == near
