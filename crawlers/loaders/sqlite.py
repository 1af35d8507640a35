"""SQLite: the rows of a table, or of a query."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote

import pyarrow as pa
from pydantic import Field, model_validator

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.arrow_values import json_value
from corpusmill.crawlers.loaders.base import Offers
from corpusmill.crawlers.loaders.rows import TEXT_FIELD_DESCRIPTION, RowLoader, offer_of
from corpusmill.crawlers.loaders.streams import is_compressed, open_decompressed, packed, pieces, sha256_of
from corpusmill.crawlers.loaders.table_columns import require_own_names
from corpusmill.schemas.archive_paths import is_member
from corpusmill.schemas.errors import DataError, SourceError
from corpusmill.schemas.identity import capture_hash
from corpusmill.schemas.problems import HintedValueError, nearest
from corpusmill.schemas.storage import is_url
from corpusmill.schemas.storage.cache import cached, scratch_folder

MAGIC: Final = b"SQLite format 3\0"
_HEAD_BYTES: Final = 4096
_MIN_RANDOM_BYTES: Final = 250
"""Different bytes in the first `_HEAD_BYTES` of an encrypted file; all 256 are expected."""
_PRAGMAS_OF_INDEXES: Final = frozenset(("data_version",))
"""What a full-text index runs when it is read."""
_ALLOWED: Final = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)
_MAX_STEPS: Final = 10_000_000_000
"""Instructions of SQLite's virtual machine between two rows, about two minutes; sorting 10 M rows takes fewer."""
_STEPS: Final = 1_000_000
_SAMPLE_ROWS: Final = 200
_HIDDEN: Final = 1
"""How `table_xinfo` marks a hidden column of a virtual table."""


class Sqlite(RowLoader):
    """Rows of a table or of a query in an SQLite database, which is only read.

    Without `table` and `query`, the database must have one table. Numbers have the form of JSON, and bytes are base64;
    a text field with bytes, or with text that is not UTF-8, is set aside.
    """

    suffixes: ClassVar[tuple[str, ...]] = packed(".sqlite", ".sqlite3", ".db", ".db3")
    about: ClassVar[About] = About(
        license="A column `license`, else `license` in the recipe.",
        get="Any SQLite database; datasette and many applications write them.",
        tried="Databases of Python's sqlite3: tables with and without row ids, views, queries, damaged ones.",
    )

    text_field: str = Field(default="text", min_length=1, description=TEXT_FIELD_DESCRIPTION)
    id_field: str | None = Field(
        default="id", min_length=1, description="Column with the id of a record; it may be missing.", examples=["id"]
    )
    table: str | None = Field(default=None, min_length=1, description="Table to read.", examples=["articles"])
    query: str | None = Field(
        default=None,
        min_length=1,
        description="SELECT statement whose rows are read, instead of `table`.",
        examples=["SELECT id, title, body AS text FROM articles"],
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* is an SQLite database."""
        return head.startswith(MAGIC)

    @classmethod
    def sample(cls, path: str) -> list[dict[str, Any]]:
        """Return the first rows of the only table of the database at *path*."""
        with _connection(path) as connection:
            restart = _limit_work(connection)
            cursor = _executed(connection, cls(), path)
            columns = [column[0] for column in cursor.description]
            return [
                {name: value for name, value in zip(columns, row, strict=True) if isinstance(value, str | int)}
                for row in islice(_rows(cursor, restart), _SAMPLE_ROWS)
            ]

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if self.table is not None and self.query is not None:
            raise HintedValueError("`table` and `query` exclude each other", hint="remove one of them", at=("query",))
        return self

    def check(self, path: str) -> None:
        """Check the query and its columns; a damaged file is set aside when it is read."""
        with contextlib.suppress(DataError), _connection(path) as connection:
            _limit_work(connection)
            _cursor(connection, self, path).close()

    def companions(self, path: str) -> tuple[str, ...]:
        """Return the write-ahead log of the database at *path*, if it has one: its rows belong to the database."""
        return (f"{path}-wal",) if _has_log(path) else ()

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows. The unreadable rest of a database becomes one row."""
        if start > 0:
            return
        offers = Offers()
        naming, vectors = self.naming(name, counts), self.vectors(counts)
        try:
            with _connection(path) as connection:
                restart = _limit_work(connection)
                cursor = _cursor(connection, self, path)
                columns = [column[0] for column in cursor.description]
                for values in _rows(cursor, restart):
                    row = dict(zip(columns, values, strict=True))
                    if problem := self._not_text(row):
                        yield from offers.add(**_set_aside(problem, row, naming.name_of(_as_json(row)), name))
                    else:
                        yield from offers.add(
                            **offer_of(_as_json(row), text_field=self.text_field, naming=naming, vectors=vectors)
                        )
        except DataError as error:
            digest = sha256_of(path)
            message = f"{name}: {error.message}"
            yield from offers.add(source_id=digest, record_sha256=digest, rule=error.rule, message=message)
        yield from offers.rest()

    def _not_text(self, row: dict[str, Any]) -> tuple[str, str] | None:
        """Return the kind and the message of the error if a field of the text is not text."""
        for field in self.text_names:
            value = row.get(field)
            if isinstance(value, _Invalid):
                return "encoding", f"the column `{field}` is not UTF-8"
            if isinstance(value, bytes):
                return "not_text", f"the column `{field}` has bytes, not text"
        return None


class _Invalid(bytes):
    """A text that is not UTF-8."""


def _decoded(data: bytes) -> str | _Invalid:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _Invalid(data)


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json_value(bytes(value) if isinstance(value, _Invalid) else value) for name, value in row.items()}


