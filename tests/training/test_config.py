"""Reading a training configuration: right ones, and every way to get one wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.schemas.errors import RecipeError, RecipeErrors
from corpusmill.training.config import config_yaml, load_config, parse_config
from tests.training.corpora import tiny_config

RECIPES = Path(__file__).parents[2] / "recipes"
LEAST = "run: one\nversion: handbook\nsteps: 200\n"


def test_the_demo_configuration_is_valid() -> None:
    """It is what a newcomer runs first."""
    config = load_config(RECIPES / "train-handbook.yaml")

    assert config.version == "handbook"


def test_a_configuration_survives_writing_and_reading() -> None:
    """The resolved file beside a run has to give the run again."""
    config = tiny_config(optimizer={"learning_rate": 3e-5, "epsilon": 1e-8, "clip": None})

    assert parse_config(config_yaml(config), file="config.yaml") == config


def test_scientific_notation_without_a_point_is_a_number() -> None:
    """YAML 1.1 reads 3e-4 as text, and no one who writes a learning rate knows that."""
    assert parse_config(LEAST + "optimizer: {learning_rate: 3e-4}\n", file="f").optimizer.learning_rate == 3e-4


@pytest.mark.parametrize(
    ("text", "line", "field", "message", "hint"),
    [
        (LEAST + "model:\n  layers: 2\n  widht: 64\n", 6, "model.widht", "unknown field", "did you mean `width`?"),
        (LEAST + "batch:\n  sequences: many\n", 5, "batch.sequences", "valid integer", None),
        (LEAST + "seed: -1\n", 4, "seed", "greater than or equal to 0", None),
        ("run: one\nversion: handbook\n", 1, "steps", "missing", None),
        (LEAST + "model: {width: 10, heads: 4}\n", 4, "model", "even number", None),
        (LEAST + "batch: {sequences: 10, accumulation: 4}\n", 4, "batch", "equal parts", None),
        (LEAST + "tokenizer: {path: a.json, vocabulary_size: 300}\n", 4, "tokenizer", "not both", None),
        (LEAST + "schedule: {warm_up_steps: 200}\n", 1, None, "leaves none of 200 steps", None),
        (LEAST + "steps: 300\n", 4, None, "stands twice", None),
        (LEAST + "run: [1\n", 5, None, "not YAML", None),
        ("- run\n", 1, None, "list of `field: value`", None),
        (LEAST + "optimizer: {learning_rate: .nan}\n", 4, None, "finite", None),
        (LEAST.replace("one", "../one"), 1, "run", "pattern", None),
    ],
)
def test_a_mistake_is_told_with_its_line(
    text: str, line: int, field: str | None, message: str, hint: str | None
) -> None:
    """Whoever made it has to find it without reading our code."""
    with pytest.raises(RecipeError) as caught:
        parse_config(text, file="train.yaml")

    assert (caught.value.file, caught.value.line, caught.value.field) == ("train.yaml", line, field)
    assert message in caught.value.message
    assert hint is None or caught.value.hint == hint


def test_two_mistakes_are_told_together() -> None:
    """Nobody wants to run a command once for each mistake."""
    with pytest.raises(RecipeErrors) as caught:
        parse_config(LEAST + "seed: x\nstep: 3\n", file="train.yaml")

    assert [error.line for error in caught.value.errors] == [4, 5]


def test_a_missing_file_is_a_mistake_of_use(tmp_path: Path) -> None:
    """A traceback would say the same in forty lines."""
    with pytest.raises(RecipeError, match="No such file"):
        load_config(tmp_path / "none.yaml")


def test_the_path_of_a_tokenizer_is_relative_to_the_configuration(tmp_path: Path) -> None:
    """The folder from which a command is started must not matter."""
    (tmp_path / "train.yaml").write_text(LEAST + "tokenizer: {path: made/tokenizer.json}\n")

    assert load_config(tmp_path / "train.yaml").tokenizer.path == str(tmp_path / "made" / "tokenizer.json")
