"""The SQL condition that chooses records of an index: checked when the recipe is read, so that it only compares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import duckdb

from corpusmill.schemas.problems import HintedValueError

TABLE: Final = "records"
_CLASSES: Final = frozenset(
    ("BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "OPERATOR", "TYPE")
)
_EMPTY: Final = ("modifiers", "group_expressions", "group_sets", "having", "sample", "qualify")
_HINT: Final = "compare columns of the index, such as `url_host_tld = 'no' AND fetch_status = 200`"


def connection() -> duckdb.DuckDBPyConnection:
    """Return a database in memory that reads no files and loads no extensions."""
    settings: dict[str, str | bool | int | float | list[str]] = {"enable_external_access": False, "threads": 1}
    database = duckdb.connect(":memory:", config=settings)
    database.execute("SET lock_configuration = true")
    return database


def columns_of(where: str) -> frozenset[str]:
    """Return the columns that the condition *where* names.

    Raises:
        HintedValueError: It is not one condition, or has a query, an aggregate or a function that is not fixed.

    >>> sorted(columns_of("lower(url_host_tld) = 'no' AND fetch_status IN (200, 304)"))
    ['fetch_status', 'url_host_tld']
    """
    nodes = list(_nodes(_condition(where)))
    for node in nodes:
        if node["class"] not in _CLASSES:
            raise HintedValueError(f"{node['class'].lower()} is not allowed in a condition", hint=_HINT)
        if node["class"] == "FUNCTION" and (name := node["function_name"]) not in _functions():
            problem = f"the function `{name}` is not one whose result depends on its arguments alone"
            raise HintedValueError(problem, hint=_HINT)
    return frozenset(node["column_names"][-1] for node in nodes if node["class"] == "COLUMN_REF")


def selecting(columns: str, where: str) -> str:
    """Return the query for *columns* of the records that *where* chooses."""
    return f"SELECT {columns} FROM {TABLE} WHERE (\n{where}\n)"


def _condition(where: str) -> dict[str, Any]:
    with connection() as database:
        row = database.execute("SELECT json_serialize_sql(?)", [selecting("1", where)]).fetchone()
    parsed: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if parsed.get("error"):
        message = str(parsed.get("error_message", "it cannot be parsed")).splitlines()[0]
        raise HintedValueError(f"not a condition of SQL: {message}", hint=_HINT)
    statements = parsed["statements"]
    node = statements[0]["node"]
    is_plain = len(statements) == 1 and node["type"] == "SELECT_NODE" and not any(node.get(name) for name in _EMPTY)
    condition = node.get("where_clause")
    if not is_plain or node["from_table"]["type"] != "BASE_TABLE" or not isinstance(condition, dict):
        raise HintedValueError("not one condition of SQL", hint=_HINT)
    return condition


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the expressions in *value*, a part of a syntax tree."""
    if isinstance(value, dict):
        if "class" in value:
            yield value
        for part in value.values():
            yield from _nodes(part)
    elif isinstance(value, list):
        for part in value:
            yield from _nodes(part)


@cache
def _functions() -> frozenset[str]:
    """Return the names of the scalar functions that give the same result for the same arguments."""
    query = (
        "SELECT function_name FROM duckdb_functions() GROUP BY function_name "
        "HAVING bool_and(function_type = 'scalar' AND stability = 'CONSISTENT')"
    )
    with connection() as database:
        return frozenset(name for (name,) in database.execute(query).fetchall())
