"""The section `model` of a training configuration."""

from __future__ import annotations

from pydantic import Field, model_validator

from corpusmill.schemas.problems import HintedValueError
from corpusmill.training.config.fields import Fields


class ModelConfig(Fields):
    """The size of a GPT."""

    layers: int = Field(default=4, ge=1, le=1000)
    heads: int = Field(default=4, ge=1, le=1000)
    width: int = Field(default=128, ge=2, le=100_000, description="Numbers in a token's vector.")
    sequence_length: int = Field(default=256, ge=1, le=1_000_000, description="Tokens that the model sees at once.")

    @model_validator(mode="after")
    def _even_heads(self) -> ModelConfig:
        if self.width % self.heads or (self.width // self.heads) % 2:
            problem = (
                f"`width` {self.width} has to be `heads` {self.heads} times an even number: "
                "rotary positions turn pairs of numbers"
            )
            step = 2 * self.heads
            raise HintedValueError(problem, hint=f"use `width: {max(1, round(self.width / step)) * step}`")
        return self
