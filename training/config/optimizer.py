"""The section `optimizer` of a training configuration."""

from __future__ import annotations

from pydantic import Field

from corpusmill.training.config.fields import Fields


class OptimizerConfig(Fields):
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Highest rate, reached after the warm-up.")
    weight_decay: float = Field(default=0.1, ge=0, le=1, description="On matrices only; norms are not decayed.")
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0, le=1)
    clip: float | None = Field(default=1.0, gt=0, description="Longest gradient (2-norm); null: no bound.")
