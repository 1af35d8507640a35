"""Describe the values that a field of a model accepts, with examples, from the model's JSON Schema."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import CoreSchema

from corpusmill.schemas.located_yaml import Place, dump_field

_Schema: TypeAlias = dict[str, Any]
_Bound: TypeAlias = tuple[float, bool] | None
"""A number, and whether the number itself is allowed."""

_WORDS: Final = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "fields with values",
    "null": "null",
}
_FORMATS: Final = {
    "date": ("a date", "2024-01-31"),
    "date-time": ("a date and time", "2024-01-31T12:00:00Z"),
    "time": ("a time of day", "12:30:00"),
    "duration": ("a duration", "PT1H"),
    "uri": ("a web address", "https://example.org/"),
    "email": ("an e-mail address", "you@example.org"),
    "uuid": ("a UUID", "123e4567-e89b-12d3-a456-426614174000"),
    "ipv4": ("an IPv4 address", "192.0.2.1"),
    "path": ("a path", "data"),
    "file-path": ("the path of a file that exists", "data.txt"),
    "directory-path": ("the path of a folder that exists", "data"),
}
"""Formats of texts (JSON Schema 2020-12 and pydantic): a description and an example."""

_SAMPLES: Final = ("text", "a", "en", "TEXT", "1", "a1", "x-1", "2024-01-31", "1.0")
"""Texts to try as examples of a pattern."""

COMMENT: Final = "$comment"
"""Keyword of JSON Schema with a type's description of its values."""


def expectation(model: type[BaseModel], place: Place) -> str | None:
    """Describe the values that *model* accepts at *place*, with bounds; None if its schema says nothing.

    >>> from corpusmill.schemas.recipe import Recipe
    >>> expectation(Recipe, ("split", "train"))
    'a number from 0 to 1'
    """
    return _expectation(model, place)


@lru_cache(maxsize=1000)
def _expectation(model: type[BaseModel], place: Place) -> str | None:
    options = [option for schema in _schemas_at(model, place) for option in _described(schema)]
    words = [_words(option) for option in options if not _is_unknown(option)]
    return " or ".join(dict.fromkeys(filter(None, words))) if len(words) == len(options) and any(words) else None


def examples(model: type[BaseModel], place: Place) -> Iterator[Any]:
    """Yield values of the right form for *place* in *model*, the best first.

    They are the field's ``examples``, its default, and one derived from its type and bounds. A validator of the model
    may still refuse them.
    """
    for schema in _schemas_at(model, place):
        yield from _values(schema)


def example(model: type[BaseModel], place: Place) -> str | None:
    """Return the field of *model* around *place* as in a file, with the first of `examples`; None without examples.

    >>> from corpusmill.schemas.recipe import Recipe
    >>> example(Recipe, ("split", "train"))
    'train: 0.98'
    """
    return _example(model, field_around(place))


@lru_cache(maxsize=1000)
def _example(model: type[BaseModel], place: Place) -> str | None:
    value = next(examples(model, place), None) if place else None
    return None if value is None else dump_field(str(place[-1]), value)


def field_around(place: Place) -> Place:
    """Return the place of the field that holds *place*, which may be an item of a list."""
    while place and isinstance(place[-1], int):
        place = place[:-1]
    return place


def fields_at(model: type[BaseModel], place: Place) -> tuple[str, ...]:
    """Return the names of the fields of *model* at *place*."""
    options = (option for schema in _schemas_at(model, place) for option in _options(schema))
    return tuple(dict.fromkeys(name for option in options for name in option.get("properties", {})))


def is_required(model: type[BaseModel], place: Place) -> bool:
    """Return whether the field at *place* is required."""
    parents = _schemas_at(model, place[:-1])
    return any(place[-1] in option.get("required", ()) for schema in parents for option in _options(schema))


