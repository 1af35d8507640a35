"""The section `tokenizer` of a training configuration."""

from __future__ import annotations

from pydantic import Field, model_validator

from corpusmill.schemas.problems import HintedValueError
from corpusmill.training.config.fields import Fields


class TokenizerConfig(Fields):
    """The tokenizer: trained from the version, or a `tokenizer.json` that is there already."""

    vocabulary_size: int | None = Field(
        default=None,
        ge=257,
        le=1_000_000,
        description="Tokens, 256 bytes and the end of text among them; 8192 if unset.",
        examples=[8192],
    )
    path: str | None = Field(
        default=None,
        min_length=1,
        description="A tokenizer.json, relative to the configuration.",
        examples=["tokenizer.json"],
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> TokenizerConfig:
        if self.path is not None and self.vocabulary_size is not None:
            problem = "give `vocabulary_size` (to train a tokenizer) or `path` (to use one), not both"
            raise HintedValueError(problem, instead={"vocabulary_size": self.vocabulary_size})
        return self

    @property
    def trained_size(self) -> int:
        """Size of the vocabulary to train."""
        return 8192 if self.vocabulary_size is None else self.vocabulary_size
