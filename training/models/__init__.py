"""Language models: one module for each family, and the table of their names.

Importing this package loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from corpusmill.training.config import ModelConfig

if TYPE_CHECKING:
    from corpusmill.training.models.base import LanguageModel

MODELS: Final = {
    "llama": "corpusmill.training.models.llama:Llama",
    "gpt": "corpusmill.training.models.gpt:GPT",
    "rnn": "corpusmill.training.models.recurrent:Recurrent",
    "lstm": "corpusmill.training.models.recurrent:Recurrent",
    "gru": "corpusmill.training.models.recurrent:Recurrent",
    "bert": "corpusmill.training.models.bert:BERT",
}
"""The class of each `model.name`."""

FAMILIES: Final = {
    "llama": "transformer decoder",
    "gpt": "transformer decoder",
    "rnn": "recurrent",
    "lstm": "recurrent",
    "gru": "recurrent",
    "bert": "transformer encoder",
}


def build_model(config: ModelConfig, *, vocabulary_size: int) -> LanguageModel:
    """Return the model of *config*. Its weights are torch's: call `reset_parameters` or load a checkpoint."""
    module, _, name = MODELS[config.name].partition(":")
    model: LanguageModel = getattr(importlib.import_module(module), name)(config, vocabulary_size=vocabulary_size)
    return model
