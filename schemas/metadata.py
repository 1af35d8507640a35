"""The column `metadata`: named properties of a document, as ``list<struct<key: string, value: string>>``.

A list of structs, sorted by key and with distinct keys, represents a map, because not every program that reads Parquet
supports maps. Loaders and stages may add entries in any order: `metadata_column` and the writer of documents call
`normalized`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.schemas.document import METADATA

Entries = Mapping[str, str] | Sequence[tuple[str, str]]
"""The metadata of one document as Python objects."""
LISTED_PUBLISHED: Final = "listed_published"
"""Key of the date of publication that a news sitemap states for a page, as written there."""
LISTED_TITLE: Final = "listed_title"
"""Key of the title that a news sitemap states for a page."""
_MAP: Final = pa.map_(pa.string(), pa.string())
_FIELDS: Final = tuple(METADATA.value_type)


def metadata_column(rows: Sequence[Entries | None]) -> pa.ListArray:
    """Build the column from one mapping (or key-value pairs) per document; None becomes null.

    >>> metadata_column([{"b": "2", "a": "1"}, None]).to_pylist()
    [[{'key': 'a', 'value': '1'}, {'key': 'b', 'value': '2'}], None]
    """
    return normalized(pa.array(rows, _MAP))


def normalized(column: pa.ListArray | pa.MapArray) -> pa.ListArray:
    """Sort the entries of each row by key (in code point order) and keep the first entry of each key.

    Entries with a null key or value are dropped. A row without entries stays null or empty, as it was. A column that
    is already sorted is returned without a copy. A map of strings, the type of this column in older versions, is
    converted.

    >>> normalized(pa.array([[("b", "2"), ("a", "1"), ("b", "3")]], pa.map_(pa.string(), pa.string()))).to_pylist()
    [[{'key': 'a', 'value': '1'}, {'key': 'b', 'value': '2'}]]
    """
    if column.type != METADATA:
        column = column.cast(METADATA)
    entries = column.flatten()
    lengths = np.asarray(pc.list_value_length(column).fill_null(0)).astype(np.int64)
    rows = np.repeat(np.arange(len(column)), lengths)
    keys, values = (pc.struct_field(entries, index) for index in (0, 1))
    has_nulls = bool(keys.null_count or values.null_count)
    if not has_nulls and _is_first(rows, keys, or_greater=True).all():
        return column
    if has_nulls:
        is_valid = pc.and_(pc.is_valid(keys), pc.is_valid(values))
        keys, values, rows = keys.filter(is_valid), values.filter(is_valid), rows[np.asarray(is_valid)]
    order = pc.sort_indices(  # stable: the first of equal keys stays first
        pa.table({"row": rows, "key": keys}), sort_keys=[("row", "ascending"), ("key", "ascending")]
    )
    keys, rows = keys.take(order), rows[np.asarray(order)]
    is_first = _is_first(rows, keys)
    kept = pa.array(is_first)
    return pa.ListArray.from_arrays(
        _offsets(rows[is_first], count=len(column)),
        pa.StructArray.from_arrays([keys.filter(kept), values.take(order).filter(kept)], fields=_FIELDS),
        type=METADATA,
        mask=column.is_null() if column.null_count else None,
    )


def _is_first(rows: npt.NDArray[np.int64], keys: pa.Array, *, or_greater: bool = False) -> npt.NDArray[np.bool_]:
    """Return for each entry whether it is the first of its row, or its key differs from the previous entry's.

    With *or_greater*, the key must be greater than the previous one.
    """
    is_first = np.ones(len(keys), np.bool_)
    if len(keys) > 1:
        compare = pc.greater if or_greater else pc.not_equal
        differs = np.asarray(compare(keys.slice(1), keys.slice(0, len(keys) - 1)))
        is_first[1:] = (rows[1:] != rows[:-1]) | differs
    return is_first


def _offsets(rows: npt.NDArray[np.int64], *, count: int) -> pa.Int32Array:
    """Return the list offsets of *count* rows from the row number of each entry."""
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=count), out=offsets[1:])
    return pa.array(offsets)


def metadata_dicts(column: pa.ListArray | pa.MapArray | pa.ChunkedArray) -> list[dict[str, str] | None]:
    """Return the column as one dictionary (or None) per document.

    >>> metadata_dicts(metadata_column([{"a": "1"}, None]))
    [{'a': '1'}, None]
    """
    if pa.types.is_map(column.type):
        return [None if row is None else dict(row) for row in column.to_pylist()]
    return [None if row is None else _as_dict(row) for row in column.to_pylist()]


def _as_dict(entries: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {entry["key"]: entry["value"] for entry in entries}
