"""The configuration of a training run: a strict model, read from YAML with the line of every mistake."""

from __future__ import annotations

import difflib
import json
import math
import re
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from corpusmill.schemas.errors import RecipeError, RecipeErrors

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TokenizerConfig(_Part):
    """The tokenizer: trained from the version, or a `tokenizer.json` that is there already."""

    vocabulary_size: int | None = Field(
        default=None,
        ge=257,
        le=1_000_000,
        description="Tokens, 256 bytes and the end of text among them; 8192 if unset.",
    )
    path: str | None = Field(default=None, min_length=1, description="A tokenizer.json, relative to the configuration.")

    @model_validator(mode="after")
    def _one_of_both(self) -> TokenizerConfig:
        if self.path is not None and self.vocabulary_size is not None:
            raise ValueError("give `vocabulary_size` (to train a tokenizer) or `path` (to use one), not both")
        return self

    @property
    def trained_size(self) -> int:
        """Size of the vocabulary to train."""
        return 8192 if self.vocabulary_size is None else self.vocabulary_size


class ModelConfig(_Part):
    """The size of a GPT."""

    layers: int = Field(default=4, ge=1, le=1000)
    heads: int = Field(default=4, ge=1, le=1000)
    width: int = Field(default=128, ge=2, le=100_000, description="Numbers in a token's vector.")
    sequence_length: int = Field(default=256, ge=1, le=1_000_000, description="Tokens that the model sees at once.")

    @model_validator(mode="after")
    def _even_heads(self) -> ModelConfig:
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(
                f"`width` {self.width} has to be `heads` {self.heads} times an even number: "
                "rotary positions turn pairs of numbers"
            )
        return self


class OptimizerConfig(_Part):
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Highest rate, reached after the warm-up.")
    weight_decay: float = Field(default=0.1, ge=0, le=1, description="On matrices only; norms are not decayed.")
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0, le=1)
    clip: float | None = Field(default=1.0, gt=0, description="Longest gradient (2-norm); null: no bound.")


class ScheduleConfig(_Part):
    """Linear warm-up, then half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    warm_up_steps: int = Field(default=100, ge=0)
    final_fraction: float = Field(default=0.1, ge=0, le=1, description="Last rate, as a part of the highest.")


class BatchConfig(_Part):
    """How many sequences make a step."""

    sequences: int = Field(default=32, ge=1, le=1_000_000, description="Sequences in the global batch; one lane each.")
    accumulation: int = Field(default=1, ge=1, description="Parts in which a batch passes through the model.")

    @model_validator(mode="after")
    def _whole_parts(self) -> BatchConfig:
        if self.sequences % self.accumulation:
            raise ValueError(f"`sequences` {self.sequences} cannot be cut in {self.accumulation} equal parts")
        return self


class TrainConfig(_Part):
    """Everything that decides what a training run gives."""

    run: str = Field(pattern=NAME_PATTERN, description="Name of the run: its folder is `models/<run>`.")
    version: str = Field(min_length=1, description="The version to train on: `dataset`, `dataset@id` or a folder.")
    tokenizer: TokenizerConfig = TokenizerConfig()
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    batch: BatchConfig = BatchConfig()
    steps: int = Field(ge=1, description="Steps of the optimizer in the whole run.")
    max_minutes: float | None = Field(
        default=None, gt=0, description="Stop and save after this time; the same command goes on. null: no bound."
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="Decides first weights and order.")
    validate_every: int = Field(default=250, ge=1, description="Steps between two validations; one more at the end.")
    validation_bytes: int | None = Field(
        default=None, ge=1, description="Text to validate on while training, in bytes; null: all of it."
    )
    checkpoint_every: int = Field(default=250, ge=1, description="Steps between two checkpoints; one more at the end.")
    keep_checkpoints: int = Field(default=2, ge=1, description="Newest checkpoints to keep.")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 on a GPU that has it, else float32."
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="Threads of the CPU: another number rounds differently. null: all."
    )

    @model_validator(mode="after")
    def _short_warm_up(self) -> TrainConfig:
        if self.schedule.warm_up_steps >= self.steps:
            raise ValueError(
                f"`schedule.warm_up_steps` {self.schedule.warm_up_steps} leaves none of {self.steps} steps"
            )
        return self


HARMLESS: Final = frozenset(
    {"max_minutes", "validate_every", "validation_bytes", "checkpoint_every", "keep_checkpoints"}
)
"""Fields that may differ when a run is resumed: the losses do not depend on them."""


def load_config(path: Path | str) -> TrainConfig:
    """Read the configuration at *path*.

    Raises:
        RecipeError: It cannot be read, or a value is wrong (`RecipeErrors` when several are).
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise RecipeError(
            f"cannot read the configuration: {reason}", file=str(path), hint="give a YAML file"
        ) from error
    return parse_config(text, file=str(path))