def bounds_of(model: type[BaseModel], place: Place) -> list[tuple[_Bound, _Bound]]:
    """Return the least and the greatest number that each option of the field at *place* accepts.

    >>> from corpusmill.schemas.recipe import Recipe
    >>> bounds_of(Recipe, ("split", "train"))
    [((0, True), (1, True))]
    """
    options = (option for schema in _schemas_at(model, place) for option in _options(schema))
    return [_range(option) for option in options if option.get("type") in {"integer", "number"}]


class _Lenient(GenerateJsonSchema):
    """Generates an empty schema for types without a JSON form, as a third-party stage may have, instead of failing."""

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> JsonSchemaValue:
        return {}

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        return


@cache
def _schema_of(model: type[BaseModel]) -> _Schema:
    root = model.model_json_schema(schema_generator=_Lenient)
    expanded: _Schema = _expand(root, root.get("$defs", {}), ())
    return expanded


def _expand(schema: Any, definitions: _Schema, within: tuple[str, ...]) -> Any:
    """Return *schema* with references replaced by their definitions; recursive references become empty."""
    if isinstance(schema, list):
        return [_expand(item, definitions, within) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(name := schema.get("$ref"), str):
        definition = {} if name in within else definitions[name.rsplit("/", 1)[-1]]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _expand(definition | beside, definitions, (*within, name))
    return {key: _expand(value, definitions, within) for key, value in schema.items() if key != "$defs"}


def _schemas_at(model: type[BaseModel], place: Place) -> list[_Schema]:
    """Return the schemas at *place* in *model*: several for a union, none for an unknown name."""
    schemas = [_schema_of(model)]
    for step in place:
        schemas = [inner for schema in schemas for inner in _inner(schema, step)]
    return schemas


def _inner(schema: _Schema, step: str | int) -> Iterator[_Schema]:
    """Yield the schemas at *step*, a field's name or an item's position, in *schema*."""
    for option in _options(schema):
        if isinstance(step, int):
            items = option.get("prefixItems", ())
            inner = items[step] if step < len(items) else option.get("items")
        else:
            others = next(iter(option.get("patternProperties", {}).values()), option.get("additionalProperties"))
            inner = option.get("properties", {}).get(step, others)
        if isinstance(inner, dict):
            yield inner


def _options(schema: _Schema) -> list[_Schema]:
    """Return the options of a union, including nested unions, or *schema* alone."""
    options = schema.get("anyOf") or schema.get("oneOf")
    return [inner for option in options for inner in _options(option)] if options else [schema]


def _described(schema: _Schema) -> list[_Schema]:
    """Return *schema* alone if it has a description, otherwise its options."""
    options = schema.get("anyOf") or schema.get("oneOf")
    if COMMENT in schema or not options:
        return [schema]
    return [inner for option in options for inner in _described(option)]


def _is_unknown(schema: _Schema) -> bool:
    """Return whether *schema* says nothing about its values, as for a type without a JSON form."""
    return not {"type", "enum", "const", COMMENT} & schema.keys()


def _words(schema: _Schema) -> str | None:
    if COMMENT in schema:
        return str(schema[COMMENT])
    if allowed := schema.get("enum"):
        return f"one of {', '.join(map(str, allowed))}"
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type")
    words = _WORDS.get(kind) if isinstance(kind, str) else None
    match kind:
        case "integer" | "number":
            return number_words(schema)
        case "string":
            return f"{_FORMATS.get(schema.get('format', ''), (words,))[0]}{_size(schema, 'Length', 'character')}"
        case "array":
            return f"{words}{_size(schema, 'Items', 'item')}"
    return words


def number_words(schema: _Schema) -> str:
    """Describe the numbers that *schema* allows.

    >>> number_words({"type": "integer", "minimum": 1})
    'a whole number of at least 1'
    """
    multiple = f", a multiple of {schema['multipleOf']}" if "multipleOf" in schema else ""
    return f"{_WORDS[schema['type']]}{_bounds(*_range(schema))}{multiple}"


def _size(schema: _Schema, keyword: str, unit: str) -> str:
    """Describe the bounds of the length of a text or a list, and the pattern of a text, to follow ``a text``.

    >>> _size({"minItems": 2}, "Items", "item"), _size({"minLength": 1}, "Length", "character")
    (' with at least 2 items', ' that is not empty')
    """
    least, greatest = schema.get(f"min{keyword}"), schema.get(f"max{keyword}")
    parts = (
        [] if not least else ["that is not empty"] if (least, keyword) == (1, "Length") else [f"with at least {least}"]
    )
    if greatest is not None:
        parts.append(f"{'and' if parts else 'with'} at most {greatest}")
    count = greatest if greatest is not None else least
    units = f" {unit}{'' if count == 1 else 's'}" if parts and parts != ["that is not empty"] else ""
    matching = f" that matches `{schema['pattern']}`" if "pattern" in schema else ""
    return f" {' '.join(parts)}{units}{matching}" if parts else matching


def _range(schema: _Schema) -> tuple[_Bound, _Bound]:
    """Return the least and the greatest allowed number; bounds of whole numbers are inclusive."""
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
    """Describe bounds, to follow ``a number``.

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


def _values(schema: _Schema) -> Iterator[Any]:
    """Yield values that *schema* allows, except null, which is no useful example."""
    known = (*schema.get("examples", ()), schema.get("default"), *schema.get("enum", ()), schema.get("const"))
    yield from (value for value in known if value is not None and value not in ([], {}))
    for option in _options(schema):
        if option is not schema:
            yield from _values(option)
        elif (value := _value(option)) is not None:
            yield value


def _value(schema: _Schema) -> Any:
    match schema.get("type"):
        case "boolean":
            return True
        case "integer" | "number":
            return sample_number(schema)
        case "string":
            return _text(schema)
        case "array":
            return _list(schema)
        case "object":
            return _mapping(schema)
    return None


def _text(schema: _Schema) -> str | None:
    if "format" in schema:
        return _FORMATS.get(schema["format"], (None, None))[1]
    least, greatest = schema.get("minLength", 0), schema.get("maxLength")
    samples = (f"{sample:x<{least}}"[:greatest] for sample in _SAMPLES)
    try:
        pattern = re.compile(schema.get("pattern", ""))
    except re.error:  # pydantic's patterns have the syntax of Rust
        return None
    return next((sample for sample in samples if pattern.search(sample)), None)


def _list(schema: _Schema) -> list[Any] | None:
    fixed = [next(_values(item), None) for item in schema.get("prefixItems", ())]
    if fixed:
        return fixed
    item = next(_values(schema.get("items", {})), None)
    return None if item is None else [item] * max(1, schema.get("minItems", 1))


def _mapping(schema: _Schema) -> dict[str, Any] | None:
    """Return the required fields, or else the first field that has a value."""
    values = {name: next(_values(inner), None) for name, inner in schema.get("properties", {}).items()}
    least = {name: values.get(name) for name in schema.get("required", ())}
    first = next(((name, value) for name, value in values.items() if value is not None), None)
    return least or (dict([first]) if first else None)


def sample_number(schema: _Schema) -> float:
    """Return a number that *schema* allows: the middle of its bounds, or the whole number nearest to 1.

    >>> sample_number({"type": "integer", "minimum": 257}), sample_number({"type": "number", "exclusiveMinimum": 0})
    (257, 1)
    """
    number = _number(*_range(schema), is_whole=schema["type"] == "integer")
    step = schema.get("multipleOf")
    return math.ceil(number / step) * step if step else number


def _number(least: _Bound, greatest: _Bound, *, is_whole: bool) -> float:
    """Return a number between the bounds: their middle, or the whole number nearest to 1."""
    if is_whole:
        nearest = min(1, greatest[0]) if greatest else 1
        return max(nearest, least[0]) if least else nearest
    if least and greatest:
        return (least[0] + greatest[0]) / 2
    return least[0] + 1 if least else greatest[0] - 1 if greatest else 1.0
