"""Select documents or ledger rows of a version, and their columns."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.dataset.served import quoted
from corpusmill.pipelines.dataset.tables import identifier, open_tables, time_limit
from corpusmill.pipelines.dataset.version import Version
from corpusmill.schemas.document import LEDGER, METADATA, SPLITS, is_signal
from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.metadata import metadata_dicts

TIMEOUT_S: Final = 60.0
_BY_HASH: Final = {"documents": "md5(id), id", "ledger": "md5(id || record_sha256), id"}
"""Orders whose first rows are a sample that does not depend on the order or the shards of the version."""


@dataclass(frozen=True)
class Question:
    """A query for rows of a version.

    Args:
        where: An SQL expression over the columns and signals; None selects all rows.
        sample: Number of rows to select by a hash of their id.
        limit: Largest number of rows.
        columns: Names of columns and signals; if empty, all columns and the signals that *where* names.
        ledger: Select rows of the ledger instead of documents.
    """

    where: str | None = None
    split: str | None = None
    sample: int | None = None
    limit: int | None = None
    columns: tuple[str, ...] = ()
    ledger: bool = False
    timeout_s: float = TIMEOUT_S


def inspect(version: Version, question: Question) -> Iterator[dict[str, Any]]:
    """Yield the documents (or ledger rows) that *question* selects, in the order of the files.

    Filtering reads only the columns that it needs; texts are read once, row group by row group.

    Raises:
        UsageError: An expression, column or split is not valid for the version; the hint has the nearest name.
        DamagedFileError: A file is missing or unreadable.
    """
    _refuse_unknown(version, question)
    if question.ledger:
        return _rows(_ledger(version, question))
    return _rows(_documents(version, question))


def _refuse_unknown(version: Version, question: Question) -> None:
    known = _names(version, question)
    for name in question.columns:
        if name not in known:
            raise UsageError(f"{version.name} has no column {name!r}", hint=_hint(name, known), value=name)
    if question.split is not None and (question.ledger or question.split not in SPLITS):
        problem = "the ledger has no splits" if question.ledger else f"the version has no split {question.split!r}"
        raise UsageError(problem, hint=f"splits of documents: {', '.join(SPLITS)}", value=question.split)


def _names(version: Version, question: Question) -> list[str]:
    return [*(LEDGER.names if question.ledger else version.columns), *version.signals]


def _hint(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    return (f"did you mean `{near[0]}`? " if near else "") + _listed(known)


def _listed(known: Sequence[str]) -> str:
    columns, signals = ([name for name in known if is_signal(name) is wants_signals] for wants_signals in (False, True))
    return f"columns: {', '.join(columns)}" + (f"; signals: {', '.join(signals)}" if signals else "")


def _signals(version: Version, question: Question) -> list[str]:
    """Return the signals that the query names. A name inside a string literal counts too and costs only a join."""
    where = question.where or ""
    return [
        name
        for name in version.signals
        if name in question.columns or re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", where, re.IGNORECASE)
    ]


def _documents(version: Version, question: Question) -> Iterator[pa.RecordBatch]:
    signals = _signals(version, question)
    columns = [name for name in question.columns or version.columns if name in version.columns]
    order = [*question.columns] or [*columns, *signals]
    chosen = None
    if signals or question.where is not None or question.sample is not None:
        chosen = _chosen(version, question, signals)
    left = question.limit
    ids = None if chosen is None else chosen["id"].combine_chunks()
    if ids is not None and not len(ids):
        return
    for batch in version.documents(ids=ids, columns=list({"id": 0, **dict.fromkeys(columns)}), split=question.split):
        kept = batch if left is None else batch.slice(0, left)
        yield _joined(kept, chosen, signals).select(order)
        left = None if left is None else left - kept.num_rows
        if left == 0:
            return


def _chosen(version: Version, question: Question, signals: list[str]) -> pa.Table:
    """Return the id and *signals* of the selected documents."""
    with open_tables({"shards": (version, "shard"), "measured": (version, "signals")}) as connection:
        _define_view(connection, "shards", version.columns, signals, has_entries=_has_entries(version))
        names = ["id", *signals]
        batches = list(_answer(connection, version, question, names=names, order="split, id"))
    return pa.Table.from_batches(batches) if batches else pa.table({"id": pa.array([], pa.string())})


def _joined(batch: pa.RecordBatch, chosen: pa.Table | None, signals: list[str]) -> pa.RecordBatch:
    if chosen is None or not signals:
        return batch
    places = pc.index_in(batch["id"], value_set=chosen["id"].combine_chunks())
    for name in signals:
        batch = batch.append_column(name, chosen[name].combine_chunks().take(places))
    return batch


def _ledger(version: Version, question: Question) -> Iterator[pa.RecordBatch]:
    signals = _signals(version, question)
    with open_tables({"rejected": (version, "ledger"), "measured": (version, "signals")}) as connection:
        _define_view(connection, "rejected", LEDGER.names, signals)
        names = [*question.columns] or [*LEDGER.names, *signals]
        yield from _answer(connection, version, question, names=names, order="id, record_sha256")


def _has_entries(version: Version) -> bool:
    """Return whether `metadata` is a list of entries; versions of format 1 have a map."""
    return any(
        column["name"] == "metadata" and column["type"].startswith("list<")
        for column in version.manifest.document_schema
    )


def _define_view(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    columns: Sequence[str],
    signals: list[str],
    *,
    has_entries: bool = False,
) -> None:
    """Create the view ``documents`` of *rows* with their *signals*.

    A signal can be written with quotes (``"gopher.word_count"``) and, because of a struct, without them. With
    *has_entries*, `metadata` becomes a map, so that ``metadata['key']`` is a value or null.
    """
    every = "r.* REPLACE (map_from_entries(r.metadata) AS metadata)" if has_entries else "r.*"
    shown = [every, *(f"m.{identifier(name)}" for name in signals), *_structs(columns, signals)]
    join = ""
    if signals:
        listed = ", ".join(map(identifier, signals))
        join = (
            f" LEFT JOIN (SELECT DISTINCT ON (id) id, {listed} FROM measured ORDER BY id, {listed}) AS m ON m.id = r.id"
        )
    connection.execute(f"CREATE VIEW documents AS SELECT {', '.join(shown)} FROM {rows} AS r{join}")


def _structs(columns: Sequence[str], signals: list[str]) -> Iterator[str]:
    families: dict[str, list[str]] = {}
    for name in signals:
        family, _, rest = name.partition(".")
        if family not in columns and "." not in rest:
            families.setdefault(family, []).append(name)
    for family, members in families.items():
        fields = ", ".join(f"{identifier(name.partition('.')[2])} := m.{identifier(name)}" for name in members)
        yield f"struct_pack({fields}) AS {identifier(family)}"


def _answer(
    connection: duckdb.DuckDBPyConnection, version: Version, question: Question, *, names: list[str], order: str
) -> Iterator[pa.RecordBatch]:
    kind = "ledger" if question.ledger else "documents"
    try:
        with time_limit(connection, question.timeout_s):
            rows = connection.view("documents")
            if question.split is not None:
                rows = rows.filter(f"split = {quoted(question.split)}")
            if question.where is not None:
                # SQLExpression accepts exactly one expression, and no statement.
                rows = rows.filter(duckdb.SQLExpression(question.where))
            if question.sample is not None:
                rows = rows.order(_BY_HASH[kind]).limit(question.sample)
            rows = rows.order(order)
            if question.limit is not None:
                rows = rows.limit(question.limit)
            yield from rows.project(", ".join(map(identifier, names))).to_arrow_reader()
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        if question.where is None:
            raise DamagedFileError(
                "the version cannot be read",
                file=version.address,
                hint="find the damaged file with `corpusmill doctor --verify`",
            ) from error
        raise _expression_error(error, version, question) from error


def _expression_error(error: duckdb.Error, version: Version, question: Question) -> UsageError:
    """Return the error for an invalid expression, with the nearest name if a name is unknown."""
    message = " ".join(re.split(r"\n\n|LINE 1:|Candidate (?:bindings|tables|Entries)", str(error))[0].split())
    known = _names(version, question)
    unknown = _unknown_name(question.where or "", message, known)
    if unknown is not None:
        message = f"{version.name} has no column {unknown!r}"
    hint = _listed(known) if unknown is None else _hint(unknown, known)
    return UsageError(f"--where: {message}", hint=hint, value=question.where)


def _unknown_name(where: str, message: str, known: Sequence[str]) -> str | None:
    """Return the name in *where* that DuckDB did not find. DuckDB takes a signal for a table and a column."""
    reported = re.search(r'(?:column|table|key|named) "([^"]+)"', message)
    if reported is None or "Binder Error" not in message:
        return None
    names = [name for name in re.findall(r"[^\W\d][\w.]*", where) if name not in known]
    return next((name for name in names if reported[1] in (name, *name.split("."))), None)


def _rows(batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from plain_rows(batch)


def plain_rows(rows: pa.RecordBatch | pa.Table) -> list[dict[str, Any]]:
    """Convert *rows* to what JSON can hold.

    Times become ISO 8601, maps and the column `metadata` become objects, bytes become base64, and numbers that are not
    finite become null.

    >>> plain_rows(pa.table({"score": pa.array([0.1, float("nan")], pa.float32())}))
    [{'score': 0.1}, {'score': None}]
    """
    for index, field in enumerate(rows.schema):
        if pa.types.is_float32(field.type):
            # Cast through text; otherwise 0.1 becomes 0.10000000149011612.
            rows = rows.set_column(index, field.name, rows.column(index).cast(pa.string()).cast(pa.float64()))
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows.to_pylist(maps_as_pydicts="lossy")]
    if "metadata" in rows.schema.names and rows.schema.field("metadata").type == METADATA:
        for row, entries in zip(plain, metadata_dicts(rows["metadata"]), strict=True):
            row["metadata"] = entries
    return plain


def _plain(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {str(_plain(key)): _plain(item) for key, item in value.items()}
        case _:
            return value
