"""The files that a stage reads, as inputs identified by their content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from corpusmill.pipelines.engines.base import Content
from corpusmill.pipelines.recipes.paths import UnsetVariableError, matching_files
from corpusmill.pipelines.recipes.reading import LoadedRecipe
from corpusmill.pipelines.recipes.stage_files import warnings_of_files
from corpusmill.pipelines.stages.base import FileInput, Stage
from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.storage import located


def contents_of(name: str, stage: Stage, *, base: Path) -> Iterator[Content]:
    """Yield the files that *stage*, called *name*, reads, with their SHA-256.

    Args:
        base: The recipe's folder.

    Raises:
        RecipeError: A file does not exist.
    """
    for input_ in stage.inputs():
        if isinstance(input_, FileInput):
            yield from _contents(name, input_, base)


def content_warnings(loaded: LoadedRecipe) -> list[str]:
    """Return the warnings of the stages about the files that they read."""
    named = zip(loaded.recipe.stages, loaded.stages, strict=True)
    base = loaded.path.parent
    return [f"`{entry.id}`: {warning}" for entry, stage in named for warning in warnings_of_files(stage, base=base)]


def _contents(stage: str, input_: FileInput, base: Path) -> Iterator[Content]:
    try:
        files = matching_files(input_.path, base=base)
        if not files:
            raise FileNotFoundError
        for file, place in files.items():
            store, key = located(place)
            name = input_.name if file == input_.path else f"{input_.name}:{file}"
            yield Content(name, store.address(key), store.sha256(key))
    except UnsetVariableError as error:
        raise RecipeError(f"stage `{stage}` reads {input_.path}: {error}", hint=error.hint) from None
    except FileNotFoundError:
        raise RecipeError(f"stage `{stage}` reads {input_.path}, which does not exist") from None
