"""Tables of published versions as inputs of a plan: one task per file, identified by the hash of its content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.engines.base import Batches, Function, Scan
from corpusmill.pipelines.engines.batches import conform
from corpusmill.pipelines.engines.plan import ScanTask
from corpusmill.pipelines.stages.assemble import schema_as_hex, schema_from_hex
from corpusmill.pipelines.stages.base import TableInput
from corpusmill.schemas.errors import DamagedFileError, RecipeError
from corpusmill.schemas.manifest import ShardFile, SideFile
from corpusmill.schemas.storage import located

_BATCH_ROWS: Final = 1024
"""Rows read at once; few, because texts may be among the columns."""
_HINT: Final = "`corpusmill doctor --verify` lists damaged files; copy the version again or use another one"
FindVersion: TypeAlias = Callable[[str | None], Version | None]
"""Looks up the version that a `TableInput` names; None for the parent of a first run."""


class ReadTable(Function):
    """Reads Parquet files. Each input row has the `address` of one file.

    Args:
        columns: Schema of the columns to read, serialized as hexadecimal digits.
    """

    depends = ("pyarrow",)

    columns: str

    def build(self) -> Callable[[Batches], Batches]:
        schema = schema_from_hex(self.columns)

        def run(batches: Batches) -> Batches:
            for batch in batches:
                for row in batch.to_pylist():
                    yield from _rows(row["address"], row["sha256"], schema)

        return run


def _rows(address: str, sha256: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the columns of *schema* of a file. A local file is first compared with its SHA-256.

    Raises:
        DamagedFileError: The file is missing, or differs from the version's manifest.
    """
    store, key = located(address)
    try:
        if store.path() is not None and store.sha256(key) != sha256:
            raise DamagedFileError("the file differs from the manifest", file=address, hint=_HINT)
        with store.open(key) as opened, pq.ParquetFile(opened, pre_buffer=False) as file:
            for piece in file.iter_batches(batch_size=_BATCH_ROWS, columns=schema.names, use_threads=False):
                yield conform(piece, schema)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(f"the table of a version cannot be read: {error}", file=address, hint=_HINT) from error


def first_rows(table: TableInput, version: Version) -> list[dict[str, Any]]:
    """Return the first row of the table of *version* that the input names; none if it has no row or no such column.

    Raises:
        DamagedFileError: A file is missing or cannot be read.
    """
    names = [*table.columns.names, *table.described_by]
    for file in version.stored(table.kind):
        try:
            with file.open() as opened, pq.ParquetFile(opened, pre_buffer=False) as parquet:
                if set(names) <= set(parquet.schema_arrow.names):
                    for batch in parquet.iter_batches(batch_size=1, columns=names):
                        return list(batch.to_pylist())
        except (pa.ArrowException, OSError) as error:
            problem = f"the table of a version cannot be read: {error}"
            raise DamagedFileError(problem, file=file.address, hint=_HINT) from error
    return []


def table_scan(name: str, table: TableInput, version: Version | None) -> tuple[Scan, tuple[ScanTask, ...]]:
    """Return the scan *name* of the table of *version* that the input names, and its tasks; none without a version.

    Raises:
        RecipeError: The version has no such table, or the table lacks a column.
    """
    scan = Scan(name=name, function=ReadTable(columns=schema_as_hex(table.columns)), schema=table.columns)
    if version is None:
        return scan, ()
    files = version.stored(table.kind)
    if not files:
        kinds = sorted({"shard", *(file.kind for file in version.manifest.side_files)})
        raise RecipeError(f"{version.name} has no table `{table.kind}`", hint=f"available tables: {', '.join(kinds)}")
    try:
        with files[0].open() as opened:
            there = pq.read_schema(opened)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(
            f"the table of a version cannot be read: {error}", file=files[0].address, hint=_HINT
        ) from error
    for column in table.columns:
        kind = there.field(column.name).type if column.name in there.names else None
        if kind != column.type:
            raise RecipeError(
                f"the table `{table.kind}` of {version.name} has no column `{column.name}` of type {column.type}",
                hint=f"available columns: {', '.join(f'{field.name} ({field.type})' for field in there)}",
            )
    listed: list[ShardFile | SideFile] = [*version.manifest.files, *version.manifest.side_files]
    known = {file.path: file for file in listed}
    return scan, tuple(
        ScanTask(
            ({"address": file.address, "sha256": known[file.key].sha256},),
            {"content": known[file.key].logical_hash},
        )
        for file in files
    )
