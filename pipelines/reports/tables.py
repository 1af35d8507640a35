"""Open the files of a version as DuckDB tables, in bounded memory and without access to other files."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.pipelines.dataset.created import created_rules
from corpusmill.pipelines.dataset.served import quoted, serving, sql_name
from corpusmill.pipelines.dataset.version import Version
from corpusmill.schemas.document import DOCUMENT, LEDGER
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.manifest import VersionManifest
from corpusmill.schemas.storage import Store, StoredFile, open_store

MEMORY_LIMIT: Final = "768MB"
"""Memory that DuckDB may use before it spills to disk."""
THREADS: Final = 2
_SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": THREADS,
    "memory_limit": MEMORY_LIMIT,
    "preserve_insertion_order": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_FACTS: Final = """
    SELECT source, domain, language, license, license_source, split, strlen(text) AS bytes, char_count, word_count,
        cluster_size, epoch_us(published_at) AS published_us, epoch_us(fetched_at) AS fetched_us
    FROM shards
"""
_SIGNALS: Final = """
    SELECT coalesce(measured.id, kept.id) AS id, kept.id IS NOT NULL AS published,
        kept.id IS NOT NULL OR copies.id IS NOT NULL AS passed, kept.language_score, measured.* EXCLUDE (id)
    FROM measured
    FULL JOIN (SELECT id, language_score FROM shards) AS kept ON measured.id = kept.id
    LEFT JOIN (SELECT DISTINCT id FROM ledger WHERE duplicate_of IS NOT NULL) AS copies ON measured.id = copies.id
"""


@dataclass(frozen=True)
class Tables:
    """A connection with the views `shards`, `ledger` (of records) and those of side tables, and two tables.

    `documents` has a row for each published document, with its numbers and labels but without id and text; times are
    microseconds since 1970. `signals` has a row for each document that was measured or published: `id`, `published`,
    `passed` (published, or removed only as a copy), and its signals, including `language_score`.
    """

    connection: duckdb.DuckDBPyConnection
    signals: tuple[str, ...]
    """Names of the signals."""

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of *query* as dictionaries."""
        result = self.connection.execute(query, parameters)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def row(self, query: str, *parameters: Any) -> dict[str, Any]:
        """Return the only row of *query*."""
        (only_row,) = self.rows(query, *parameters)
        return only_row


@contextlib.contextmanager
def open_tables(version: Store | Path, manifest: VersionManifest) -> Iterator[Tables]:
    """Open the tables of the *version* in a folder or store; scratch files are in a temporary folder.

    Raises:
        DamagedFileError: A file of the manifest is missing or is not a Parquet file.
    """
    store = open_store(version)
    files = _files(store, manifest)
    created = created_rules(Version(store.url, manifest))
    everything = [file for of_kind in files.values() for file in of_kind]
    signals = _signal_names(files["signals"])
    with (
        tempfile.TemporaryDirectory(prefix="corpusmill-report-") as scratch,
        contextlib.closing(duckdb.connect(f"{scratch}/report.duckdb", config=_SETTINGS)) as connection,
        serving(connection, everything),
    ):
        _confine(connection, everything, scratch)
        _define(connection, files, manifest, created)
        yield Tables(connection, signals)


def _files(version: Store, manifest: VersionManifest) -> dict[str, list[StoredFile]]:
    files: dict[str, list[StoredFile]] = {"shards": [], "ledger": [], "signals": [], "origin": []}
    for shard in manifest.files:
        files["shards"].append(StoredFile(version, shard.path, shard.bytes))
    for side in manifest.side_files:
        files.setdefault(side.kind, []).append(StoredFile(version, side.path, side.bytes))
    for file in (file for of_kind in files.values() for file in of_kind):
        _check_readable(file)
    return files


def _check_readable(file: StoredFile) -> None:
    """Read the footer of *file*, so that an error names the file."""
    try:
        with file.open() as opened:
            pq.read_metadata(opened)
    except FileNotFoundError as error:
        message = "the file is in the manifest but not in the folder"
        raise DamagedFileError(message, file=file.address) from error
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(f"not a complete Parquet file: {error}", file=file.address) from error


def _signal_names(files: list[StoredFile]) -> tuple[str, ...]:
    """Return the names of the numeric and Boolean signals in *files*, which all have the same schema."""
    return ("language_score", *(column.name for column in _columns(files) if _is_number(column.type)))


def _columns(files: list[StoredFile]) -> pa.Schema:
    """Return the columns of *files*, which all have the same schema."""
    return read_schema(files[0]) if files else pa.schema([])


def read_schema(file: StoredFile) -> pa.Schema:
    """Return the columns of *file*."""
    with file.open() as opened:
        return pq.read_schema(opened)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _confine(connection: duckdb.DuckDBPyConnection, files: list[StoredFile], scratch: str) -> None:
    connection.execute(f"SET temp_directory = {quoted(scratch)}")
    connection.execute(f"SET allowed_paths = [{', '.join(map(sql_name, files))}]")
    connection.execute(f"SET allowed_directories = [{quoted(f'{scratch}/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _define(
    connection: duckdb.DuckDBPyConnection,
    files: dict[str, list[StoredFile]],
    manifest: VersionManifest,
    created: Sequence[str],
) -> None:
    """Define the views and tables; ledger rows with a rule in *created* are not records and are left out."""
    for name, schema in (("shards", DOCUMENT), ("ledger", LEDGER)):
        records = f" WHERE rule NOT IN ({', '.join(map(quoted, created))})" if name == "ledger" and created else ""
        connection.execute(f"CREATE VIEW {name} AS {_source(files[name], schema)}{records}")
    connection.execute(f"CREATE VIEW measured AS {_measured(files['signals'])}")
    for name in manifest.side_tables():
        connection.execute(f"CREATE VIEW {identifier(name)} AS {_source(files[name], pa.schema([]))}")
    try:
        connection.execute(f"CREATE TABLE documents AS {_FACTS}")
        connection.execute(f"CREATE TABLE signals AS {_SIGNALS}")
    except duckdb.Error as error:
        first = manifest.files[0].path if manifest.files else None
        raise DamagedFileError(f"the shards cannot be read: {error}", file=first) from error


def _measured(files: list[StoredFile]) -> str:
    """Return a query for the numeric signals; Boolean ones become 0 or 1."""
    source = _source(files, pa.schema([("id", pa.string())]))
    columns = [
        f"{identifier(column.name)}::TINYINT AS {identifier(column.name)}"
        if pa.types.is_boolean(column.type)
        else identifier(column.name)
        for column in _columns(files)
        if _is_number(column.type)
    ]
    return f"SELECT {', '.join(['id', *columns])} FROM ({source})"


def _source(files: list[StoredFile], schema: pa.Schema) -> str:
    """Return a query for the rows of *files*; without files, it has no rows."""
    if files:
        return f"SELECT * FROM read_parquet([{', '.join(map(sql_name, files))}])"
    types = {pa.string(): "VARCHAR", pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.float32(): "FLOAT"}
    columns = [f"NULL::{types.get(field.type, 'TIMESTAMPTZ')} AS {identifier(field.name)}" for field in schema]
    return f"SELECT {', '.join(columns)} WHERE false"


def identifier(name: str) -> str:
    """Return *name* as an SQL identifier.

    >>> identifier("gopher.word_count")
    '"gopher.word_count"'
    """
    return '"' + name.replace('"', '""') + '"'
