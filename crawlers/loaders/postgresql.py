"""PostgreSQL: the rows of a query, read through a cursor of the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.exported import Exported
from corpusmill.crawlers.loaders.table_columns import require_own_names
from corpusmill.schemas.errors import MissingExtraError, SourceError, UnfinishedError

_ROWS: Final = 1000
_CONNECT_S: Final = 10


class Postgresql(Exported):
    """Rows of a query. `path` is the address of the database, best from the environment: `path: ${DATABASE_URL}`.

    `load` runs the query in a transaction that only reads, and exports its rows to compressed JSON Lines in the
    workspace, from which runs read. `refresh` exports them again. Needs the extra `postgresql`.
    """

    extra: ClassVar[str | None] = "postgresql"
    about: ClassVar[About] = About(
        license="A column `license`, else `license` in the recipe.",
        get="Any PostgreSQL server: `path: postgresql://user@host/database`; the password comes from the environment.",
        tried="PostgreSQL 15 with texts, numbers, times, JSON, arrays and bytes.",
    )

    query: str = Field(
        default="SELECT * FROM documents",
        min_length=1,
        description="SELECT statement whose rows are the records.",
        examples=["SELECT id, title, body AS text FROM articles"],
    )

    def tables(self, address: str) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
        """Yield the rows of the query, under the name of the database."""
        name = urlsplit(address).path.strip("/") or "postgresql"
        yield name, self._rows(address)

    def _rows(self, address: str) -> Iterator[Mapping[str, Any]]:
        try:
            import psycopg
            from psycopg.rows import dict_row
        except ImportError as error:
            raise MissingExtraError.of("postgresql", "psycopg") from error
        shown = _without_password(address)
        try:
            with psycopg.connect(address, connect_timeout=_CONNECT_S, row_factory=dict_row) as connection:
                connection.read_only = True
                _accept_all_times(connection.adapters)
                connection.execute("SET LOCAL TimeZone = 'UTC'")
                connection.execute("SET LOCAL DateStyle = 'ISO'")
                with connection.cursor(name="corpusmill") as cursor:
                    cursor.itersize = _ROWS
                    cursor.execute(self.query.encode())
                    require_own_names([column.name for column in cursor.description or ()], shown)
                    for row in cursor:
                        yield {column: _plain(value) for column, value in row.items()}
        except (psycopg.ProgrammingError, psycopg.DataError, psycopg.InternalError) as error:
            reason = " ".join(str(error).split())
            raise SourceError(
                f"the query fails: {reason}", file=shown, field="query", value=self.query, hint="try it with `psql`"
            ) from error
        except psycopg.OperationalError as error:
            reason = " ".join(str(error).split())
            raise UnfinishedError(f"{reason}", file=shown, hint="check the address and the server") from error


def _accept_all_times(adapters: Any) -> None:
    """Let times that Python has not, such as ``infinity`` and ``24:00:00``, be text in the form of PostgreSQL."""
    from psycopg import DataError
    from psycopg.types import datetime

    def with_text(loader: Any) -> Any:
        class Lenient(loader):  # type: ignore[misc]
            def load(self, data: Any) -> Any:
                try:
                    return super().load(data)
                except DataError:
                    return bytes(data).decode()

        return Lenient

    loaders = {
        **{"date": datetime.DateLoader, "time": datetime.TimeLoader, "timetz": datetime.TimetzLoader},
        **{"timestamp": datetime.TimestampLoader, "timestamptz": datetime.TimestamptzLoader},
        "interval": datetime.IntervalLoader,
    }
    for name, loader in loaders.items():
        adapters.register_loader(name, with_text(loader))


def _without_password(address: str) -> str:
    """Return *address* as it may be shown.

    >>> _without_password("postgresql://me:secret@db.example/corpus")
    'postgresql://me@db.example/corpus'
    """
    parts = urlsplit(address)
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{parts.hostname or ''}{parts.path}"


def _plain(value: Any) -> Any:
    """Return a value of a column as a type that has a form in JSON."""
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, dict | list | str | int | float | bytes) or value is None:
        return value
    try:
        from corpusmill.crawlers.loaders.arrow_values import json_value

        return json_value(value)
    except TypeError:  # addresses, ranges and other types of PostgreSQL
        return str(value)
