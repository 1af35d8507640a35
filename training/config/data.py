"""What a training configuration says about its data: versions, mixture, curriculum."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from corpusmill.schemas.problems import HintedValueError
from corpusmill.training.config.fields import Fields


class VersionConfig(Fields):
    """One version of a mixture."""

    version: str = Field(
        min_length=1, description="The version: `dataset`, `dataset@id`, a folder or a URL.", examples=["handbook"]
    )
    weight: float | None = Field(
        default=None,
        ge=0,
        le=1e15,
        description="Share of the tokens, relative to the other versions; null: its bytes of text, see `temperature`.",
        examples=[2],
    )
    epochs: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Passes over it at most; null: no bound.", examples=[4]
    )


class MixtureConfig(Fields):
    """Shares of the sources of one version, or of several versions."""

    by: str | None = Field(
        default=None,
        min_length=1,
        description="Column whose values are mixed, or a number or signal whose quantiles are; null: versions only.",
        examples=["source"],
    )
    weights: dict[str, float] | None = Field(
        default=None,
        description="Share of the tokens of each value of `by`; others get none. null: bytes of text.",
        examples=[{"wikipedia": 2, "web": 1}],
    )
    temperature: float = Field(
        default=1.0,
        ge=1,
        le=1000,
        description=(
            "Where no weight is given, shares are bytes of text to the power of 1 / temperature: 1 as they occur, "
            "higher closer to equal (Conneau & Lample 2019, arXiv:1901.07291, section 3.1)."
        ),
        examples=[2.0],
    )
    epochs: dict[str, int] = Field(
        default={}, description="Passes over each value of `by` at most; others: no bound.", examples=[{"wikipedia": 3}]
    )

    @model_validator(mode="after")
    def _weights_that_add_up(self) -> MixtureConfig:
        if self.by is None and (self.weights is not None or self.epochs):
            raise HintedValueError("`weights` and `epochs` need `by`", hint="for example `by: source`")
        if self.weights is not None and not any(self.weights.values()):
            raise HintedValueError("none of the `weights` is above 0", hint="give at least one value a weight")
        if self.weights is not None and min(self.weights.values()) < 0:
            raise HintedValueError("a weight is below 0", hint="use 0 to leave a value out")
        if any(epochs < 1 for epochs in self.epochs.values()):
            raise HintedValueError("`epochs` below 1", hint="use a weight of 0 to leave a value out")
        return self


class PhaseConfig(Fields):
    """The weights of the buckets from a moment of the run on."""

    at: float = Field(ge=0, lt=1, description="Beginning, as a part of the run.", examples=[0.5])
    weights: list[float] = Field(
        min_length=1,
        description="How often each bucket is read, relative to how often it occurs, in ascending order.",
        examples=[[1, 1, 2, 4]],
    )


class CurriculumConfig(Fields):
    """An order of training by a stored number: length, quality, or any signal."""

    by: str = Field(
        min_length=1, description="Column or signal with numbers, or a column of text.", examples=["word_count"]
    )
    buckets: int = Field(default=4, ge=2, le=100, description="Buckets with equally many documents.")
    order: Literal["ascending", "descending"] | None = Field(
        default=None,
        description="Read one bucket after the other, each for its share of the text.",
        examples=["ascending"],
    )
    phases: list[PhaseConfig] | None = Field(
        default=None,
        min_length=1,
        description="Weights of the buckets over the run, instead of `order`.",
        examples=[[{"at": 0, "weights": [2, 1, 0, 0]}, {"at": 0.5, "weights": [1, 1, 1, 1]}]],
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> CurriculumConfig:
        if (self.order is None) == (self.phases is None):
            raise HintedValueError(
                "give `order` or `phases`, one of them", instead={"by": self.by, "order": "ascending"}
            )
        phases = self.phases or []
        starts = [phase.at for phase in phases]
        if phases and (starts[0] != 0 or starts != sorted(set(starts))):
            raise HintedValueError("`at` starts with 0 and increases", hint="for example `at: 0` and `at: 0.5`")
        for phase in phases:
            if min(phase.weights) < 0 or not any(phase.weights):
                raise HintedValueError(
                    "weights are at least 0, and one is above 0", hint="for example `weights: [1, 1, 2, 4]`"
                )
        return self


class DataConfig(Fields):
    """How documents become rows."""

    packing: Literal["concatenate", "best_fit"] = Field(
        default="concatenate",
        description=(
            "`concatenate`: documents follow one another through rows; `best_fit`: a document is cut only if it is "
            "longer than a row, and rows are filled up with padding (Ding et al. 2024, arXiv:2404.10830)."
        ),
        examples=["best_fit"],
    )