def _set_aside(problem: tuple[str, str], row: dict[str, Any], source_id: str | None, name: str) -> dict[str, Any]:
    digest = capture_hash(repr(sorted(row.items())).encode())
    kind, message = problem
    return {
        "source_id": source_id or digest,
        "record_sha256": digest,
        "rule": f"error.{kind}",
        "message": f"{name}: {message}",
    }


@contextlib.contextmanager
def _connection(path: str) -> Iterator[sqlite3.Connection]:
    """Yield a connection that only reads, to a copy in the scratch folder if the file is compressed or elsewhere.

    Raises:
        DataError: The file is no database.
    """
    with contextlib.ExitStack() as stack:
        local = path
        if is_member(path) or is_url(path) or is_compressed(path):
            copies = scratch_folder() / "databases"
            local = str(stack.enter_context(cached(copies, sha256_of(path), lambda draft: _extract(path, draft))))
        with open_decompressed(local) as file:
            _require_database(file.read(_HEAD_BYTES))
        is_whole = "" if _has_log(local) else "&immutable=1"  # else SQLite would write files beside it
        connection = sqlite3.connect(f"file:{quote(local)}?mode=ro{is_whole}", uri=True)
        stack.callback(connection.close)
        connection.text_factory = _decoded
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise DataError(f"the database cannot be read: {error}", kind="damaged") from error
        yield connection


def _require_database(head: bytes) -> None:
    """Check the first bytes of a file.

    Raises:
        DataError: It is no database, or an encrypted one.
    """
    if head.startswith(MAGIC):
        return
    if not head.strip():
        raise DataError("the file is empty", kind="empty")
    if len(head) == _HEAD_BYTES and len(set(head)) >= _MIN_RANDOM_BYTES:
        raise DataError("the database is encrypted: its bytes look random", kind="encrypted")
    raise DataError("not an SQLite database", kind="wrong_format")


def _has_log(path: str) -> bool:
    if is_url(path) or is_member(path):
        return False
    log = Path(f"{path}-wal")
    return log.is_file() and log.stat().st_size > 0


def _is_allowed(action: int, name: str | None, *_: object) -> int:
    """Return whether a query may do *action*, as `set_authorizer` expects it."""
    is_index = action == sqlite3.SQLITE_PRAGMA and name in _PRAGMAS_OF_INDEXES
    return sqlite3.SQLITE_OK if action in _ALLOWED or is_index else sqlite3.SQLITE_DENY


def _extract(path: str, draft: Path) -> None:
    with open_decompressed(path) as stream, draft.open("wb") as copy:
        for piece in pieces(stream):
            copy.write(piece)


