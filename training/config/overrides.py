"""Fields of a configuration that are given on the command line, as `KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.located_yaml import TRAINING, parse_yaml

_FORM: Final = "write the field with its section, as in `-o model.layers=8`"


def parse_overrides(options: Iterable[str]) -> dict[str, Any]:
    """Return the fields that *options* give, as nested mappings; values are YAML.

    >>> parse_overrides(["model.layers=8", "steps=10"])
    {'model': {'layers': 8}, 'steps': 10}

    Raises:
        UsageError: An option has another form, or contradicts an earlier one.
        RecipeError: A value is not YAML.
    """
    fields: dict[str, Any] = {}
    for option in options:
        key, is_assignment, text = option.partition("=")
        if not is_assignment or not all(name.isidentifier() for name in key.split(".")):
            raise UsageError(f"`-o {option}` is not KEY=VALUE", hint=_FORM)
        *sections, name = key.split(".")
        inner = fields
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise UsageError(f"`-o {option}`: `{section}` already has a value", hint="give one of the two options")
        if name in inner:
            raise UsageError(f"`-o {option}`: `{key}` is given twice", hint="keep one of the two options")
        located = parse_yaml(f"value: {text}", file=f"-o {key}", kind=TRAINING)
        if located.errors:
            raise located.errors[0]
        inner[name] = located.value["value"]
    return fields
