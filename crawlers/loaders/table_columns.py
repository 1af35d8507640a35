"""Checks of the columns of a table, which is a Parquet or an Arrow file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

import pyarrow as pa

from corpusmill.crawlers.loaders.arrow_values import is_text
from corpusmill.crawlers.loaders.rows import FILE, MAX_DEPTH, RowLoader
from corpusmill.crawlers.loaders.vectors import is_list_of_numbers
from corpusmill.schemas.errors import SourceError


def require_columns(schema: pa.Schema, loader: RowLoader, path: str) -> None:
    """Check that the table at *path* has the columns that *loader* names.

    Of the columns of a template, one must exist.

    Raises:
        SourceError: A column is missing or has the wrong type, or the columns cannot be a record.
    """
    _require_shallow(schema, path)
    require_own_names(schema.names, path)
    names = loader.text_names
    if names == (loader.text_field,):
        field = _inner_field(schema, loader.text_field)
        if field is None:
            _require(schema, loader.text_field, "text_field", path)
        else:
            _require_text(field, loader.text_field, path)
    elif not any(name.partition(".")[0] in schema.names or name in schema.names for name in names):
        _require(schema, names[0], "text_field", path)
    if loader.id_field is not None:
        _require(schema, loader.id_field, "id_field", path)
    for part in loader.id_from or ():
        if part != FILE:
            _require(schema, part, "id_from", path)
    if loader.vector_field is not None:
        _require_vectors(schema, loader.vector_field, path)


def _require(schema: pa.Schema, name: str, key: str, path: str) -> None:
    if name not in schema.names:
        columns = ", ".join(f"`{column}`" for column in schema.names)
        nearest = next(iter(get_close_matches(name, schema.names, n=1, cutoff=0.5)), None) or likely_text_column(schema)
        raise SourceError(
            f"has no column `{name}`; it has {columns or 'none'}",
            file=path,
            field=key,
            value=name,
            hint=f"{key}: {nearest}" if nearest else "use a file that has a text column",
        )


def _inner_field(schema: pa.Schema, name: str) -> pa.Field | None:
    """Return the column *name*, or, with dots, the field of an object in a column; None if there is none."""
    if name in schema.names:
        return schema.field(name)
    outer, *inner = name.split(".")
    field = schema.field(outer) if outer in schema.names else None
    for part in inner:
        has_part = field is not None and pa.types.is_struct(field.type) and field.type.get_field_index(part) >= 0
        field = field.type.field(part) if field is not None and has_part else None
    return field


def _require_text(field: pa.Field, name: str, path: str) -> None:
    if not is_text(field.type):
        raise SourceError(
            f"column `{name}` has the type {field.type}, not text",
            file=path,
            field="text_field",
            value=name,
            hint=_hint_for(field, name),
        )


def _hint_for(field: pa.Field, name: str) -> str:
    """Return how to read a column that is not text."""
    if pa.types.is_struct(field.type):
        inner = next((part.name for part in field.type if is_text(part.type)), None)
        return f"text_field: {name}.{inner}" if inner else "set `text_field` to a text column"
    if pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
        return f'join the items with a template: text_field: "{{{name}}}"'
    return "set `text_field` to a text column"


def _require_vectors(schema: pa.Schema, name: str, path: str) -> None:
    likely = ", ".join(f"`{field.name}`" for field in schema if is_list_of_numbers(field.type))
    hint = f"columns with lists of numbers: {likely}" if likely else "leave out `vector_field`"
    kind = schema.field(name).type if name in schema.names else None
    if kind is None or not is_list_of_numbers(kind):
        problem = (
            f"has no column `{name}`" if kind is None else f"column `{name}` has the type {kind}, not a list of numbers"
        )
        raise SourceError(problem, file=path, field="vector_field", value=name, hint=hint)


def _require_shallow(schema: pa.Schema, path: str) -> None:
    """Refuse a table whose rows would have more than `MAX_DEPTH` levels as JSON."""
    depth, kinds = 0, [field.type for field in schema]
    while kinds:
        depth, kinds = depth + 1, [child for kind in kinds for child in _children(kind)]
    if depth > MAX_DEPTH:
        raise SourceError(
            f"its columns are nested {depth} levels deep, more than {MAX_DEPTH}",
            file=path,
            hint="write the file without the nested column",
        )


def require_own_names(names: Sequence[str], path: str) -> None:
    """Refuse a table with repeated column names, because one column would hide the other in a row."""
    repeated = next((name for name, count in Counter(names).items() if count > 1), None)
    if repeated is not None:
        raise SourceError(
            f"two columns have the name `{repeated}`",
            file=path,
            value=repeated,
            hint="give each column a different name",
        )


def _children(kind: pa.DataType) -> list[pa.DataType]:
    if pa.types.is_struct(kind):
        return [field.type for field in kind]
    if pa.types.is_map(kind):
        return [kind.key_type, kind.item_type]
    return [kind.value_type] if pa.types.is_nested(kind) and hasattr(kind, "value_type") else []


def likely_text_column(schema: pa.Schema) -> str | None:
    """Return a text column to propose: one with a common name for text, else the first; None if there is none."""
    columns = [field.name for field in schema if is_text(field.type)]
    usual = ("content", "contents", "body", "article", "document", "raw_content", "markdown")
    return next((name for name in usual if name in columns), next(iter(columns), None))
