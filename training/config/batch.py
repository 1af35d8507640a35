"""The section `batch` of a training configuration."""

from __future__ import annotations

from typing import Final

from pydantic import Field, model_validator

from corpusmill.schemas.problems import HintedValueError
from corpusmill.training.config.fields import Fields

MAX_SEQUENCES: Final = 1_000_000


class BatchConfig(Fields):
    """How many sequences make a step."""

    sequences: int = Field(
        default=32, ge=1, le=MAX_SEQUENCES, description="Sequences in the global batch; one lane each."
    )
    accumulation: int = Field(default=1, ge=1, description="Parts in which a batch passes through the model.")

    @model_validator(mode="after")
    def _whole_parts(self) -> BatchConfig:
        if self.sequences % self.accumulation:
            problem = f"`sequences` {self.sequences} cannot be cut in {self.accumulation} equal parts"
            multiple = -(-self.sequences // self.accumulation) * self.accumulation
            choice = f"use `sequences: {multiple}`, or" if multiple <= MAX_SEQUENCES else "use"
            raise HintedValueError(problem, hint=f"{choice} `accumulation: 1`")
        return self
