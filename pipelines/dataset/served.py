"""Files of stores in queries of DuckDB."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import duckdb

from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.storage import StoredFile


@contextlib.contextmanager
def serving(connection: duckdb.DuckDBPyConnection, files: Sequence[StoredFile]) -> Iterator[None]:
    """Let *connection* read those of *files* that do not lie on this machine, by ranges, under their `sql_name`.

    Raises:
        UnfinishedError: The store does not answer.
    """
    far = [file for file in files if file.store.path() is None]
    if not far:
        yield
        return
    from corpusmill.schemas.storage.served import PROTOCOL, ServedFiles

    served = ServedFiles(far)
    connection.register_filesystem(served)
    try:
        yield
    except (duckdb.Error, DamagedFileError, UsageError) as error:
        if served.failure is not None:
            raise served.failure from error
        raise
    finally:
        connection.unregister_filesystem(PROTOCOL)


def sql_name(file: StoredFile) -> str:
    """Return what DuckDB calls *file*, as a literal of SQL."""
    return quoted(file.address if file.store.path() is not None else f"corpusmill://{file.address}")


def quoted(text: str) -> str:
    """Give *text* as a literal of SQL.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
