"""Reading a training configuration: right ones, and every way to get one wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from corpusmill.pipelines.recipes.reading import load_recipe
from corpusmill.schemas.errors import RecipeError, RecipeErrors
from corpusmill.training.config import ModelConfig, config_yaml, load_config, parse_config
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


@pytest.mark.parametrize(("name", "objective"), [("llama", "next_token"), ("gru", "next_token"), ("bert", "masked")])
def test_the_resolved_configuration_has_the_fields_of_its_model_alone(name: str, objective: str) -> None:
    """`heads: 4` beside an LSTM would suggest that it has heads; the objective that follows is written."""
    config = parse_config(LEAST + f"model: {{name: {name}}}\n", file="f")

    written = yaml.safe_load(config_yaml(config))

    assert ("heads" in written["model"]) == (name != "gru")
    assert ("embedding_width" in written["model"]) == (name == "gru")
    assert written["objective"]["name"] == objective
    assert ("fraction" in written["objective"]) == (name == "bert")
    assert parse_config(config_yaml(config), file="config.yaml") == config


def test_widths_that_are_not_given_follow_from_the_width() -> None:
    """Llama's feed-forward network has three matrices instead of two, so it is narrower (Shazeer 2020)."""
    sizes = [ModelConfig(name=name, width=96) for name in ("gpt", "llama", "lstm")]

    assert [size.feed_forward_used for size in sizes[:2]] == [384, 256]
    assert ModelConfig(width=128).feed_forward_used == 344
    assert ModelConfig(feed_forward=100).feed_forward_used == 100
    assert sizes[2].embedding_width_used == 96
    assert ModelConfig(heads=8, kv_heads=2).kv_heads_used == 2 != ModelConfig(heads=8).kv_heads_used == 8


def test_scientific_notation_without_a_point_is_a_number() -> None:
    """YAML 1.1 reads 3e-4 as text, and no one who writes a learning rate knows that."""
    assert parse_config(LEAST + "optimizer: {learning_rate: 3e-4}\n", file="f").optimizer.learning_rate == 3e-4


