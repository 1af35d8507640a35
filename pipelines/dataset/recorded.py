"""Resolve the stages in the recorded recipe of a version to the stages that are installed here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.recipes.reading import stage_table
from corpusmill.pipelines.stages.base import PersonalData, SideTable, Stage
from corpusmill.schemas.manifest import VersionManifest
from corpusmill.schemas.recipe import StageEntry, number_stages


@dataclass(frozen=True)
class RecordedStage:
    """A stage of a recorded recipe.

    Args:
        entry: Its name, parameters and id.
        model: Its class; None if the distribution that has it is not installed here.
        stage: Its instance; None if there is no class, or the installed class rejects the recorded parameters.
    """

    entry: StageEntry
    model: type[Stage] | None = None
    stage: Stage | None = None

    @property
    def personal_data(self) -> PersonalData | None:
        """How it detects personal data; None if it does not, or is not installed here."""
        if self.model is None:
            return None
        return self.model.personal_data or (PersonalData() if self.model.masks else None)

    @property
    def action_on_personal_data(self) -> Literal["mask", "drop", "count"] | None:
        """What it does with a document that has personal data; None if unknown here."""
        if self.stage is None:
            return None
        return "mask" if "text" in self.stage.changes() else "drop" if self.stage.rules() else "count"


def recorded_stages(entries: Iterable[Any]) -> tuple[RecordedStage, ...]:
    """Return the stages that *entries* (``stages`` of the recipe in a manifest) list, in order."""
    table = stage_table()
    return tuple(_recorded(entry, table.get(entry.name)) for entry in number_stages(list(entries)))


def recorded_sides(manifest: VersionManifest) -> dict[str, SideTable]:
    """Return the side tables that a version has, by their names in it, as far as their stages are installed here."""
    stages = {one.entry.id: one.stage for one in recorded_stages(manifest.recipe.get("stages", ()))}
    sides = {}
    for name in manifest.side_tables():
        owner, _, side = name.partition(".")
        stage = stages.get(owner)
        if stage is not None and side in stage.sides():
            sides[name] = stage.sides()[side]
    return sides


def first_on_personal_data(stages: Iterable[RecordedStage]) -> RecordedStage | None:
    """Return the first stage that is known to detect personal data, if any."""
    return next((stage for stage in stages if stage.personal_data is not None), None)


def are_all_installed(stages: Iterable[RecordedStage]) -> bool:
    """Return whether all *stages* are installed here. Without that, a recipe may do more than is known."""
    return all(stage.model is not None for stage in stages)


def _recorded(entry: StageEntry, place: str | None) -> RecordedStage:
    if place is None:
        return RecordedStage(entry)
    try:
        model: type[Stage] = resolve(place)
    except (ImportError, AttributeError):
        return RecordedStage(entry)
    try:
        return RecordedStage(entry, model, model.model_validate_json(json.dumps(entry.params)))
    except ValidationError:
        return RecordedStage(entry, model)
