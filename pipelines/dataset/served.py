"""Let DuckDB read files of stores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Final

import duckdb

from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.interrupts import Handler, replaced_handlers
from corpusmill.schemas.storage import StoredFile

_INTERRUPTED: Final = "Query interrupted"
"""Message of the RuntimeError of DuckDB when a signal handler raises during a query."""


@contextlib.contextmanager
def serving(connection: duckdb.DuckDBPyConnection, files: Sequence[StoredFile]) -> Iterator[None]:
    """Let *connection* read the *files* that are not on this machine, by byte ranges, under their `sql_name`.

    Raises:
        UnfinishedError: The store does not answer.
        KeyboardInterrupt: A query was interrupted.
    """
    far = [file for file in files if file.store.path() is None]
    with _interruptible(connection), _served(connection, far) if far else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _interruptible(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """End a query of *connection* when the command is interrupted, and raise KeyboardInterrupt.

    Without this, DuckDB may continue the query after a signal handler raised, and then raise an error of its own.
    """

    def stopping_first(handler: Handler) -> Handler:
        def stop(number: int, frame: FrameType | None) -> None:
            connection.interrupt()
            handler(number, frame)

        return stop

    try:
        with replaced_handlers(stopping_first):
            yield
    except RuntimeError as error:
        if str(error) == _INTERRUPTED:
            raise KeyboardInterrupt from error
        raise


@contextlib.contextmanager
def _served(connection: duckdb.DuckDBPyConnection, far: Sequence[StoredFile]) -> Iterator[None]:
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
    """Return the path of *file* for DuckDB, as an SQL literal."""
    return quoted(file.address if file.store.path() is not None else f"corpusmill://{file.address}")


def quoted(text: str) -> str:
    """Return *text* as an SQL literal.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
