"""Read a training configuration from YAML, with the line of every problem, and write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corpusmill.schemas.located_yaml import TRAINING, LocatedYaml, dump_yaml, parse_yaml, read_yaml
from corpusmill.schemas.problems import Problems, Section
from corpusmill.training.config.tokenizer import TokenizerConfig
from corpusmill.training.config.train import TrainConfig


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


def config_of(value: dict[str, Any], *, file: str) -> TrainConfig:
    """Return the configuration with the fields *value*, which come from *file* (such as options of a command).

    Raises:
        RecipeErrors: As `load_config`.
    """
    return _config(LocatedYaml(file, value))


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
