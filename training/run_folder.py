"""The folder of a run, `models/<run>`: its lock, its tokenizer, and checks that its content belongs to the run.

Files: `config.yaml`, `tokenizer.json`, `checkpoints/step-…`, `metrics.jsonl`, `index.html`, and the model card
`README.md`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer

from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.storage import file_lock, write_atomically
from corpusmill.training.checkpoint import FOLDER, writing
from corpusmill.training.config import HARMLESS, TrainConfig
from corpusmill.training.data.tokenizer import LINEAGE_FILE, TOKENIZER_FILE, load_tokenizer, train_tokenizer
from corpusmill.training.metrics import METRICS_FILE
from corpusmill.training.run_data import RunData

PAGE_FILE: Final = "index.html"
CARD_FILE: Final = "README.md"
CONFIG_FILE: Final = "config.yaml"
_LOCK: Final = ".lock"


def refuse_other_run(state: dict[str, Any], *, config: TrainConfig, data: RunData) -> None:
    """Refuse to resume from the checkpoint's *state* if the result would differ from that of an uninterrupted run.

    Raises:
        UsageError: *state* was made with another configuration or version.
    """
    hint = "use another `run`, or restart with `--fresh`"
    wanted = config.model_dump(mode="json")
    for name in sorted(wanted.keys() - HARMLESS - {"version"}):
        saved = state["config"].get(name)
        if saved != wanted[name]:
            raise UsageError(
                f"the run `{config.run}` was started with {_difference(name, saved, wanted[name])}", hint=hint
            )
    begun = state["lineage"]["version"]
    if begun != data.version:
        raise UsageError(f"the run `{config.run}` was started on version {begun}, not {data.version}", hint=hint)


def run_tokenizer(config: TrainConfig, folder: Path, data: RunData) -> Tokenizer:
    """Return the run's tokenizer: the one in its folder if it matches *config*, else a new one."""
    if config.tokenizer.path is not None:
        tokenizer = load_tokenizer(config.tokenizer.path)
        with writing(folder):
            write_atomically(folder / TOKENIZER_FILE, tokenizer.to_str(pretty=True))
        return tokenizer
    made = folder / LINEAGE_FILE
    wanted = {"version": data.version, "max_vocabulary_size": config.tokenizer.trained_size}
    if not (folder / TOKENIZER_FILE).is_file() or not _says(made, wanted):
        with writing(folder):
            train_tokenizer(data.train, vocabulary_size=config.tokenizer.trained_size, out=folder)
    return load_tokenizer(folder)


def _says(path: Path, wanted: dict[str, Any]) -> bool:
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    file = path.with_name(TOKENIZER_FILE)
    return (
        all(said.get(name) == value for name, value in wanted.items())
        and said.get("sha256") == hashlib.sha256(file.read_bytes()).hexdigest()
    )


def _difference(name: str, saved: Any, wanted: Any) -> str:
    if isinstance(saved, dict) and isinstance(wanted, dict):
        part = next(key for key in wanted if saved.get(key) != wanted[key])
        return _difference(f"{name}.{part}", saved.get(part), wanted[part])
    return f"`{name}: {json.dumps(saved)}`, the configuration has {json.dumps(wanted)}"


def forget(folder: Path) -> None:
    """Delete all results of a run, including its tokenizer."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    for name in (METRICS_FILE, PAGE_FILE, CARD_FILE, TOKENIZER_FILE, LINEAGE_FILE):
        (folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training in *folder*. The lock is released when this process ends."""
    with file_lock(folder / _LOCK, subject=f"the run `{folder.name}`", hint="wait for it, or use another `run`"):
        yield