def _executed(connection: sqlite3.Connection, loader: Sqlite, path: str) -> sqlite3.Cursor:
    """Run the query.

    Raises:
        DataError: The database is damaged.
        SourceError: The query is wrong.
    """
    try:
        query = loader.query or _table_query(connection, loader.table, path)
        connection.set_authorizer(_is_allowed)
        return connection.execute(query)
    except sqlite3.OperationalError as error:
        if "interrupt" in str(error):
            raise DataError(f"the query takes too long: {error}", kind="too_complex") from error
        if any(word in str(error) for word in ("disk", "malformed", "unsupported file format")):
            raise DataError(f"the database is damaged: {error}", kind="damaged") from error
        raise SourceError(
            f"the query fails: {error}", file=path, field="query", value=loader.query, hint="try it with `sqlite3`"
        ) from error
    except (sqlite3.ProgrammingError, sqlite3.Warning) as error:
        raise SourceError(f"{error}", file=path, field="query", hint="use one SELECT statement") from error
    except sqlite3.DatabaseError as error:
        if "not authorized" in str(error) or "prohibited" in str(error):
            raise SourceError(
                f"the query may only read: {error}", file=path, field="query", hint="use one SELECT statement"
            ) from error
        raise DataError(f"the database is damaged: {error}", kind="damaged") from error
    except UnicodeDecodeError as error:  # of the message about a damaged schema, which quotes it
        raise DataError("the database is damaged: its schema is not UTF-8", kind="damaged") from error


def _cursor(connection: sqlite3.Connection, loader: Sqlite, path: str) -> sqlite3.Cursor:
    """Run the query, which must give a column with text.

    Raises:
        DataError, SourceError: As `_executed`; or no column has the text.
    """
    cursor = _executed(connection, loader, path)
    columns = [column[0] for column in cursor.description or ()]
    names = loader.text_names
    require_own_names(columns, path)
    if not any(name in columns for name in names):
        close = nearest(names[0], columns)
        hint = f"text_field: {close}" if close else "select a column with text"
        shown = ", ".join(f"`{column}`" for column in columns)
        problem = f"has no column `{names[0]}`; it has {shown or 'none'}"
        raise SourceError(problem, file=path, field="text_field", value=names[0], hint=hint)
    return cursor


def _table_query(connection: sqlite3.Connection, table: str | None, path: str) -> str:
    rows = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type <> 'shadow' AND name NOT LIKE 'sqlite_%'"
    )
    names = sorted(str(name) for (name,) in rows)
    if table is None and len(names) == 1:
        table = names[0]
    if table not in names:
        shown = ", ".join(f"`{name}`" for name in names) or "none"
        problem = f"has no table `{table}`; it has {shown}" if table else f"which table? It has {shown}"
        close = nearest(table, names) if table else None
        hint = f"table: {close}" if close else "set `table` or `query`"
        raise SourceError(problem, file=path, field="table", value=table, hint=hint)
    quoted = '"' + table.replace('"', '""') + '"'
    columns = connection.execute(f"PRAGMA table_xinfo({quoted})").fetchall()
    selected = ", ".join('"' + str(row[1]).replace('"', '""') + '"' for row in columns if row[6] != _HIDDEN)
    return f"SELECT {selected} FROM {quoted}"


def _limit_work(connection: sqlite3.Connection) -> Callable[[], None]:
    """Stop a query that computes too long for one row; return the function to call after each row."""
    steps = 0

    def is_over() -> int:
        nonlocal steps
        steps += _STEPS
        return int(steps > _MAX_STEPS)

    def restart() -> None:
        nonlocal steps
        steps = 0

    connection.set_progress_handler(is_over, _STEPS)
    return restart


def _rows(cursor: sqlite3.Cursor, restart: Callable[[], None]) -> Iterator[tuple[Any, ...]]:
    try:
        for row in cursor:
            restart()
            yield row
    except sqlite3.OperationalError as error:
        kind = "too_complex" if "interrupt" in str(error) else "damaged"
        raise DataError(f"the database cannot be read further: {error}", kind=kind) from error
    except (sqlite3.DatabaseError, OverflowError, UnicodeDecodeError) as error:
        raise DataError(f"the database is damaged: {error}", kind="damaged") from error
