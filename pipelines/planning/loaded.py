"""The plan of a recipe that was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from corpusmill.pipelines.planning.plan import CorpusPlan, build_plan
from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.recipes.reading import LoadedRecipe
from corpusmill.pipelines.stages.base import Stage
from corpusmill.schemas.document import CAPTURE, DOCUMENT, LEDGER, ORIGIN

_TAKEN: Final = frozenset((*CAPTURE.names, *DOCUMENT.names, *LEDGER.names, *ORIGIN.names))


def planned(loaded: LoadedRecipe, inputs: Sequence[SourceInput], *, limit: int | None) -> CorpusPlan:
    """Give the plan of the recipe over its sources."""
    stages = [(entry.id, stage) for entry, stage in zip(loaded.recipe.stages, loaded.stages, strict=True)]
    _refuse_repeated_columns(loaded, stages)
    return build_plan(loaded.recipe, stages, inputs, limit=limit)


def _refuse_repeated_columns(loaded: LoadedRecipe, stages: list[tuple[str, Stage]]) -> None:
    """Refuse a recipe in which two stages make a column of one name."""
    makers: dict[str, str] = {}
    for index, (name, stage) in enumerate(stages):
        for column in (added.name for _, inner in stage.sub_stages() for added in inner.adds()):
            if column in _TAKEN:
                raise loaded.error(
                    f"stage {index + 1} (`{name}`): the column `{column}` is one that every document or ledger has",
                    ("stages", index),
                    hint="the stage has to give it another name",
                    value=column,
                )
            if column in makers:
                raise loaded.error(
                    f"stage {index + 1} (`{name}`): the column `{column}` is made by `{makers[column]}` already",
                    ("stages", index),
                    hint="give one of them another `into`, or keep one of the two stages",
                    value=column,
                )
            makers[column] = name
