"""What a model of a given size costs: parameters, memory of training, and floating-point operations.

The memory of a training step in float32, in bytes, for P parameters, T tokens that pass through the model at once
(`batch.sequences` / `batch.accumulation` times `model.sequence_length`), N predictions among them and a vocabulary of V
tokens:

    weights       4 P
    gradients     4 P
    optimizer     8 P                 two moments of AdamW
    activations   4 (T A + 3 N V)     A from `activation_numbers` of the model; logits, their logarithms and gradients

Not counted: the runtime of torch, buffers of kernels, and the masks of dropout and of separated documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch

from corpusmill.training.config import TrainConfig
from corpusmill.training.models import FAMILIES, build_model

_BYTES: Final = 4
"""Bytes of a number: weights and activations are float32."""


@dataclass(frozen=True)
class Costs:
    """The costs of training a model.

    Attributes:
        flops_per_token: Operations of a step, forward and backward, for each token of the batch.
        weights, gradients, optimizer, activations: Memory in bytes.
    """

    name: str
    family: str
    objective: str
    parameters: int
    flops_per_token: float
    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def memory(self) -> int:
        """Memory of a training step in bytes."""
        return self.weights + self.gradients + self.optimizer + self.activations

    def as_dict(self) -> dict[str, Any]:
        """Return the costs as `corpusmill models --json` prints them."""
        return {
            "name": self.name,
            "family": self.family,
            "objective": self.objective,
            "parameters": self.parameters,
            "memory_bytes": self.memory,
            "weights_bytes": self.weights,
            "gradients_bytes": self.gradients,
            "optimizer_bytes": self.optimizer,
            "activations_bytes": self.activations,
            "flops_per_token": self.flops_per_token,
        }


def model_costs(config: TrainConfig, *, vocabulary_size: int) -> Costs:
    """Return the costs of training the model of *config*. No weights are allocated."""
    with torch.device("meta"):
        model = build_model(config.model, vocabulary_size=vocabulary_size)
    parameters = model.parameter_count()
    tokens = config.batch.sequences // config.batch.accumulation * config.model.sequence_length
    predictions = tokens * (config.objective.fraction if config.model.objective == "masked" else 1.0)
    activations = tokens * model.activation_numbers() + 3 * predictions * vocabulary_size
    return Costs(
        name=config.model.name,
        family=FAMILIES[config.model.name],
        objective=config.model.objective,
        parameters=parameters,
        flops_per_token=model.flops_per_token(),
        weights=_BYTES * parameters,
        gradients=_BYTES * parameters,
        optimizer=2 * _BYTES * parameters,
        activations=round(_BYTES * activations),
    )
