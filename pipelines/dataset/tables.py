"""Open the files of versions as DuckDB tables, without access to anything else on the machine."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import Final

import duckdb
import pyarrow as pa

from corpusmill.pipelines.dataset.served import quoted, serving, sql_name
from corpusmill.pipelines.dataset.version import Version
from corpusmill.schemas.document import DOCUMENT, LEDGER, ORIGIN
from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.storage import StoredFile

MEMORY_LIMIT: Final = "1GB"
"""Memory that DuckDB may use before it spills to disk."""
_SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "memory_limit": MEMORY_LIMIT,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}
_EMPTY: Final = {
    "shard": DOCUMENT,
    "ledger": LEDGER,
    "signals": pa.schema([pa.field("id", pa.string())]),
    "origin": ORIGIN,
}
"""Columns of a table without files."""


@contextlib.contextmanager
def open_tables(views: Mapping[str, tuple[Version, str]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with a view for each name in *views*, over the files of one kind of a version.

    The connection can read only those files: no other file, network, extension or Python object. Its configuration is
    locked.

    Raises:
        DamagedFileError: A file is missing or is not a Parquet file.
    """
    files = {name: version.stored(kind) for name, (version, kind) in views.items()}
    with _opened(files, {name: kind for name, (_, kind) in views.items()}) as connection:
        yield connection


@contextlib.contextmanager
def _opened(files: Mapping[str, list[StoredFile]], kinds: Mapping[str, str]) -> Iterator[duckdb.DuckDBPyConnection]:
    everything = [file for of_view in files.values() for file in of_view]
    with (
        tempfile.TemporaryDirectory(prefix="corpusmill-") as scratch,
        contextlib.closing(duckdb.connect(config=_SETTINGS)) as connection,
        serving(connection, everything),
    ):
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET temp_directory = {quoted(scratch)}")
        _confine(connection, everything, scratch)
        for name, of_view in files.items():
            _define(connection, name, of_view, _EMPTY[kinds[name]])
        yield connection


def _confine(connection: duckdb.DuckDBPyConnection, files: list[StoredFile], scratch: str) -> None:
    connection.execute(f"SET allowed_paths = [{', '.join(map(sql_name, files))}]")
    connection.execute(f"SET allowed_directories = [{quoted(scratch + '/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _define(connection: duckdb.DuckDBPyConnection, name: str, files: list[StoredFile], empty: pa.Schema) -> None:
    if not files:
        connection.register(name, empty.empty_table())
        return
    listed = ", ".join(map(sql_name, files))
    try:
        connection.execute(f"CREATE VIEW {identifier(name)} AS SELECT * FROM read_parquet([{listed}])")
    except duckdb.Error as error:
        raise DamagedFileError(f"the files cannot be read: {error}", file=files[0].store.address()) from error


@contextlib.contextmanager
def time_limit(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Stop a query that takes longer than *seconds*.

    Raises:
        UsageError: The time is over.
    """
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise UsageError(f"the query took longer than {seconds:g} s", hint="select less, or raise --timeout") from error
    finally:
        timer.cancel()
        timer.join()


def identifier(name: str) -> str:
    """Return *name* as an SQL identifier.

    >>> identifier("gopher.word_count")
    '"gopher.word_count"'
    """
    return '"' + name.replace('"', '""') + '"'
