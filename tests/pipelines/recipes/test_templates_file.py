"""Templates of a wiki in a file beside the recipe."""

from pathlib import Path

import pytest

from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.recipes.reading import LoadedRecipe, load_recipe
from corpusmill.schemas.errors import RecipeErrors

RECIPE = """\
dataset: wiki
sources:
  - load: {name: w, format: wikipedia, path: w.xml, templates: %s}
stages: [exact_dedup]
"""


def _load(folder: Path, templates: str) -> LoadedRecipe:
    (folder / "w.xml").write_text("<mediawiki></mediawiki>")
    (folder / "recipe.yaml").write_text(RECIPE % templates)
    return load_recipe(folder / "recipe.yaml", loaders=LOADERS)


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.yaml", 'Move: "{1}"\n'), ("t.json", '{"Move": "{1}"}'), ("t.toml", 'Move = "{1}"\n')],
)
def test_templates_can_stand_in_a_file(tmp_path: Path, name: str, content: str) -> None:
    """The resolved recipe holds them, so a change of the file is a change of the recipe."""
    (tmp_path / name).write_text(content)

    loaded = _load(tmp_path, name)

    assert loaded.recipe.sources[0].options["templates"] == {"Move": "{1}"}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("t.yaml", None, "cannot read `t.yaml`"),
        ("t.txt", "a: b", "`t.txt` is not a file of YAML, JSON or TOML"),
        ("t.yaml", "Move: 5", "`t.yaml`: `Move`: not a text, got `5`"),
        ("t.yaml", "- a", "`t.yaml` is not a mapping"),
        ("t.json", "{", "`t.json` cannot be parsed"),
        ("t.toml", "= 1", "`t.toml` cannot be parsed"),
        ("t.yaml", "a: [", "`t.yaml`, line 1: not YAML"),
    ],
)
def test_a_file_of_templates_that_cannot_be_read_is_a_problem(
    tmp_path: Path, name: str, content: str | None, expected: str
) -> None:
    """The message names the file and its entry."""
    if content is not None:
        (tmp_path / name).write_text(content)

    with pytest.raises(RecipeErrors) as caught:
        _load(tmp_path, name)

    assert len(caught.value.errors) == 1
    assert expected in str(caught.value.errors[0])
    assert "field `templates`" in str(caught.value.errors[0])
    assert caught.value.errors[0].hint
