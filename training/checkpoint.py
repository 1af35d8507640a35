"""Checkpoints: folders with the weights, the optimizer and a state in JSON. Loading one never unpickles anything.

A checkpoint is written under a draft name and renamed when it is complete, so every visible checkpoint is usable.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from corpusmill.schemas.errors import DamagedFileError, UnfinishedError, UsageError
from corpusmill.schemas.storage import complete_folder
from corpusmill.training.config import ModelConfig, ObjectiveConfig
from corpusmill.training.data.tokenizer import TOKENIZER_FILE, load_tokenizer
from corpusmill.training.models import build_model
from corpusmill.training.models.base import LanguageModel
from corpusmill.training.objectives import build_objective
from corpusmill.training.objectives.base import Objective

FORMAT_VERSION: Final = 2
FOLDER: Final = "checkpoints"
_WEIGHTS: Final = "model.safetensors"
_OPTIMIZER: Final = "optimizer.safetensors"
_STATE: Final = "state.json"
_DRAFT: Final = ".draft-"


@dataclass(frozen=True)
class Loaded:
    """A loaded model and its origin."""

    path: Path
    model: LanguageModel
    tokenizer: Tokenizer
    state: dict[str, Any]

    @property
    def objective(self) -> Objective:
        """The objective that the model was trained for."""
        chosen = ObjectiveConfig.model_validate(self.state["objective"])
        return build_objective(self.model.config, chosen, self.tokenizer, seed=self.state["config"]["seed"])

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.model.parameters()).device


def load_model(path: Path | str, *, device: torch.device) -> Loaded:
    """Load a model and move it to *device*. *path* is a checkpoint, or a run's folder, whose newest checkpoint is used.

    Raises:
        UsageError: There is no checkpoint.
        DamagedFileError: A file of the checkpoint cannot be read.
    """
    checkpoint = find_checkpoint(path)
    state = read_state(checkpoint)
    with torch.random.fork_rng(devices=[]):  # torch draws initial weights, which are then replaced
        model = build_model(ModelConfig.model_validate(state["model"]), vocabulary_size=state["vocabulary_size"])
    load_weights(checkpoint, model)
    return Loaded(checkpoint, model.to(device).eval(), load_tokenizer(checkpoint.parent.parent / TOKENIZER_FILE), state)


def find_checkpoint(path: Path | str) -> Path:
    """Return *path* if it is a checkpoint, else the newest checkpoint of the run's folder *path*.

    Raises:
        UsageError: There is no checkpoint.
    """
    path = Path(path)
    checkpoint = path if (path / _STATE).is_file() else newest_checkpoint(path)
    if checkpoint is None:
        raise UsageError(f"{path} has no trained model", hint="train one with `corpusmill train CONFIG`")
    return checkpoint


def newest_checkpoint(run: Path) -> Path | None:
    """Return the checkpoint with the highest step in the run's folder *run*."""
    steps = checkpoints(run)
    return steps[max(steps)] if steps else None


def checkpoints(run: Path) -> dict[int, Path]:
    """Return the checkpoints in the run's folder *run*, by step."""
    return {int(path.name.removeprefix("step-")): path for path in (run / FOLDER).glob("step-*")}


def write_checkpoint(
    run: Path, *, model: LanguageModel, optimizer: torch.optim.Optimizer, state: dict[str, Any], keep: int
) -> Path:
    """Write the checkpoint of the step in *state*, and remove all but the newest *keep* checkpoints.

    Raises:
        UnfinishedError: The disk is full or cannot be written. Earlier checkpoints stay intact.
    """
    folder = run / FOLDER
    final = folder / f"step-{state['step']:08d}"
    draft = folder / f"{_DRAFT}{final.name}-{os.getpid()}"
    with writing(run):
        for left in folder.glob(f"{_DRAFT}*"):
            shutil.rmtree(left, ignore_errors=True)
        draft.mkdir(parents=True)
        save_file(_weights(model), draft / _WEIGHTS)
        save_file(_optimizer_tensors(model, optimizer), draft / _OPTIMIZER)
        (draft / _STATE).write_text(json.dumps({"format_version": FORMAT_VERSION, **state}, indent=1) + "\n")
        if final.exists():  # from an earlier attempt at the same step; only times differ
            shutil.rmtree(final)
        complete_folder(draft, final)
    for old in sorted(folder.glob("step-*"))[:-keep]:
        shutil.rmtree(old)
    return final


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read the state of *checkpoint*.

    Raises:
        DamagedFileError: The state cannot be read, or another corpusmill wrote it.
    """
    file = checkpoint / _STATE
    try:
        state: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(file, error) from None
    written = state.get("format_version")
    if written != FORMAT_VERSION:
        is_older = isinstance(written, int) and written < FORMAT_VERSION
        retrain = ", or train again with `corpusmill train CONFIG --fresh`" if is_older else ""
        raise DamagedFileError(
            f"the checkpoint has format {written}, this corpusmill reads {FORMAT_VERSION}",
            file=str(file),
            hint=f"use the corpusmill that wrote it{retrain}",
        )
    return state


def load_weights(checkpoint: Path, model: LanguageModel) -> None:
    """Load the weights in *checkpoint* into *model*."""
    tensors = _read(checkpoint / _WEIGHTS)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise _damaged(checkpoint / _WEIGHTS, error) from None


def load_optimizer(checkpoint: Path, *, model: LanguageModel, optimizer: torch.optim.Optimizer) -> None:
    """Load the moments in *checkpoint* into *optimizer*, which optimizes *model*."""
    tensors = _read(checkpoint / _OPTIMIZER)
    for name, parameter in model.named_parameters():
        moments = {key: tensors[f"{key}/{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
        optimizer.state[parameter] = {
            key: value if key == "step" and not _is_fused(optimizer) else value.to(parameter.device)
            for key, value in moments.items()
        }


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Report an error with a hint if the disk is full or cannot be written.

    Raises:
        UnfinishedError: Writing under *path* failed.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        reason = "the disk is full" if full else str(error)
        hint = "free disk space, then run the same command to resume from the last checkpoint"
        raise UnfinishedError(f"cannot write: {reason}", file=str(path), hint=hint) from error


def _weights(model: LanguageModel) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}


def _optimizer_tensors(model: LanguageModel, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{key}/{name}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }


def _is_fused(optimizer: torch.optim.Optimizer) -> bool:
    return bool(optimizer.defaults.get("fused"))


def _read(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise _damaged(file, error) from None


def _damaged(file: Path, error: Exception) -> DamagedFileError:
    hint = f"remove {file.parent}: the previous checkpoint is then used"
    return DamagedFileError(f"the checkpoint cannot be read: {error}", file=str(file), hint=hint)
