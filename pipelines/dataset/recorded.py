"""The stages of the recipe that a version was made with, as this program has them: what they declare can be asked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.recipes.reading import stage_table
from corpusmill.pipelines.stages.base import PersonalData, Stage
from corpusmill.schemas.recipe import StageEntry, number_stages


@dataclass(frozen=True)
class RecordedStage:
    """A stage of a recorded recipe.

    Args:
        entry: Its name, parameters and id.
        model: Its class; None: the distribution that brought it is not installed here.
        stage: Its value; None also where the class does not take the parameters, as another version of it does.
    """

    entry: StageEntry
    model: type[Stage] | None = None
    stage: Stage | None = None

    @property
    def personal_data(self) -> PersonalData | None:
        """How it looks for personal data; None: it does not, or is not installed here."""
        if self.model is None:
            return None
        return self.model.personal_data or (PersonalData() if self.model.masks else None)

    @property
    def action_on_personal_data(self) -> Literal["mask", "drop", "count"] | None:
        """What it does with a document that has personal data; None: it is not known here."""
        if self.stage is None:
            return None
        return "mask" if "text" in self.stage.changes() else "drop" if self.stage.rules() else "count"


def recorded_stages(entries: Iterable[Any]) -> tuple[RecordedStage, ...]:
    """Return the stages that *entries* (``stages`` of the recipe in a manifest) list, in order."""
    table = stage_table()
    return tuple(_recorded(entry, table.get(entry.name)) for entry in number_stages(list(entries)))


def first_on_personal_data(stages: Iterable[RecordedStage]) -> RecordedStage | None:
    """Return the first stage that looks for personal data; None: none is known to."""
    return next((stage for stage in stages if stage.personal_data is not None), None)


def are_all_installed(stages: Iterable[RecordedStage]) -> bool:
    """Return whether all *stages* are installed here: only then is it known what the recipe does not do."""
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
