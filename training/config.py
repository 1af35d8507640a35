"""The configuration of a training run: a strict model, read from YAML with the line of every problem."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from corpusmill.schemas.field_types import Name
from corpusmill.schemas.located_yaml import TRAINING, LocatedYaml, dump_yaml, parse_yaml, read_yaml
from corpusmill.schemas.problems import HintedValueError, Problems, Section


def _not_gpu(value: object) -> object:
    """Refuse ``gpu`` by name, because `cpu` is more similar to it than `cuda`."""
    if value == "gpu":
        raise HintedValueError("not an allowed value", instead="cuda")
    return value


MAX_SEQUENCES: Final = 1_000_000


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TokenizerConfig(_Fields):
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


class ModelConfig(_Fields):
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


class OptimizerConfig(_Fields):
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Highest rate, reached after the warm-up.")
    weight_decay: float = Field(default=0.1, ge=0, le=1, description="On matrices only; norms are not decayed.")
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0, le=1)
    clip: float | None = Field(default=1.0, gt=0, description="Longest gradient (2-norm); null: no bound.")


class ScheduleConfig(_Fields):
    """Linear warm-up, then half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    warm_up_steps: int = Field(default=100, ge=0)
    final_fraction: float = Field(default=0.1, ge=0, le=1, description="Last rate, as a part of the highest.")


class BatchConfig(_Fields):
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


class TrainConfig(_Fields):
    """Everything that decides what a training run gives."""

    run: Name = Field(description="Name of the run: its folder is `models/<run>`.", examples=["handbook-small"])
    version: str = Field(
        min_length=1,
        description="The version to train on: `dataset`, `dataset@id`, a folder or a URL.",
        examples=["handbook"],
    )
    tokenizer: TokenizerConfig = Field(default=TokenizerConfig(), examples=[{"vocabulary_size": 8192}])
    model: ModelConfig = ModelConfig()
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

    @property
    def _warm_up(self) -> str:
        is_default = "warm_up_steps" not in self.schedule.model_fields_set
        return f"{self.schedule.warm_up_steps}{' (the default)' if is_default else ''}"


HARMLESS: Final = frozenset(
    {"max_minutes", "validate_every", "validation_bytes", "checkpoint_every", "keep_checkpoints"}
)
"""Fields that may differ when a run is resumed: the losses do not depend on them."""


def load_config(path: Path | str) -> TrainConfig:
    """Read the configuration at *path*.

    Raises:
        RecipeErrors: It has problems; each is one of `errors`.
        RecipeError: The file cannot be read at all.
    """
    return _config(read_yaml(path, kind=TRAINING))


def parse_config(text: str, *, file: str) -> TrainConfig:
    """Parse the YAML *text* of *file*.

    Raises:
        RecipeErrors, RecipeError: As `load_config`.
    """
    return _config(parse_yaml(text, file=file, kind=TRAINING))


def _config(located: LocatedYaml) -> TrainConfig:
    problems = Problems(located)
    if not isinstance(located.value, dict):
        raise problems.not_a_mapping(TRAINING)
    problems.refuse_other_kind(TRAINING)
    config = problems.read(Section((), "", TrainConfig), located.value)
    problems.raise_any()
    assert config is not None, "a configuration without problems was read"
    if config.tokenizer.path is None:
        return config
    path = Path(located.file).resolve().parent / config.tokenizer.path
    return config.model_copy(update={"tokenizer": TokenizerConfig(path=str(path))})


def config_yaml(config: TrainConfig) -> str:
    """Write *config* as YAML with all defaults; `parse_config` reads it back."""
    return dump_yaml(config.model_dump(mode="json"))
