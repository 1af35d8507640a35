"""The ids of records inside a run: unique texts that sort like the ids of the files, and back.

An id is ``<group><tag><body>``, and ends with a position if the rest may repeat. The group is `REFERENCE` for documents
of ``--against`` and `OWN` for all others, so that reference documents come first in every order of ids. The tag says
what the body is: an integer (20 digits, so that texts sort like numbers), a text, or the hash of a document's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.schemas.identity import content_hash

REFERENCE: Final = "0"
OWN: Final = "1"
_INTEGER: Final = "i"
_TEXT: Final = "s"
_HASH: Final = "t"
_HEAD: Final = 2
_PLACE_LENGTH: Final = 20
_DIGITS: Final = 20
_SIGN: Final = np.uint64(1 << 63)
_INT64: Final = range(-(1 << 63), 1 << 63)


def ids_of_column(column: pa.Array) -> pa.StringArray:
    """Return tag and body of each id in *column*, of any type that can be cast to text; null for null and "".

    >>> ids_of_column(pa.array([5, -1])).to_pylist(), ids_of_column(pa.array(["a", "", None])).to_pylist()
    (['i09223372036854775813', 'i09223372036854775807'], ['sa', None, None])
    """
    if not pa.types.is_integer(column.type):
        texts = as_text(column)
        return pc.if_else(pc.equal(texts, ""), None, pc.binary_join_element_wise(_TEXT, texts, ""))
    if pa.types.is_uint64(column.type):
        values = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
    else:
        values = pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64) ^ _SIGN
    digits = pc.utf8_lpad(pa.array(values).cast(pa.string()), _DIGITS, "0")
    return pc.binary_join_element_wise(_INTEGER, pc.if_else(pc.is_valid(column), digits, None), "")


def ids_of_values(values: Sequence[Any]) -> pa.StringArray:
    """Return tag and body of ids from JSON: texts, booleans, whole numbers; null for what cannot be an id.

    A number with a fraction or an exponent cannot: its column may write it in another form than the file.

    >>> ids_of_values([5, "a", "", None, [1], 5.0]).to_pylist()
    ['i09223372036854775813', 'sa', None, None, None, None]
    """
    return pa.array([_id_of_value(value) for value in values], pa.string())


def _id_of_value(value: Any) -> str | None:
    match value:
        case bool():
            return f"{_TEXT}{str(value).lower()}"
        case int() if value in _INT64:
            return f"{_INTEGER}{value + (1 << 63):0{_DIGITS}}"
        case int():
            return f"{_TEXT}{value}"
        case str() if value:
            return f"{_TEXT}{value}"
    return None


def ids_of_texts(texts: pa.StringArray) -> pa.StringArray:
    """Return tag and body of ids that are the `content_hash` of each document's text; that of a null text is empty."""
    return pa.array([f"{_HASH}{content_hash(text or '')}" for text in texts.to_pylist()], pa.string())


def grouped(ids: pa.StringArray, *, group: str, part: int, first_row: int) -> pa.StringArray:
    """Return the complete ids of the rows of *part* from *first_row* on; a null id becomes the empty text.

    Ids of reference documents may repeat in their files, and hashes of texts repeat by nature. They end with the
    position of the record, which decides only between records with equal ids.
    """
    rows = range(first_row, first_row + len(ids))
    places = pa.array([f"{abs(part):08x}{row:012x}" for row in rows], pa.string())
    if group == OWN:
        places = pc.if_else(pc.starts_with(ids, _HASH), places, "")
    return pc.fill_null(pc.binary_join_element_wise(group, ids, places, ""), "")


def original_ids(ids: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """Return the ids as they stand in the files, as a column of type *kind* (`ledger_type`); null for an empty id.

    >>> complete = grouped(ids_of_column(pa.array([5, -1])), group=REFERENCE, part=0, first_row=0)
    >>> original_ids(complete, pa.int64()).to_pylist(), original_ids(complete, pa.string()).to_pylist()
    ([5, -1], ['5', '-1'])
    """
    tags = pc.utf8_slice_codeunits(ids, 1, _HEAD)
    has_place = pc.or_(pc.starts_with(ids, REFERENCE), pc.equal(tags, _HASH))
    bodies = pc.if_else(
        has_place,
        pc.utf8_slice_codeunits(ids, _HEAD, -_PLACE_LENGTH),
        pc.utf8_slice_codeunits(ids, _HEAD),
    )
    bodies = pc.if_else(pc.equal(ids, ""), pa.scalar(None, pa.string()), bodies)
    if pa.types.is_integer(kind):
        return _integers(bodies, kind)
    is_integer = pc.equal(tags, _INTEGER)
    if not pc.any(is_integer).as_py():
        return bodies.cast(kind)
    integers = _integers(pc.if_else(is_integer, bodies, None), pa.int64()).cast(pa.string())
    return pc.if_else(is_integer, integers, bodies).cast(kind)


def _integers(bodies: pa.StringArray, kind: pa.DataType) -> pa.Array:
    values = pc.fill_null(bodies, "0").cast(pa.uint64()).to_numpy()
    if not pa.types.is_uint64(kind):
        values = (values ^ _SIGN).view(np.int64)
    missing = pc.is_null(bodies).to_numpy(zero_copy_only=False)
    return pc.if_else(pa.array(missing), None, pa.array(np.where(missing, 0, values)).cast(kind))


def ledger_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of ids in the ledger: that of the files for integers and texts, else text.

    >>> ledger_type(pa.int32()), ledger_type(pa.dictionary(pa.int32(), pa.string())), ledger_type(pa.date32())
    (DataType(int32), DataType(string), DataType(string))
    """
    is_same = pa.types.is_integer(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return kind if is_same else pa.string()


def can_be_id(kind: pa.DataType) -> bool:
    """Return whether a column of type *kind* can hold ids: integers, texts, and what has one form as text."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (pa.types.is_nested, pa.types.is_null, pa.types.is_floating, _is_binary)
    return not any(test(kind) for test in tests)


def _is_binary(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(test(kind) for test in tests) or isinstance(kind, pa.BaseExtensionType)


def as_text(column: pa.Array) -> pa.StringArray:
    """Return *column* as plain text: a dictionary, a large text or a view becomes `string`."""
    return column if pa.types.is_string(column.type) else column.cast(pa.string())
