"""The logical hash of a table covers its schema and values, not how its file is compressed, split or encoded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.schemas.document import type_name
from corpusmill.schemas.identity import canonical_json

_CHUNK_BYTES = 1 << 20


class LogicalHash:
    """Incremental hash of a table, independent of the boundaries between batches.

    Each column is hashed separately, as a tree: validity (one byte per row); then, for text and binary, the lengths
    (int64) and the bytes; for numbers, the little-endian values with nulls as zero; for lists and maps, the lengths and
    the items; for structs, the fields.

    >>> one, two = LogicalHash(pa.schema([("n", pa.int64())])), LogicalHash(pa.schema([("n", pa.int64())]))
    >>> one.update(pa.record_batch({"n": [1, None, 3]}))
    >>> two.update(pa.record_batch({"n": [1]})), two.update(pa.record_batch({"n": pa.array([None, 3], pa.int64())}))
    (None, None)
    >>> one.hexdigest() == two.hexdigest()
    True
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._columns = [_Column(field.type) for field in schema]
        self._rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of *batch*.

        Raises:
            ValueError: *batch* has a different schema.
        """
        if not batch.schema.equals(self._schema) and [f.type for f in batch.schema] != [f.type for f in self._schema]:
            raise ValueError(f"hashing {self._schema} got a batch of {batch.schema}")
        for column, values in zip(self._columns, batch.columns, strict=True):
            column.update(values)
        self._rows += batch.num_rows

    def hexdigest(self) -> str:
        """Return the hash of all rows so far: 64 hex characters."""
        total = hashlib.sha256(f"corpusmill logical hash 1\n{self._rows}\n".encode())
        for field, column in zip(self._schema, self._columns, strict=True):
            total.update(f"{field.name}\0{type_name(field.type)}\0{field.nullable}\n".encode())
            total.update(column.digest())
        return total.hexdigest()


class _Column:
    """The running hash of one column, or of one level of a nested one."""

    def __init__(self, kind: pa.DataType) -> None:
        self._validity = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._values = hashlib.sha256()
        self._children: list[_Column] = []
        if pa.types.is_struct(kind):
            self._children = [_Column(field.type) for field in kind]
        elif pa.types.is_map(kind):
            self._children = [_Column(kind.key_type), _Column(kind.item_type)]
        elif pa.types.is_list(kind):
            self._children = [_Column(kind.value_type)]

    def update(self, values: pa.Array) -> None:
        self._validity.update(np.asarray(values.is_valid()).astype(np.uint8).tobytes())
        kind = values.type
        if pa.types.is_struct(kind):
            for index, child in enumerate(self._children):
                child.update(pc.struct_field(values, index))
        elif pa.types.is_map(kind) or pa.types.is_list(kind):
            self._update_list(values)
        elif pa.types.is_string(kind) or pa.types.is_binary(kind):
            self._lengths.update(_int64(pc.binary_length(values)))
            if values.null_count:  # a null may have bytes in the data buffer
                values = values.fill_null("" if pa.types.is_string(kind) else b"")
            start, stop = _offsets(values)
            self._values.update(_data(values)[start:stop])
        elif pa.types.is_boolean(kind):
            self._values.update(np.asarray(values.fill_null(False)).astype(np.uint8).tobytes())
        else:
            self._values.update(_numbers(values))

    def _update_list(self, values: pa.Array) -> None:
        if pa.types.is_map(values.type):
            values = values.cast(pa.list_(pa.struct([("key", values.type.key_type), ("value", values.type.item_type)])))
        self._lengths.update(_int64(pc.list_value_length(values)))
        items = values.flatten()
        if len(self._children) == 2:
            for index, child in enumerate(self._children):
                child.update(pc.struct_field(items, index))
        else:
            self._children[0].update(items)

    def digest(self) -> bytes:
        parts = [self._validity.digest(), self._lengths.digest(), self._values.digest()]
        return hashlib.sha256(b"".join(parts + [child.digest() for child in self._children])).digest()


def column_digest(values: pa.Array) -> bytes:
    """Return a hash of *values* that depends neither on unused bytes of their buffers nor on where these begin.

    >>> column_digest(pa.array(["a", "b", "c"]).slice(1)) == column_digest(pa.array(["b", "c"]))
    True
    """
    column = _Column(values.type)
    column.update(values)
    return column.digest()


def _int64(lengths: pa.Array) -> bytes:
    return bytes(np.asarray(lengths.cast(pa.int64()).fill_null(0)).astype("<i8").tobytes())


def _offsets(values: pa.Array) -> tuple[int, int]:
    """Return the first byte of *values* in its data buffer, and the byte after the last."""
    offsets = np.frombuffer(values.buffers()[1] or b"", np.int32)
    if not len(offsets):
        return 0, 0
    return int(offsets[values.offset]), int(offsets[values.offset + len(values)])


def _data(values: pa.Array) -> memoryview:
    buffer = values.buffers()[2]
    return memoryview(buffer) if buffer is not None else memoryview(b"")


def _numbers(values: pa.Array) -> bytes:
    kind = values.type
    if pa.types.is_timestamp(kind):
        values = values.view(pa.int64())
    elif pa.types.is_date32(kind):
        values = values.view(pa.int32())
    array = np.asarray(values.fill_null(0))
    if array.dtype.kind == "f":
        array = array + 0.0  # turns -0.0 into 0.0, which is equal
        array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array)
    return bytes(array.astype(array.dtype.newbyteorder("<")).tobytes())


def logical_hash(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> str:
    """Return the logical hash of the table that consists of *batches*."""
    whole = LogicalHash(schema)
    for batch in batches:
        whole.update(batch)
    return whole.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the file at *path*, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """Return a hash of the JSON *value*: 40 hex characters."""
    return hashlib.sha256(canonical_json(value)).hexdigest()[:40]
