"""The order of stages that `run` and `plan` warn about."""

from __future__ import annotations

from pathlib import Path

import pytest

import corpusmill
from corpusmill.pipelines.planning.order import late_extraction
from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.workspace import Workspace

LATE = ["`near_dedup` compares raw pages, because it comes before `extract`: move `extract` before it"]


def write_recipe(folder: Path, stages: str) -> Path:
    """Write a recipe with *stages* over one page."""
    (folder / "page.html").write_text("<p>A page with some words in it, so that a text is left.</p>")
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"dataset: d\nsources:\n  - load: {{name: s, format: html, path: page.html}}\nstages: {stages}\n"
        "split: {train: 1.0, validation: 0.0, test: 0.0}\n"
    )
    return recipe


@pytest.mark.parametrize(
    ("stages", "warnings"),
    [
        ("[near_dedup, extract]", LATE),
        ("[normalize, near_dedup, exact_dedup, extract]", LATE),
        ("[extract, near_dedup]", []),
        ("[url_dedup, extract, near_dedup]", []),
        ("[normalize, extract]", []),
        ("[near_dedup]", []),
    ],
)
def test_comparing_pages_before_their_text_is_extracted_is_a_warning(
    tmp_path: Path, stages: str, warnings: list[str]
) -> None:
    """Two copies of an article then differ by the menus around it, so both would be published."""
    recipe = write_recipe(tmp_path, stages)

    assert late_extraction(read_recipe(recipe, Workspace(tmp_path / "corpus"), corpusmill.acquisition())) == warnings
