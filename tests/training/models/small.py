"""Small models of every architecture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from corpusmill.training.config import ModelConfig
from corpusmill.training.models import build_model
from corpusmill.training.models.base import LanguageModel

VOCABULARY = 50
LENGTH = 12
FIELDS: dict[str, dict[str, Any]] = {
    "llama": {"heads": 4, "kv_heads": 2, "qk_norm": True},
    "gpt": {"heads": 2},
    "rnn": {"embedding_width": 12},
    "lstm": {"embedding_width": 12},
    "gru": {},
    "bert": {"heads": 2},
}


def small_model(name: str, *, seed: int = 0, **fields: Any) -> LanguageModel:
    """Return a model with first weights, in evaluation mode; *fields* replace its own."""
    size = {"name": name, "layers": 2, "width": 16, "sequence_length": LENGTH, **FIELDS[name], **fields}
    model = build_model(ModelConfig(**size), vocabulary_size=VOCABULARY)
    model.reset_parameters(seed=seed)
    return model.eval()


def drawn_tokens(rows: int, length: int = LENGTH) -> Tensor:
    """Return random tokens of shape (rows, length), always the same."""
    return torch.randint(0, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(1))


def fill_weights(model: torch.nn.Module) -> None:
    """Give all weights, also gains and biases, random values, so that each one matters."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3, generator=generator)
