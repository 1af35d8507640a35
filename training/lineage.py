"""What a run learned from: the documents of any batch, and the steps that saw a document. Computed, not logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from corpusmill.schemas.errors import UsageError
from corpusmill.training.checkpoint import checkpoints, find_checkpoint, read_state
from corpusmill.training.config import TrainConfig, load_config
from corpusmill.training.data.packed import PackedDataset
from corpusmill.training.data.shards import Place
from corpusmill.training.data.tokenizer import load_tokenizer
from corpusmill.training.run_data import open_run_data
from corpusmill.training.run_folder import CONFIG_FILE, refuse_other_run

_TOKENIZE: Final = "make the token cache with `corpusmill tokenize VERSION --tokenizer {run}`"


def documents_of_step(
    run: Path | str, step: int, *, version_dir: Place | Sequence[Place], tokens: Place
) -> dict[str, Any]:
    """Return the documents of the batch that the run in the folder *run* made its step *step* with, counted from 1.

    With token caches, counts alone are read. From text, reading starts at the last checkpoint before the step, or at
    the beginning, and encodes what is between.

    Args:
        version_dir: Path or URL of the version, or those of the versions of a mixture, in the order of the run.
        tokens: Folder or URL of the workspace with the token caches.

    Returns:
        `run, step, steps, from` (``token cache`` or ``text``), and `rows`: for each row of the batch its `lane`, `part`
        and `documents` (`id, file, row, first, tokens`; see `training.data.provenance.Seen`).

    Raises:
        UsageError: The run has not made the step, or was made on another version.
    """
    folder, config, made = _run(run)
    if not 1 <= step <= made:
        hint = f"steps are counted from 1 to {made}"
        raise UsageError(f"the run `{config.run}` has no step {step}", hint=hint)
    dataset = _dataset(folder, config, version_dir, tokens)
    if dataset.is_cached:
        dataset.seek(step - 1)
    else:
        _read_to(dataset, folder, step - 1)
    names = _names(dataset)
    rows = [
        {"lane": lane, "part": names[part], "documents": [asdict(one) for one in documents]}
        for lane, part, documents in dataset.next_documents()
    ]
    source = "token cache" if dataset.is_cached else "text"
    return {"run": config.run, "step": step, "steps": made, "from": source, "rows": rows}


def steps_of_document(
    run: Path | str, file: str, row: int, *, version_dir: Place | Sequence[Place], tokens: Place
) -> dict[str, Any]:
    """Return the steps at which the run in the folder *run* saw the document in the row *row* of the shard *file*.

    Returns:
        `run, steps` (made by the run), and `seen`: the steps, counted from 1.

    Raises:
        UsageError: There is no token cache, or the run was made on another version.
    """
    folder, config, made = _run(run)
    dataset = _dataset(folder, config, version_dir, tokens)
    if not dataset.is_cached:
        raise UsageError("the steps of a document are found from counts", hint=_TOKENIZE.format(run=config.run))
    found = dataset.rows_with(file, row, rows=made)
    return {"run": config.run, "steps": made, "seen": sorted({number + 1 for _, number in found})}


def _run(run: Path | str) -> tuple[Path, TrainConfig, int]:
    folder = Path(run)
    state = read_state(find_checkpoint(folder))
    return folder, load_config(folder / CONFIG_FILE), int(state["step"])


def _dataset(folder: Path, config: TrainConfig, version_dir: Place | Sequence[Place], tokens: Place) -> PackedDataset:
    data = open_run_data(version_dir)
    refuse_other_run(read_state(find_checkpoint(folder)), config=config, data=data)
    targets = config.model.objective == "next_token"
    return data.dataset_of(config, load_tokenizer(folder), tokens=tokens, targets=targets)


def _read_to(dataset: PackedDataset, folder: Path, rows: int) -> None:
    """Set *dataset* to just after the first *rows* rows of each lane, from the last checkpoint before them."""
    steps = checkpoints(folder)
    begun = max((step for step in steps if step <= rows), default=0)
    if begun:
        dataset.load_state_dict(read_state(steps[begun])["data"])
    for _, turn in zip(range(begun, rows), dataset.turns(), strict=False):
        for row in turn:
            dataset.follow(row)


def _names(dataset: PackedDataset) -> list[str]:
    """Return the name of each part: its data set, or what its documents have in common."""
    return [
        part.selection.name if part.selection else part.corpus.dataset or part.corpus.path for part in dataset.parts
    ]
