"""`TrainConfig`: the whole configuration of a training run."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from corpusmill.schemas.field_types import Name
from corpusmill.schemas.located_yaml import dump_field
from corpusmill.schemas.problems import HintedValueError
from corpusmill.training.config.batch import BatchConfig
from corpusmill.training.config.data import CurriculumConfig, DataConfig, MixtureConfig, VersionConfig
from corpusmill.training.config.fields import Fields
from corpusmill.training.config.model import ModelConfig
from corpusmill.training.config.objective import ObjectiveConfig
from corpusmill.training.config.optimizer import OptimizerConfig
from corpusmill.training.config.schedule import ScheduleConfig
from corpusmill.training.config.tokenizer import TokenizerConfig


def _not_gpu(value: object) -> object:
    """Refuse ``gpu`` by name, because `cpu` is more similar to it than `cuda`."""
    if value == "gpu":
        raise HintedValueError("not an allowed value", instead="cuda")
    return value


class TrainConfig(Fields):
    """Everything that decides what a training run gives."""

    run: Name = Field(description="Name of the run: its folder is `models/<run>`.", examples=["handbook-small"])
    version: str | list[VersionConfig] = Field(
        min_length=1,
        description="The version to train on: `dataset`, `dataset@id`, a folder or a URL; or several with weights.",
        examples=["handbook", [{"version": "handbook", "weight": 2}, {"version": "news", "weight": 1, "epochs": 4}]],
    )
    mixture: MixtureConfig = Field(default=MixtureConfig(), examples=[{"by": "source", "temperature": 2.0}])
    curriculum: CurriculumConfig | None = Field(
        default=None,
        description="Order of training by a stored number; null: shuffled.",
        examples=[{"by": "word_count", "order": "ascending"}],
    )
    data: DataConfig = DataConfig()
    tokenizer: TokenizerConfig = Field(default=TokenizerConfig(), examples=[{"vocabulary_size": 8192}])
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = Field(default=ObjectiveConfig(), examples=[{"name": "next_token"}])
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    batch: BatchConfig = BatchConfig()
    steps: int = Field(ge=1, description="Steps of the optimizer in the whole run.", examples=[1000])
    max_minutes: float | None = Field(
        default=None,
        gt=0,
        description="Stop and save after this time; the same command goes on. null: no bound.",
        examples=[30],
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="Decides first weights and order.")
    validate_every: int = Field(default=250, ge=1, description="Steps between two validations; one more at the end.")
    validation_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Text to validate on while training, in bytes; null: all of it.",
        examples=[1_000_000],
    )
    checkpoint_every: int = Field(default=250, ge=1, description="Steps between two checkpoints; one more at the end.")
    keep_checkpoints: int = Field(default=2, ge=1, description="Newest checkpoints to keep.")
    device: Annotated[Literal["auto", "cpu", "cuda"], BeforeValidator(_not_gpu)] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 on a GPU that has it, else float32."
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="Threads of the CPU: another number rounds differently. null: all."
    )

    @model_validator(mode="after")
    def _short_warm_up(self) -> TrainConfig:
        if self.schedule.warm_up_steps >= self.steps:
            raise HintedValueError(
                f"`schedule.warm_up_steps` {self._warm_up} leaves none of {self.steps} steps",
                hint=f"use `schedule: {{warm_up_steps: {self.steps // 10}}}`, or more `steps`",
                at=("schedule", "warm_up_steps"),
            )
        return self

    @model_validator(mode="after")
    def _objective_of_the_model(self) -> TrainConfig:
        model, objective = self.model, self.objective
        if objective.name not in {None, model.objective}:
            other = "bert" if objective.name == "masked" else "llama"
            raise HintedValueError(
                f"`model.name: {model.name}` cannot be trained with `objective.name: {objective.name}`",
                hint=f"use `model: {{name: {other}}}`, or `objective: {{name: {model.objective}}}`",
                at=("model", "name"),
            )
        for field in objective.model_fields_set:
            if not objective.has(field, model.objective):
                raise HintedValueError(
                    f"`objective.{dump_field(field, getattr(objective, field))}` is not a field of "
                    f"`{model.objective}`, the objective of `{model.name}`",
                    hint=f"remove `{field}`, or use `model: {{name: bert}}`",
                    at=("objective", field),
                )
        # The resolved configuration names the objective.
        object.__setattr__(self, "objective", objective.model_copy(update={"name": model.objective}))
        return self

    @model_validator(mode="after")
    def _parts_of_one_version(self) -> TrainConfig:
        if not isinstance(self.version, str) and (self.mixture.by is not None or self.curriculum is not None):
            field = "mixture.by" if self.mixture.by is not None else "curriculum"
            raise HintedValueError(
                f"`{field}` divides one version, `version` has several",
                hint="publish the sources as one version, or give the versions weights",
                at=("version",),
            )
        weighted = [one.weight is not None for one in self.versions]
        if any(weighted) and not (all(weighted) and any(one.weight for one in self.versions)):
            raise HintedValueError(
                "give all versions a `weight`, or none of them; one of them is above 0",
                hint="for example `weight: 1`",
                at=("version",),
            )
        return self

    @property
    def versions(self) -> list[VersionConfig]:
        """The versions to train on, at least one."""
        return [VersionConfig(version=self.version)] if isinstance(self.version, str) else self.version

    @property
    def rows(self) -> int:
        """Sequences of the whole run."""
        return self.steps * self.batch.sequences

    @property
    def _warm_up(self) -> str:
        is_default = "warm_up_steps" not in self.schedule.model_fields_set
        return f"{self.schedule.warm_up_steps}{' (the default)' if is_default else ''}"


HARMLESS: Final = frozenset(
    {"max_minutes", "validate_every", "validation_bytes", "checkpoint_every", "keep_checkpoints"}
)
"""Fields that may differ when a run is resumed: the losses do not depend on them."""
