"""Parquet: one record per row."""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.arrow_values import values
from corpusmill.crawlers.loaders.base import MIN_PACKED_SLICE_BYTES, Offers, slice_bytes
from corpusmill.crawlers.loaders.parquet_encryption import has_encrypted_columns
from corpusmill.crawlers.loaders.rows import TEXT_FIELD_DESCRIPTION, RowLoader, offer_of
from corpusmill.crawlers.loaders.streams import file_size, open_file, random_access, refuse_shorter, sha256_of
from corpusmill.crawlers.loaders.table_columns import require_columns
from corpusmill.crawlers.loaders.vectors import float32_rows
from corpusmill.schemas.errors import CorpusmillError, DataError, SourceError, UnfinishedError

_MAGIC: Final = b"PAR1"
_ENCRYPTED_MAGIC: Final = b"PARE"
_MAX_ROWS: Final = 1024
_BATCH_BYTES: Final = 8_000_000
_LARGE_GROUP_BYTES: Final = 64 * 2**20
"""Content of a row group above which its columns are read in pieces; otherwise each is read at once."""
_BUFFER_BYTES: Final = 1 << 20
_MAX_CUTS: Final = 8
"""Maximum number of slices of a row group: reading a slice requires decoding the rows before it."""


class Parquet(RowLoader):
    """Rows with a text column. All other columns are part of the record's hash and its metadata.

    Values have the same form as in JSON Lines: times are ISO 8601 (in microseconds; with a zone, in UTC with ``Z``),
    bytes are base64, decimals are text, durations are seconds; numbers that are not finite are null. The column
    `vector_field` is a list of numbers and is not added to the metadata.
    """

    about: ClassVar[About] = About(
        license="A field `license`, else `license` in the recipe.",
        get="Data sets on huggingface.co have these files.",
        tried="Samples of data-prep-kit and C4, and all types of pyarrow.",
    )
    version: ClassVar[int] = 3
    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")

    text_field: str = Field(default="text", min_length=1, description=TEXT_FIELD_DESCRIPTION)
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
    with open_file(path) as plain:  # its errors are more precise than those of the Parquet reader
        head = plain.peek(len(_MAGIC))[: len(_MAGIC)]
        if not head:
            raise BrokenTableError("not a readable Parquet file: it is empty", kind="empty")
        if not (_MAGIC.startswith(head) or head == _ENCRYPTED_MAGIC):
            raise BrokenTableError("not a Parquet file: it does not begin with `PAR1`", kind="wrong_format")
        try:
            file = pq.ParquetFile(random_access(path), pre_buffer=False)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _broken_table("not a readable Parquet file", error, path) from error
        try:
            is_encrypted = has_encrypted_columns(plain, file.metadata.created_by)
        except UnicodeDecodeError as error:
            file.close()
            raise _broken_table("not a readable Parquet file", error, path) from error
        if is_encrypted:
            file.close()
            raise BrokenTableError("columns of the file are encrypted", kind="encrypted")
    if _largest_group(file.metadata) > _LARGE_GROUP_BYTES:
        metadata = file.metadata
        file.close()
        file = pq.ParquetFile(random_access(path), metadata=metadata, pre_buffer=False, buffer_size=_BUFFER_BYTES)
    try:
        require_columns(file.schema_arrow, loader, path)
    except UnicodeDecodeError as error:
        file.close()
        raise _broken_table("not a readable Parquet file", error, path) from error
    except SourceError:
        file.close()
        raise
    return file


def _largest_group(metadata: pq.FileMetaData) -> int:
    return max((metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)), default=0)


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
                    float32_rows(column) if name == vector_field else values(column)
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
        kind = "encrypted" if "encrypted metadata" in str(error) else "damaged"
        return BrokenTableError(f"{problem}: {_one_line(error)}", kind=kind)
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


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
