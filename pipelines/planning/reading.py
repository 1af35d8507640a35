"""Read a recipe for a workspace. Apart from plans, so that a crawl does not import what makes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from corpusmill.pipelines.recipes.reading import LoadedRecipe, load_recipe

if TYPE_CHECKING:
    from corpusmill.pipelines.planning.sources import Acquisition
    from corpusmill.pipelines.workspace import Workspace


def read_recipe(path: str | Path, workspace: Workspace, acquisition: Acquisition) -> LoadedRecipe:
    """Read the recipe at *path*. Files of sources that are already in the workspace may be missing.

    Raises:
        RecipeError: The recipe has problems.
    """
    return load_recipe(path, loaders=acquisition.loaders, present=set(workspace.store.folders("raw")))
