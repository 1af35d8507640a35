"""Files of templates that a `load` source names: ``templates: chess.yaml`` instead of a mapping in the recipe."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Final

from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.located_yaml import parse_yaml

SUFFIXES: Final = (".yaml", ".yml", ".json", ".toml")
_MAX_BYTES: Final = 4 * 2**20


def read_templates(name: str, *, base: Path) -> dict[str, Any]:
    """Return the mapping in the file *name*, a path relative to *base*.

    The recipe is then as if it held the mapping itself, so a change of the file is a change of the recipe.

    Raises:
        RecipeError: The file is missing, too large, or not a mapping of names to texts.
    """
    path = base / name
    if path.suffix.lower() not in SUFFIXES:
        hint = 'write `templates: {Move: "{1}"}`, or name a file that ends with .yaml, .json or .toml'
        raise RecipeError(f"`{name}` is not a file of YAML, JSON or TOML", hint=hint)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError(f"`{name}` is larger than {_MAX_BYTES // 2**20} MB", hint="keep the templates in use")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise RecipeError(f"cannot read `{name}`: {reason}", hint=f"paths are relative to {base}") from error
    value = _parsed(text, path, name)
    hint = 'write one line for each template: `Move: "{1}"`'
    if not isinstance(value, dict):
        raise RecipeError(f"`{name}` is not a mapping of names to texts", hint=hint)
    for key, one in value.items():
        if not isinstance(one, str):
            raise RecipeError(f"`{name}`: `{key}`: not a text, got `{json.dumps(one, default=str)[:60]}`", hint=hint)
    return {str(key): one for key, one in value.items()}


def _parsed(text: str, path: Path, name: str) -> Any:
    try:
        if path.suffix.lower() == ".json":
            value = json.loads(text)
        elif path.suffix.lower() == ".toml":
            value = tomllib.loads(text)
        else:
            value = parse_yaml(text, file=name).value
    except RecipeError as error:
        line = f", line {error.line}" if error.line else ""
        raise RecipeError(f"`{name}`{line}: {error.message}", hint=error.hint) from error
    except (ValueError, RecursionError) as error:
        hint = "check the file with a parser of its format"
        raise RecipeError(f"`{name}` cannot be parsed: {error}", hint=hint) from error
    return {} if value is None else value
