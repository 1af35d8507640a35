"""From a published version to a trained model: tokenizer, packed data, training, evaluation.

Importing this package loads neither torch nor tokenizers; the functions below load them on first use.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Final

from corpusmill.schemas.errors import MissingExtraError

if TYPE_CHECKING:
    from corpusmill.training.config import TrainConfig, load_config
    from corpusmill.training.data.tokenize import tokenize
    from corpusmill.training.data.tokenizer import train_tokenizer
    from corpusmill.training.evaluation.evaluate import evaluate
    from corpusmill.training.evaluation.generation import generate
    from corpusmill.training.models.catalog import catalog
    from corpusmill.training.trainer import fit

__all__ = ["TrainConfig", "catalog", "evaluate", "fit", "generate", "load_config", "tokenize", "train_tokenizer"]

_HOMES: Final = {
    "TrainConfig": "corpusmill.training.config",
    "catalog": "corpusmill.training.models.catalog",
    "evaluate": "corpusmill.training.evaluation.evaluate",
    "fit": "corpusmill.training.trainer",
    "generate": "corpusmill.training.evaluation.generation",
    "load_config": "corpusmill.training.config",
    "tokenize": "corpusmill.training.data.tokenize",
    "train_tokenizer": "corpusmill.training.data.tokenizer",
}
_EXTRA: Final = frozenset({"numpy", "safetensors", "tokenizers", "torch"})


def _keep_threads_calm() -> None:
    """Let idle torch threads sleep.

    By default they spin, which makes a run several times slower on a machine shared with other processes (measured: 3.3
    seconds of CPU per step instead of 1.0). OpenMP reads the setting once, when torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _keep_threads_calm()
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name in _EXTRA:
            raise MissingExtraError.of("train", error.name) from error
        raise
