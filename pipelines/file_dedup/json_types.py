"""The Arrow types of JSON records, and their columns.

A *shape* describes the values seen in one place: ``null``, ``bool``, ``int`` (exact as a float), ``wide`` (other
integers of 64 bits), ``float``, ``text``, ``mixed``, or, as lists that JSON can carry, ``["list", shape]`` and
``["struct", [[name, shape], …]]``. `unified` combines shapes in any grouping, so the result does not depend on batches.
Values that have no common type become text in their JSON form.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import pyarrow as pa

Shape: TypeAlias = str | list[Any]
Shapes: TypeAlias = dict[str, Shape]

_EXACT: Final = 1 << 53
_INT64: Final = range(-(1 << 63), 1 << 63)
_TYPES: Final = {
    "null": pa.string(),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "wide": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "mixed": pa.string(),
}
_NUMBERS: Final = {frozenset(("int", "wide")): "wide", frozenset(("int", "float")): "float"}


def shapes_of(rows: Sequence[Mapping[str, Any]]) -> Shapes:
    """Return the shape of each field of *rows*, in the order in which the fields appear."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: shape_of_values([row.get(name) for row in rows]) for name in names}


def shape_of_values(values: Sequence[Any]) -> Shape:
    """Return the shape of all *values*.

    >>> shape_of_values([1, 2.5, None]), shape_of_values([1, "a"]), shape_of_values([{"a": []}, {"b": True}])
    ('float', 'mixed', ['struct', [['a', ['list', 'null']], ['b', 'bool']]])
    """
    if {*map(type, values)} <= {str, type(None)}:  # most columns
        return "text" if any(value is not None for value in values) else "null"
    shape: Shape = "null"
    for value in values:
        shape = unified(shape, _shape_of(value))
    return shape


def _shape_of(value: Any) -> Shape:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int" if abs(value) <= _EXACT else "wide" if value in _INT64 else "mixed"
        case float():
            return "float"
        case str():
            return "text"
        case dict():
            return ["struct", [[name, _shape_of(item)] for name, item in value.items()]]
        case _:
            return ["list", shape_of_values(value)]


def unified(one: Shape, other: Shape) -> Shape:
    """Return the shape of the values of both shapes. ``mixed`` absorbs every other shape."""
    if one == other or other == "null":
        return one
    if one == "null":
        return other
    if isinstance(one, str) or isinstance(other, str):
        is_plain = isinstance(one, str) and isinstance(other, str)
        return _NUMBERS.get(frozenset((str(one), str(other))), "mixed") if is_plain else "mixed"
    if one[0] != other[0]:
        return "mixed"
    if one[0] == "list":
        return ["list", unified(one[1], other[1])]
    fields = unified_fields([dict(one[1]), dict(other[1])])
    return ["struct", [[name, shape] for name, shape in fields.items()]]


def unified_fields(parts: Iterable[Shapes]) -> Shapes:
    """Return the shapes of the fields of all *parts*, in the order in which they appear first."""
    fields: Shapes = {}
    for part in parts:
        for name, shape in part.items():
            fields[name] = unified(fields.get(name, "null"), shape)
    return fields


def arrow_type(shape: Shape) -> pa.DataType:
    """Return the type of a column of *shape*. Parquet cannot store a struct without fields, so it becomes text."""
    if isinstance(shape, str):
        return _TYPES[shape]
    if shape[0] == "list":
        return pa.list_(arrow_type(shape[1]))
    return pa.struct([(name, arrow_type(item)) for name, item in shape[1]]) if shape[1] else pa.string()


def schema_of(shapes: Shapes) -> pa.Schema:
    """Return the schema of records with the fields *shapes*."""
    return pa.schema([(name, arrow_type(shape)) for name, shape in shapes.items()])


def batch_of(rows: Sequence[Mapping[str, Any]], shapes: Shapes) -> pa.RecordBatch:
    """Return *rows* as columns of *shapes*; a field that a row does not have is null."""
    columns = [_column([row.get(name) for row in rows], shape) for name, shape in shapes.items()]
    return pa.RecordBatch.from_arrays(columns, schema=schema_of(shapes))


def _column(values: list[Any], shape: Shape) -> pa.Array:
    if _has_text_form(shape):
        values = [_in_form(value, shape) for value in values]
    return pa.array(values, arrow_type(shape))


def _has_text_form(shape: Shape) -> bool:
    """Return whether some values of *shape* must be written as JSON text."""
    if isinstance(shape, str):
        return shape == "mixed"
    if shape[0] == "list":
        return _has_text_form(shape[1])
    return not shape[1] or any(_has_text_form(item) for _, item in shape[1])


def _in_form(value: Any, shape: Shape) -> Any:
    if value is None:
        return None
    if shape == "mixed" or shape == ["struct", []]:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(shape, str):
        return value
    if shape[0] == "list":
        return [_in_form(item, shape[1]) for item in value]
    return {name: _in_form(value.get(name), item) for name, item in shape[1]}
