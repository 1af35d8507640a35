"""Parquet: one record per row."""

from __future__ import annotations

import base64
import contextlib
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from corpusmill.crawlers.loaders.base import MIN_PACKED_SLICE_BYTES, Offers, slice_bytes
from corpusmill.crawlers.loaders.rows import FILE, MAX_DEPTH, RowLoader, offer_of
from corpusmill.crawlers.loaders.streams import file_size, open_file, random_access, refuse_shorter, sha256_of
from corpusmill.crawlers.loaders.vectors import float32_rows, is_list_of_numbers
from corpusmill.schemas.errors import CorpusmillError, DataError, SourceError, UnfinishedError

_MAX_ROWS: Final = 1024
_BATCH_BYTES: Final = 8_000_000
_MAX_CUTS: Final = 8
"""Maximum number of slices of a row group: reading a slice requires decoding the rows before it."""


class Parquet(RowLoader):
    """Rows with a text column. All other columns are part of the record's hash and its metadata.

    Values have the same form as in JSON Lines: times are ISO 8601 (in microseconds; with a zone, in UTC with ``Z``),
    bytes are base64, decimals are text, durations are seconds; numbers that are not finite are null. The column
    `vector_field` is a list of numbers and is not added to the metadata.
    """

    version: ClassVar[int] = 3
    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")

    text_field: str = Field(default="text", min_length=1, description="Column that contains the text.")
    id_field: str | None = Field(
        default=None, min_length=1, description="Column with the id of a record; `id` if it exists.", examples=["id"]
    )

    def check(self, path: str) -> None:
        """Check the columns in the file's footer; a damaged file is set aside when it is read."""
        with contextlib.suppress(BrokenTableError):
            _open(path, self).close()

    def records(self, path: str) -> int | None:
        """Return the rows of the file, from its footer."""
        try:
            with _open(path, self) as file:
                return int(file.metadata.num_rows)
        except BrokenTableError:
            return None

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return slices that keep small row groups whole and split large ones by rows; a damaged file has one slice."""
        size = file_size(path)
        step = slice_bytes(size, at_least=MIN_PACKED_SLICE_BYTES)
        try:
            with _open(path, self) as file:
                groups = _groups(file.metadata)
        except BrokenTableError:
            return [(0, size)]
        starts: list[int] = []
        for group in groups:
            if not starts or group.start + group.size - starts[-1] > step:
                count = max(1, min(_MAX_CUTS, group.rows, round(group.size / step)))
                starts += [group.position(group.rows * index // count) for index in range(count)]
        edges = {*starts, *(group.start + group.size for group in groups[-1:])}
        return list(pairwise(sorted(edges))) or [(0, -1)]

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows with a position in ``[start, end)``; `offset` is the first byte of their row group.

        The unreadable part of a file or row group becomes one row, at the position of its first row.

        Raises:
            DamagedFileError: The file has become shorter since the slices were computed.
        """
        offers = Offers()
        naming, vectors = self.naming(name, counts), self.vectors(counts)
        try:
            with _open(path, self) as file:
                for group in _groups(file.metadata):
                    try:
                        for row in _rows(file, group, group.rows_in(start, end), self.vector_field):
                            offer = offer_of(row, text_field=self.text_field, naming=naming, vectors=vectors)
                            yield from offers.add(**offer, offset=group.start)
                    except BrokenTableError as error:
                        refuse_shorter(path, end)
                        yield from offers.add(**_broken(path, error, group.start, group.start + group.size))
        except BrokenTableError as error:
            refuse_shorter(path, end)
            if start == 0:
                yield from offers.add(**_broken(path, error, 0, file_size(path)))
        yield from offers.rest()


class BrokenTableError(DataError):
    """A Parquet file, or a row group of it, is damaged."""


class _Group(NamedTuple):
    """A row group with rows. Each row has a position in the file, in bytes, as if all rows had the same size."""

    number: int
    start: int
    size: int
    rows: int
    bytes_a_row: int

    def position(self, row: int) -> int:
        return self.start + self.size * row // self.rows

    def rows_in(self, start: int, end: int) -> range:
        """Return the rows with a position in ``[start, end)``."""
        first = bisect_left(range(self.rows), start, key=self.position)
        return range(first, self.rows if end < 0 else bisect_left(range(self.rows), end, key=self.position))


