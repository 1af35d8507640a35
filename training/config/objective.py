"""The section `objective` of a training configuration."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from corpusmill.training.config.fields import NamedFields


class ObjectiveConfig(NamedFields):
    """What the model is trained to predict.

    `next_token`: each token from those before it. `masked` (Devlin et al. 2019, section 3.1): chosen tokens from all
    others. Of the chosen tokens, 80 % are replaced by a mask, 10 % by a random token, and 10 % stay.
    """

    ONLY_OF: ClassVar[dict[str, tuple[str, ...]]] = {"fraction": ("masked",), "whole_words": ("masked",)}

    name: Literal["next_token", "masked"] | None = Field(
        default=None,
        description="null: that of the model, `masked` with `bert` and `next_token` with the others.",
        examples=["next_token"],
    )
    fraction: float = Field(
        default=0.15, gt=0, le=0.9, description="Part of the tokens (or words) that are chosen. Of `masked`."
    )
    whole_words: bool = Field(default=False, description="Choose whole words instead of tokens. Of `masked`.")
