"""Values of Arrow columns in the form that they have in JSON Lines."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

import pyarrow as pa


def is_text(kind: pa.DataType) -> bool:
    """Return whether values of the type *kind* are texts."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def values(column: pa.Array) -> list[Any]:
    """Return the values of *column* in their JSON form."""
    kind = _with_leaves(column.type, _in_microseconds)
    if kind != column.type:
        column = column.cast(kind, safe=False)
    values = _as_python(column)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or is_text(kind):
        return values
    return [json_value(value) for value in values]


def _as_python(column: pa.Array) -> list[Any]:
    """Return the values of *column* as Python objects.

    Parquet does not check that strings are UTF-8. Invalid bytes become lone surrogates, which `offer_of` replaces; in
    the text or the id, it sets the record aside.
    """
    try:
        values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
        return values
    except OverflowError:
        return (
            [_as_python(column.slice(row, 1))[0] for row in range(len(column))] if len(column) > 1 else _counts(column)
        )
    except UnicodeDecodeError:
        kind = _with_leaves(column.type, _without_dictionary)
        bytes_of_texts = column.cast(kind).cast(_with_leaves(kind, _as_bytes))
        return [_as_text(value, kind) for value in bytes_of_texts.to_pylist(maps_as_pydicts="lossy")]


def _counts(column: pa.Array) -> list[Any]:
    """As `_as_python`, with times as whole numbers: a table can hold years that Python does not have."""
    return _as_python(column.cast(_with_leaves(column.type, _as_count), safe=False))


def _as_count(kind: pa.DataType) -> pa.DataType:
    if not pa.types.is_temporal(kind) or pa.types.is_interval(kind):
        return kind
    return pa.int32() if kind.bit_width == 32 else pa.int64()


def _as_text(value: Any, kind: pa.DataType) -> Any:
    """Decode the strings in *value*, a Python object of the type *kind*."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {field.name: _as_text(value[field.name], field.type) for field in kind}
    if pa.types.is_map(kind):
        return {_as_text(key, kind.key_type): _as_text(item, kind.item_type) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item, kind.value_type) for item in value]
    return value.decode(errors="surrogateescape") if is_text(kind) else value


def _with_leaves(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Return the type *kind* with *change* applied to each type in it that is not nested."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_with_leaves(field.type, change)) for field in kind])
    if pa.types.is_map(kind):
        key, item = kind.key_field, kind.item_field
        return pa.map_(key.with_type(_with_leaves(key.type, change)), item.with_type(_with_leaves(item.type, change)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_with_leaves(kind.value_type, change)))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_with_leaves(kind.value_type, change)))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_with_leaves(kind.value_type, change)), kind.list_size)
    return change(kind)


def _in_microseconds(kind: pa.DataType) -> pa.DataType:
    """Return *kind*, with times in microseconds and UTC, the resolution of Python."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC" if kind.tz else None)
    if pa.types.is_time64(kind):
        return pa.time64("us")
    return pa.duration("us") if pa.types.is_duration(kind) else kind


def _without_dictionary(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _as_bytes(kind: pa.DataType) -> pa.DataType:
    return pa.large_binary() if is_text(kind) else kind


def json_value(value: Any) -> Any:
    """Return the Python object *value* in its JSON form; numbers that are not finite are None."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if isfinite(value) else None
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.isoformat() if value.tzinfo is None else value.astimezone(UTC).isoformat()[:-6] + "Z"
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value / timedelta(seconds=1)
        case Decimal() | UUID():
            return str(value)
        case dict():
            return {str(json_value(key)): json_value(item) for key, item in value.items()}
        case _:
            return [json_value(item) for item in value]