def _groups(metadata: pq.FileMetaData) -> list[_Group]:
    """Return the row groups that have rows, in the order of their offsets in the file."""
    groups = []
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        if group.num_rows:
            size = sum(group.column(column).total_compressed_size for column in range(group.num_columns))
            bytes_a_row = max(1, group.total_byte_size // group.num_rows)
            groups.append(_Group(index, _first_byte(group), max(1, size), group.num_rows, bytes_a_row))
    return sorted(groups, key=lambda group: group.start)


def _open(path: str, loader: Parquet) -> pq.ParquetFile:
    open_file(path).close()  # its errors are more precise than those of the Parquet reader
    try:
        file = pq.ParquetFile(random_access(path), pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _broken_table("not a readable Parquet file", error, path) from error
    try:
        _require_shallow(file.schema_arrow, path)
        _require_own_names(file.schema_arrow.names, path)
        _require(file.schema_arrow, loader.text_field, "text_field", path)
        if loader.id_field is not None:
            _require(file.schema_arrow, loader.id_field, "id_field", path)
        for part in loader.id_from or ():
            if part != FILE:
                _require(file.schema_arrow, part, "id_from", path)
        _require_text(file.schema_arrow.field(loader.text_field), path)
        if loader.vector_field is not None:
            _require_vectors(file.schema_arrow, loader.vector_field, path)
    except SourceError:
        file.close()
        raise
    return file


def _require(schema: pa.Schema, name: str, key: str, path: str) -> None:
    if name not in schema.names:
        columns = ", ".join(f"`{column}`" for column in schema.names)
        nearest = next(iter(get_close_matches(name, schema.names, n=1, cutoff=0.5)), None) or _likely_text_column(
            schema
        )
        raise SourceError(
            f"has no column `{name}`; it has {columns or 'none'}",
            file=path,
            field=key,
            value=name,
            hint=f"{key}: {nearest}" if nearest else "use a file that has a text column",
        )


def _require_text(field: pa.Field, path: str) -> None:
    if not _is_text(field.type):
        raise SourceError(
            f"column `{field.name}` has the type {field.type}, not text",
            file=path,
            field="text_field",
            value=field.name,
            hint="set `text_field` to a text column",
        )


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


def _require_own_names(names: Sequence[str], path: str) -> None:
    """Refuse a table with repeated column names, because one column would hide the other in a row."""
    repeated = next((name for name, count in Counter(names).items() if count > 1), None)
    if repeated is not None:
        raise SourceError(
            f"two columns have the name `{repeated}`",
            file=path,
            value=repeated,
            hint="write the file again with a different name for each column",
        )


def _children(kind: pa.DataType) -> list[pa.DataType]:
    if pa.types.is_struct(kind):
        return [field.type for field in kind]
    if pa.types.is_map(kind):
        return [kind.key_type, kind.item_type]
    return [kind.value_type] if pa.types.is_nested(kind) and hasattr(kind, "value_type") else []


def _likely_text_column(schema: pa.Schema) -> str | None:
    """Return a text column to propose: one with a common name for text, else the first; None if there is none."""
    columns = [field.name for field in schema if _is_text(field.type)]
    usual = ("content", "contents", "body", "article", "document", "raw_content", "markdown")
    return next((name for name in usual if name in columns), next(iter(columns), None))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _first_byte(row_group: pq.RowGroupMetaData) -> int:
    """Return the offset of a row group: the first page of its first column, which can be a dictionary page."""
    if not row_group.num_columns:
        return 0
    column = row_group.column(0)
    pages = [column.dictionary_page_offset, column.data_page_offset]
    return int(min(page for page in pages if page))


def _rows(
    file: pq.ParquetFile, group: _Group, selected: range, vector_field: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the *selected* rows of a row group; the rows before them are decoded and dropped.

    The values of the column *vector_field* are arrays of float32.

    Raises:
        BrokenTableError: One of the selected rows cannot be decoded.
    """
    if not selected:
        return
    size = max(1, min(_MAX_ROWS, _BATCH_BYTES // group.bytes_a_row))
    position = 0
    try:
        for batch in file.iter_batches(batch_size=size, row_groups=[group.number], use_threads=False):
            first, last = max(position, selected.start), min(position + batch.num_rows, selected.stop)
            if first < last:
                kept = batch.slice(first - position, last - first)
                names = batch.schema.names
                columns = [
                    float32_rows(column) if name == vector_field else _values(column)
                    for name, column in zip(names, kept.columns, strict=True)
                ]
                for row in zip(*columns, strict=True):
                    yield dict(zip(names, row, strict=True))
            position += batch.num_rows
            if position >= selected.stop:
                return
    except (pa.ArrowException, OSError) as error:
        broken = _broken_table(f"row group {group.number} cannot be read", error)
        if position >= selected.start or not isinstance(broken, BrokenTableError):
            raise broken from error
        # else the damage is before these rows: an earlier slice reports it for all later rows


def _broken_table(problem: str, error: Exception, path: str | None = None) -> CorpusmillError:
    """Return the error for a table that cannot be read: it is damaged, or a disk or store does not respond."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        return BrokenTableError(f"{problem}: {_one_line(error)}", kind="damaged")
    return UnfinishedError(
        f"reading stopped: {os.strerror(number)}",
        file=path,
        hint="check the disk or mount of the file, then run the same command",
    )


def _broken(path: str, error: BrokenTableError, start: int, end: int) -> dict[str, Any]:
    """Return the row for the unreadable bytes ``[start, end)`` of the file at *path*."""
    digest = sha256_of(path, start=start, end=end)
    return {
        "source_id": digest,
        "record_sha256": digest,
        "rule": error.rule,
        "message": error.message,
        "offset": start,
        "length": end - start,
    }


def _values(column: pa.Array) -> list[Any]:
    """Return the values of *column* in their JSON form."""
    kind = _with_leaves(column.type, _in_microseconds)
    if kind != column.type:
        column = column.cast(kind, safe=False)
    values = _as_python(column)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or _is_text(kind):
        return values
    return [_json_value(value) for value in values]


def _as_python(column: pa.Array) -> list[Any]:
    """Return the values of *column* as Python objects.

    Parquet does not check that strings are UTF-8. Invalid bytes become lone surrogates, which `offer_of` replaces; in
    the text or the id, it sets the record aside.
    """
    try:
        values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
        return values
    except UnicodeDecodeError:
        kind = _with_leaves(column.type, _without_dictionary)
        bytes_of_texts = column.cast(kind).cast(_with_leaves(kind, _as_bytes))
        return [_as_text(value, kind) for value in bytes_of_texts.to_pylist(maps_as_pydicts="lossy")]


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
    return value.decode(errors="surrogateescape") if _is_text(kind) else value


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
    return pa.large_binary() if _is_text(kind) else kind


def _json_value(value: Any) -> Any:
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
            return {str(_json_value(key)): _json_value(item) for key, item in value.items()}
        case _:
            return [_json_value(item) for item in value]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
