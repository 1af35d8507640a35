"""The plan of a validated recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.version import Version, open_version, version_in
from corpusmill.pipelines.planning.plan import CorpusPlan, build_plan
from corpusmill.pipelines.planning.scans import LoaderValue, SourceInput
from corpusmill.pipelines.recipes.reading import LoadedRecipe
from corpusmill.pipelines.stages.base import Stage
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.document import CAPTURE, DOCUMENT, LEDGER, ORIGIN
from corpusmill.schemas.errors import RecipeError

_TAKEN: Final = frozenset((*CAPTURE.names, *DOCUMENT.names, *LEDGER.names, *ORIGIN.names))


def planned(
    loaded: LoadedRecipe, inputs: Sequence[SourceInput], workspace: Workspace, *, limit: int | None
) -> CorpusPlan:
    """Build the plan of the recipe over its sources. Versions named by stages are looked up in *workspace*.

    Raises:
        RecipeError: The stages do not fit together, or one cannot use a table of a version.
    """
    stages = [(entry.id, stage) for entry, stage in zip(loaded.recipe.stages, loaded.stages, strict=True)]
    _refuse_repeated_columns(loaded, stages)
    dataset = dataset_name(loaded, limit=limit)

    def find_version(name: str | None) -> Version | None:
        if name is not None:
            return open_version(name, workspace)
        parent = publications.current(workspace.dataset(dataset))
        return None if parent is None else version_in(workspace.dataset(dataset).below(parent))

    has_vectors = any(cast("LoaderValue", loader).has_vectors for loader in loaded.loaders.values())
    try:
        return build_plan(
            loaded.recipe,
            stages,
            inputs,
            limit=limit,
            find_version=find_version,
            base=loaded.path.parent,
            has_vectors=has_vectors,
        )
    except RecipeError as error:
        place = next((index for index, (name, _) in enumerate(stages) if name == error.field), None)
        if place is None:
            raise
        raise loaded.error(error.message, ("stages", place), hint=error.hint, value=error.value) from error


def dataset_name(loaded: LoadedRecipe, *, limit: int | None) -> str:
    """Return the name of the data set to publish. A limited run publishes under a name of its own."""
    return loaded.recipe.dataset + ("-sample" if limit is not None else "")


def _hint(stage: Stage) -> str:
    """Return how to avoid that *stage* adds the columns of another one."""
    if "into" in type(stage).model_fields:
        return "give one of them another `into`, or keep one of the two stages"
    return "keep one of the two stages"


def _refuse_repeated_columns(loaded: LoadedRecipe, stages: list[tuple[str, Stage]]) -> None:
    """Refuse a recipe in which two stages add a column with the same name."""
    makers: dict[str, str] = {}
    for index, (name, stage) in enumerate(stages):
        for column in (added.name for _, inner in stage.sub_stages() for added in inner.adds()):
            if column in _TAKEN:
                raise loaded.error(
                    f"stage {index + 1} (`{name}`): the column `{column}` is part of every document or ledger",
                    ("stages", index),
                    hint="rename it in the stage",
                    value=column,
                )
            if column in makers:
                raise loaded.error(
                    f"stage {index + 1} (`{name}`): the column `{column}` is added by `{makers[column]}` already",
                    ("stages", index),
                    hint=_hint(stage),
                    value=column,
                )
            makers[column] = name