def parse_config(text: str, *, file: str) -> TrainConfig:
    """Give the configuration that the YAML *text* of *file* holds.

    Raises:
        RecipeError: As `load_config`.
    """
    node = _compose(text, file=file)
    try:
        fields = json.dumps(_plain(node, file=file))
        config = TrainConfig.model_validate_json(fields, strict=True)
    except ValidationError as error:
        raise _told(error, node=node, file=file) from None
    if config.tokenizer.path is None:
        return config
    found = Path(file).resolve().parent / config.tokenizer.path
    return config.model_copy(update={"tokenizer": TokenizerConfig(path=str(found))})


def config_yaml(config: TrainConfig) -> str:
    """Write *config* as YAML with all defaults; `parse_config` reads it back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 takes ``3e-4`` for text; here it is a number, as in YAML 1.2 and in every paper."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _compose(text: str, *, file: str) -> yaml.Node:
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise RecipeError(f"not YAML: {error.problem}", file=file, line=line) from None
    except yaml.YAMLError as error:
        raise RecipeError(f"not YAML: {error}", file=file) from None
    if not isinstance(node, yaml.MappingNode):
        raise RecipeError("a training configuration is a list of `field: value`", file=file, line=1)
    return node


def _plain(node: yaml.Node, *, file: str) -> Any:
    """Give the data under *node*: what JSON can hold, each key once."""
    line = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, file=file) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise RecipeError("the name of a field is a word", file=file, line=line)
            if key.value in seen:
                raise RecipeError(f"field `{key.value}` stands twice", file=file, line=line)
            seen.add(key.value)
        return {key.value: _plain(value, file=file) for key, value in node.value}
    loader = _Loader("")
    try:
        value = loader.construct_object(node)
    except (yaml.YAMLError, ValueError):
        raise RecipeError("this value cannot be read", file=file, line=line, value=node.value) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise RecipeError("a number has to be finite", file=file, line=line, value=node.value)
    if value is not None and not isinstance(value, bool | int | float | str):
        return node.value  # dates and the like: the text as it was written
    return value


def _told(error: ValidationError, *, node: yaml.Node, file: str) -> RecipeError:
    problems = tuple(_problem(detail, node=node, file=file) for detail in error.errors(include_url=False))
    return problems[0] if len(problems) == 1 else RecipeErrors(f"{len(problems)} problems", errors=problems, file=file)


def _problem(detail: Any, *, node: yaml.Node, file: str) -> RecipeError:
    path = [str(part) for part in detail["loc"]]
    field = ".".join(path)
    details: dict[str, Any] = {"file": file, "line": _line(node, path), "field": field or None}
    match detail["type"]:
        case "extra_forbidden":
            return RecipeError(f"unknown field `{field}`", hint=_nearest(path), **details)
        case "missing":
            return RecipeError(f"field `{field}` is missing", **details)
        case _:
            message = detail["msg"].removeprefix("Value error, ")
            value = detail["input"]
            if isinstance(value, dict):
                return RecipeError(f"`{field}`: {message}" if field else message, **details)
            return RecipeError(f"field `{field}`: {message}, got {value!r}", value=value, **details)


def _line(node: yaml.Node, path: list[str]) -> int:
    """Give the line of the field *path*, or of the innermost part of it that is there."""
    line = node.start_mark.line + 1
    for part in path:
        if not isinstance(node, yaml.MappingNode):
            break
        found = [(key, value) for key, value in node.value if key.value == part]
        if not found:
            break
        line, node = found[0][0].start_mark.line + 1, found[0][1]
    return line


def _nearest(path: list[str]) -> str:
    """Name the known field that is most like the last part of *path*, or all of them."""
    model: Any = TrainConfig
    for part in path[:-1]:
        model = model.model_fields[part].annotation
    close = difflib.get_close_matches(path[-1], model.model_fields, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known fields: {', '.join(model.model_fields)}"