@pytest.mark.parametrize(
    ("text", "line", "field", "message", "hint"),
    [
        (
            LEAST + "model:\n  layers: 2\n  widht: 64\n",
            *(6, "model.widht", "unknown field `model.widht`"),
            "did you mean `width`?; fields: name, layers, heads, width, sequence_length",
        ),
        (
            LEAST + "batch:\n  sequences: many\n",
            *(5, "batch.sequences", 'expected a whole number from 1 to 1000000, got `"many"`'),
            "for example `sequences: 32`",
        ),
        (
            LEAST + "batch:\n  sequences: '8'\n",
            5,
            "batch.sequences",
            "whole number",
            "remove the quotes: `sequences: 8`",
        ),
        (
            "run: one\nversion: handbook\nsteps: 10\n",
            *(1, "schedule.warm_up_steps", "`schedule.warm_up_steps` 100 (the default) leaves none of 10 steps"),
            "use `schedule: {warm_up_steps: 1}`, or more `steps`",
        ),
        (LEAST + "device: gpu\n", 4, "device", "not an allowed value, got `gpu`", "use `device: cuda`"),
        (LEAST + "seed: -1\n", 4, "seed", "expected a whole number from 0 to", "for example `seed: 0`"),
        ("run: one\nversion: handbook\n", 1, "steps", "field `steps` is missing", "for example `steps: 1000`"),
        (LEAST + "model: {width: 10, heads: 4}\n", 4, "model", "even number", "use `width: 8`"),
        (
            LEAST + "model: 3\n",
            4,
            "model",
            "expected fields with values, got `3`",
            "for example `model: {name: llama, layers: 4",
        ),
        (LEAST + "batch: {sequences: 10, accumulation: 4}\n", 4, "batch", "equal parts", "use `sequences: 12`"),
        (
            LEAST + "tokenizer: {path: a.json, vocabulary_size: 300}\n",
            *(4, "tokenizer", "not both", "use `tokenizer: {vocabulary_size: 300}`"),
        ),
        (
            LEAST + "schedule: {warm_up_steps: 200}\n",
            *(
                4,
                "schedule.warm_up_steps",
                "leaves none of 200 steps",
                "use `schedule: {warm_up_steps: 20}`, or more `steps`",
            ),
        ),
        (LEAST + "steps: 300\n", 4, "steps", "field `steps` occurs twice, first in line 3", "keep one of them"),
        (LEAST + "run: [1\n", 4, None, "not YAML: the `[` in line 4 is not closed", "close it with `]`"),
        ("- run\n", 1, None, "a training configuration is a mapping", "begin each field with its name"),
        ("", None, None, "the file is empty", "a first one needs `run: NAME`"),
        (
            LEAST + "optimizer: {learning_rate: .nan}\n",
            *(4, "optimizer.learning_rate", "at most 1, got `.nan`", "for example `learning_rate: 0.001`"),
        ),
        (
            LEAST + "device: cpus\n",
            4,
            "device",
            "`cpus` is not allowed",
            "did you mean `cpu`?; allowed: auto, cpu, cuda",
        ),
        (
            LEAST + "model:\n  name: lstm\n  heads: 8\n",
            *(6, "model.heads", "`heads: 8` is not a field of `lstm`"),
            "remove `heads`, or use `name: llama` or `name: gpt` or `name: bert`",
        ),
        (
            LEAST + "model: {heads: 4, kv_heads: 3}\n",
            *(4, "model", "`heads` 4 cannot be shared equally by `kv_heads` 3", "use `kv_heads: 2`"),
        ),
        (
            LEAST + "model: {name: gpt, width: 10}\n",
            *(4, "model", "`width` 10 has to be a multiple of `heads` 4", "use `width: 8`"),
        ),
        (
            LEAST + "model: {name: lsmt}\n",
            *(
                4,
                "model.name",
                "`lsmt` is not allowed",
                "did you mean `lstm`?; allowed: llama, gpt, rnn, lstm, gru, bert",
            ),
        ),
        (
            LEAST + "objective: {name: masked}\n",
            *(1, "model.name", "`model.name: llama` cannot be trained with `objective.name: masked`"),
            "use `model: {name: bert}`, or `objective: {name: next_token}`",
        ),
        (
            LEAST + "objective: {fraction: 0.2}\n",
            *(4, "objective.fraction", "`objective.fraction: 0.2` is not a field of `next_token`"),
            "remove `fraction`, or use `model: {name: bert}`",
        ),
        (LEAST.replace("one", "../one"), 1, "run", "expected a name", "use `run: one`"),
    ],
)
def test_a_problem_is_reported_with_line_and_hint(
    text: str, line: int | None, field: str | None, message: str, hint: str | None
) -> None:
    """Whoever made it has to find and correct it without reading our code."""
    with pytest.raises(RecipeError) as caught:
        parse_config(text, file="train.yaml")

    errors = caught.value.errors if isinstance(caught.value, RecipeErrors) else (caught.value,)
    assert len(errors) == 1
    assert (errors[0].file, errors[0].line, errors[0].field) == ("train.yaml", line, field)
    assert message in errors[0].message
    assert (errors[0].hint or "").startswith(hint or "")


def test_all_problems_are_reported_at_once_in_the_order_of_lines() -> None:
    """Nobody wants to run a command once for each problem."""
    text = LEAST + "sede: 3\nmodel: {layers: 0, heads: four}\noptimizer:\n  clip: .inf\n  beta1: 1\nseed: x\nseed: 4\n"

    with pytest.raises(RecipeErrors) as caught:
        parse_config(text, file="train.yaml")

    assert [str(error).removeprefix("train.yaml:").split(", got")[0] for error in caught.value.errors] == [
        "4: unknown field `sede`",
        "5: field `model.layers`: expected a whole number from 1 to 1000",
        "5: field `model.heads`: expected a whole number from 1 to 1000",
        "7: field `optimizer.clip`: expected a number above 0 or null",
        "8: field `optimizer.beta1`: expected a number of at least 0 and below 1",
        "9: field `seed`: expected a whole number from 0 to 9223372036854775807",
        "10: field `seed` occurs twice, first in line 9",
    ]


def test_a_recipe_is_not_a_configuration_and_a_configuration_is_not_a_recipe(tmp_path: Path) -> None:
    """A list of unknown fields hides the mistake: the file belongs to another command."""
    config = tmp_path / "train.yaml"
    config.write_text(LEAST)

    with pytest.raises(RecipeErrors, match="this is a recipe, not a training configuration") as as_config:
        load_config(RECIPES / "handbook.yaml")
    with pytest.raises(RecipeErrors, match="this is a training configuration, not a recipe") as as_recipe:
        load_recipe(config, loaders={})

    assert as_config.value.hint == f"use it with `corpusmill run {RECIPES / 'handbook.yaml'}`"
    assert as_recipe.value.hint == f"use it with `corpusmill train {config}`"
    assert len(as_recipe.value.errors) == 1
    with pytest.raises(RecipeErrors, match="unknown field `stages`"):
        parse_config(LEAST + "stages: []\n", file="f")


