"""What a field of a model asks for, in words, and one value of the right form; read off the model's JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from corpusmill.schemas.located_yaml import Place, dump_field

_Schema: TypeAlias = dict[str, Any]

_WORDS: Final = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "fields with values",
    "null": "null",
}


def expectation(model: type[BaseModel], place: Place) -> str | None:
    """Describe what *model* takes at *place*, with bounds; None where its schema does not say.

    >>> from corpusmill.schemas.recipe import Recipe
    >>> expectation(Recipe, ("split", "train"))
    'a number from 0 to 1'
    """
    words = [_words(option) for schema in _schemas_at(model, place) for option in _options(schema)]
    return " or ".join(dict.fromkeys(filter(None, words))) or None


def example(model: type[BaseModel], place: Place) -> str | None:
    """Return the field of *model* around *place* as a file would have it, with a value of the right form.

    The value is the field's first ``examples``, else its default, else made from its type and bounds; None where
    none of them gives one.

    >>> from corpusmill.schemas.recipe import Recipe
    >>> example(Recipe, ("split", "train"))
    'train: 0.98'
    """
    while place and isinstance(place[-1], int):
        place = place[:-1]
    for schema in _schemas_at(model, place) if place else ():
        if (value := _value(schema)) is not None:
            return dump_field(str(place[-1]), value)
    return None


def _schemas_at(model: type[BaseModel], place: Place) -> list[_Schema]:
    """Return the schemas of what *place* leads to in *model*: several behind a union, none behind an unknown name."""
    try:
        root = model.model_json_schema()
    except PydanticUserError:  # a type of somebody else's stage that has no JSON form
        return []
    definitions = root.get("$defs", {})
    schemas = [root]
    for step in place:
        schemas = [inner for schema in schemas for inner in _inner(schema, step, definitions)]
    return [_resolved(schema, definitions) for schema in schemas]


def _inner(schema: _Schema, step: str | int, definitions: _Schema) -> Iterator[_Schema]:
    """Yield the schemas that *step*, a field's name or an item's position, leads to in *schema*."""
    for option in _options(_resolved(schema, definitions)):
        if isinstance(step, int):
            found = option.get("items")
        else:
            found = option.get("properties", {}).get(step, option.get("additionalProperties"))
        if isinstance(found, dict):
            yield found


def _resolved(schema: _Schema, definitions: _Schema) -> _Schema:
    """Return *schema* with the definition that it, or an option of its union, refers to."""
    schema = _definition(schema, definitions)
    if "anyOf" not in schema:
        return schema
    return schema | {"anyOf": [_definition(option, definitions) for option in schema["anyOf"]]}


def _definition(schema: _Schema, definitions: _Schema) -> _Schema:
    if "$ref" not in schema:
        return schema
    definition: _Schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    return definition | {key: value for key, value in schema.items() if key != "$ref"}


def _options(schema: _Schema) -> list[_Schema]:
    """Return the options of a union, or *schema* alone."""
    return schema.get("anyOf") or [schema]


def _words(schema: _Schema) -> str | None:
    if allowed := schema.get("enum"):
        return f"one of {', '.join(map(str, allowed))}"
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type")
    words = _WORDS.get(kind) if isinstance(kind, str) else None
    match kind:
        case "integer" | "number":
            return f"{words}{_bounds(*_range(schema))}"
        case "string" if schema.get("minLength"):
            return f"{words} that is not empty"
        case "array" if schema.get("minItems"):
            return f"{words} with at least {schema['minItems']} item{'s' if schema['minItems'] > 1 else ''}"
    return words


_Bound: TypeAlias = tuple[float, bool] | None
"""A number, and whether it is itself allowed."""


def _range(schema: _Schema) -> tuple[_Bound, _Bound]:
    """Return the least and the greatest allowed number; those of whole numbers are themselves allowed."""
    step = 1 if schema.get("type") == "integer" else 0
    least: _Bound = None
    greatest: _Bound = None
    if "minimum" in schema:
        least = schema["minimum"], True
    elif "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"] + step, bool(step)
    if "maximum" in schema:
        greatest = schema["maximum"], True
    elif "exclusiveMaximum" in schema:
        greatest = schema["exclusiveMaximum"] - step, bool(step)
    return least, greatest


def _bounds(least: _Bound, greatest: _Bound) -> str:
    """Write bounds as they follow ``a number``.

    >>> _bounds((0, True), (1, True)), _bounds((0, False), (1, True)), _bounds(None, None)
    (' from 0 to 1', ' above 0 and at most 1', '')
    """
    if least and greatest and least[1] and greatest[1]:
        return f" from {least[0]} to {greatest[0]}"
    parts = []
    if least:
        parts.append(f"{'of at least' if least[1] else 'above'} {least[0]}")
    if greatest:
        at_most = "at most" if least else "of at most"
        parts.append(f"{at_most if greatest[1] else 'below'} {greatest[0]}")
    return f" {' and '.join(parts)}" if parts else ""


def _value(schema: _Schema) -> Any:
    """Return a value that *schema* allows, None where only null would be known."""
    for known in (*schema.get("examples", ()), schema.get("default"), *schema.get("enum", ()), schema.get("const")):
        if known is not None and known != []:
            return known
    return next((value for option in _options(schema) if (value := _made(option)) is not None), None)


def _made(schema: _Schema) -> Any:
    match schema.get("type"):
        case "boolean":
            return True
        case "integer" | "number" as kind:
            return _number(*_range(schema), is_whole=kind == "integer")
        case "string" if not {"pattern", "format"} & schema.keys():
            return "text"
        case "array" if isinstance(schema.get("items"), dict) and (item := _value(schema["items"])) is not None:
            return [item]
    return None


def _number(least: _Bound, greatest: _Bound, *, is_whole: bool) -> float:
    """Return a number between the bounds: their middle, for a whole number the one nearest to 1."""
    if is_whole:
        nearest = min(1, greatest[0]) if greatest else 1
        return max(nearest, least[0]) if least else nearest
    if least and greatest:
        return (least[0] + greatest[0]) / 2
    return least[0] + 1 if least else greatest[0] - 1 if greatest else 1.0
