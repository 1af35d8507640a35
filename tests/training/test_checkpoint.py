"""Reading a trained model, and the device that it computes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.training import evaluate, generate
from corpusmill.training.checkpoint import find_checkpoint, load_model, newest_checkpoint
from corpusmill.training.objectives.next_token import NextToken
from corpusmill.training.runtime import choose_device

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch detects no GPU")
needs_none = pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU")


@pytest.mark.parametrize("kind", ["cpu", "meta", pytest.param("cuda", marks=needs_gpu)])
def test_a_loaded_model_lies_on_the_device_that_was_asked_for(trained: Path, kind: str) -> None:
    """Weights left on the CPU would leave a GPU idle; every torch has the device `meta`."""
    loaded = load_model(trained, device=torch.device(kind))

    assert loaded.device.type == kind
    assert {tensor.device.type for tensor in loaded.model.state_dict().values()} == {kind}
    assert not loaded.model.training


@pytest.mark.parametrize("device", ["auto", "cpu", pytest.param("cuda", marks=needs_gpu)])
def test_a_model_is_used_on_any_device(
    trained: Path, version_dir: Path, device: Literal["auto", "cpu", "cuda"]
) -> None:
    """Tokens must be on the device of the weights."""
    assert generate(trained, "the", max_tokens=5, device=device).startswith("the")
    assert evaluate(trained, version_dir, device=device)["tokens"] > 0


@needs_none
def test_a_gpu_that_is_not_there_is_refused_by_name(trained: Path, version_dir: Path) -> None:
    """A silent fallback to the CPU would be noticed only after hours."""
    uses: list[Any] = [lambda: generate(trained, device="cuda"), lambda: evaluate(trained, version_dir, device="cuda")]

    for use in uses:
        with pytest.raises(UsageError, match="torch detects no GPU"):
            use()
    assert choose_device("auto").type == "cpu"


def test_a_checkpoint_is_found_from_the_run_and_from_itself(trained: Path, tmp_path: Path) -> None:
    """Users name either one; a folder without a checkpoint is a usage error."""
    newest = newest_checkpoint(trained)

    assert newest is not None
    assert find_checkpoint(trained) == find_checkpoint(str(newest)) == newest
    with pytest.raises(UsageError, match="has no trained model"):
        find_checkpoint(tmp_path)


@pytest.mark.parametrize(("written", "is_older"), [(1, True), (3, False)])
def test_a_checkpoint_of_another_format_is_refused(trained: Path, tmp_path: Path, written: int, is_older: bool) -> None:
    """Format 1 did not name its architecture: its weights belong to a model that is gone."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    newest = newest_checkpoint(run)
    assert newest is not None
    state = json.loads((newest / "state.json").read_text())
    (newest / "state.json").write_text(json.dumps(state | {"format_version": written}))

    with pytest.raises(DamagedFileError, match=f"has format {written}, this corpusmill reads 2") as caught:
        load_model(run, device=torch.device("cpu"))

    assert "use the corpusmill that wrote it" in (caught.value.hint or "")
    assert ("train again with `corpusmill train CONFIG --fresh`" in (caught.value.hint or "")) == is_older


def test_a_checkpoint_says_what_its_model_is(trained: Path) -> None:
    """The state alone gives the model and its objective, without the configuration file."""
    newest = newest_checkpoint(trained)
    assert newest is not None

    state = json.loads((newest / "state.json").read_text())

    assert state["format_version"] == 2
    assert (state["model"]["name"], state["objective"]) == ("llama", {"name": "next_token"})
    assert isinstance(load_model(trained, device=torch.device("cpu")).objective, NextToken)
