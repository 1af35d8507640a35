"""The models that can be trained, with their costs for a given size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from corpusmill.schemas.errors import UsageError
from corpusmill.training.config import ModelConfig
from corpusmill.training.config.overrides import parse_overrides
from corpusmill.training.config.reading import config_of
from corpusmill.training.models import MODELS
from corpusmill.training.models.costs import Costs, model_costs

_SECTIONS: Final = ("model", "objective", "tokenizer", "batch")
_LEAST: Final = {"run": "models", "version": "none", "steps": 1, "schedule": {"warm_up_steps": 0}}


def catalog(options: Iterable[str] = ()) -> list[Costs]:
    """Return the costs of each model, in the order of the table.

    Args:
        options: Fields of a training configuration that decide the size, as ``model.layers=8``. A model takes those
            that it has; ``model.name=lstm`` lists one model, which has to have them all.

    Raises:
        UsageError: An option has another form, or does not affect the size.
        RecipeError: A value is not allowed.
    """
    fields = parse_overrides(options)
    for section in fields:
        if section not in _SECTIONS:
            raise UsageError(
                f"`-o {section}`: the size of a model does not depend on it",
                hint=f"use a field of {', '.join(f'`{one}`' for one in _SECTIONS)}, as in `-o model.layers=8`",
            )
    model = fields.get("model", {})
    if not isinstance(model, dict) or "name" in model:
        return [_costs(fields)]
    return [_costs(fields | _of_model(name, fields)) for name in MODELS]


def _of_model(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the sections of *fields* that depend on the model, with the fields that the model *name* has."""
    given = fields.get("model", {})
    known = {field: value for field, value in given.items() if ModelConfig.has(field, name)}
    sections: dict[str, Any] = {"model": {**known, "name": name}}
    if ModelConfig(name=name).objective == "next_token":  # type: ignore[arg-type]
        sections["objective"] = {}
    return sections


def _costs(fields: dict[str, Any]) -> Costs:
    config = config_of({**_LEAST, **fields}, file="-o")
    return model_costs(config, vocabulary_size=config.tokenizer.trained_size)