def test_a_bomb_of_aliases_is_refused_at_once_in_the_words_of_a_recipe(tmp_path: Path) -> None:
    """Twelve levels of ten aliases stand for 10^12 values; whoever reads a file must not have to trust it."""
    levels = (f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12))
    (tmp_path / "bomb.yaml").write_text("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(levels))
    start = time.process_time()

    with pytest.raises(RecipeError) as ours:
        load_config(tmp_path / "bomb.yaml")

    assert time.process_time() - start < 2
    with pytest.raises(RecipeError) as of_a_recipe:
        load_recipe(tmp_path / "bomb.yaml", stages={}, loaders={})
    assert str(ours.value) == str(of_a_recipe.value)
    assert "more than 50000 values" in ours.value.message


def test_a_missing_file_is_a_mistake_of_use(tmp_path: Path) -> None:
    """A traceback would say the same in forty lines."""
    with pytest.raises(RecipeError, match="No such file"):
        load_config(tmp_path / "none.yaml")


def test_the_path_of_a_tokenizer_is_relative_to_the_configuration(tmp_path: Path) -> None:
    """The folder from which a command is started must not matter."""
    (tmp_path / "train.yaml").write_text(LEAST + "tokenizer: {path: made/tokenizer.json}\n")

    assert load_config(tmp_path / "train.yaml").tokenizer.path == str(tmp_path / "made" / "tokenizer.json")


@pytest.mark.parametrize(
    ("text", "field", "message", "hint"),
    [
        (
            "version: [{version: a, weight: 1}, {version: b}]",
            *("version", "give all versions a `weight`, or none of them", "for example `weight: 1`"),
        ),
        (
            "version: [{version: a}, {version: b}]\nmixture: {by: source}",
            *("version", "`mixture.by` divides one version, `version` has several", "publish the sources as one"),
        ),
        (
            "version: a\nmixture: {weights: {web: 1}}",
            *("mixture", "`weights` and `epochs` need `by`", "for example `by: source`"),
        ),
        ("version: a\nmixture: {by: source, weights: {web: 0}}", "mixture", "none of the `weights` is above 0", "give"),
        ("version: a\nmixture: {by: source, weights: {web: -1, x: 1}}", "mixture", "a weight is below 0", "use 0"),
        ("version: a\nmixture: {by: source, epochs: {web: 0}}", "mixture", "`epochs` below 1", "use a weight of 0"),
        ("version: a\nmixture: {temperature: 0.5}", "mixture.temperature", "number from 1 to 1000", "for example"),
        ("version: []", "version", "expected", "for example"),
        (
            "version: a\ncurriculum: {by: word_count}",
            *(
                "curriculum",
                "give `order` or `phases`, one of them",
                "use `curriculum: {by: word_count, order: ascending}",
            ),
        ),
        (
            "version: a\ncurriculum: {by: word_count, phases: [{at: 0.5, weights: [1, 2]}]}",
            *("curriculum", "`at` starts with 0 and increases", "for example `at: 0`"),
        ),
        (
            "version: a\ncurriculum: {by: word_count, phases: [{at: 0, weights: [0, 0]}]}",
            *("curriculum", "weights are at least 0, and one is above 0", "for example `weights: [1, 1, 2, 4]`"),
        ),
    ],
)
def test_a_mixture_without_a_meaning_is_refused(text: str, field: str, message: str, hint: str) -> None:
    """Before any work starts, with the field and what to write instead."""
    with pytest.raises(RecipeErrors) as caught:
        parse_config(f"run: one\nsteps: 200\n{text}\n", file="train.yaml")

    (error,) = caught.value.errors
    assert error.field == field
    assert message in error.message
    assert (error.hint or "").startswith(hint)


def test_several_versions_are_read() -> None:
    """The other form of the field."""
    config = parse_config(
        "run: one\nsteps: 200\nversion: [{version: a, weight: 2}, {version: b, weight: 1, epochs: 4}]\n", file="f"
    )

    assert [(one.version, one.weight, one.epochs) for one in config.versions] == [("a", 2, None), ("b", 1, 4)]
    assert parse_config(config_yaml(config), file="f") == config
