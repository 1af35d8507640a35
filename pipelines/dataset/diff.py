"""Compare two versions by the identity (`id`) and the text (`content_hash`) of their documents."""

from __future__ import annotations

import difflib
from typing import Any, Final

import duckdb
import pyarrow as pa

from corpusmill.pipelines.dataset.inspect import plain_rows
from corpusmill.pipelines.dataset.served import quoted, sql_name
from corpusmill.pipelines.dataset.tables import open_tables
from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.stages.identity import LAW as IDENTITY
from corpusmill.schemas.errors import DamagedFileError

EXAMPLES: Final = 3
ABSENT: Final = "absent"
"""The rule that is reported for a document that the other version did not read."""
TEXT_LENGTH: Final = 300
"""Characters of the text of an example."""
MAX_DIFF_LINES: Final = 20
MAX_COMPARED: Final = 200_000
"""Characters of each text that are compared line by line; the time for that grows faster than the text."""
_KINDS: Final = ("added", "removed", "changed", "unchanged")
_COLUMNS: Final = ("id", "content_hash", "source")


def diff(old: Version, new: Version, *, examples: int = EXAMPLES) -> dict[str, Any]:
    """Compare two versions: documents that only *new* has (added), that only *old* has (removed), and changed texts.

    `by_rule` counts the rules that rejected the removed documents in the new version, and the added documents in the
    old version; the rule is `absent` for documents that the other version did not read.

    Reads ids, hashes and sources of the shards that differ between the versions, and the texts of the examples.

    Raises:
        DamagedFileError: A file is missing or unreadable.
    """
    try:
        with open_tables(
            {
                "old_shards": (old, "shard"),
                "new_shards": (new, "shard"),
                "old_ledger": (old, "ledger"),
                "new_ledger": (new, "ledger"),
            }
        ) as connection:
            _compare(connection, old, new)
            by_source = _by_source(connection)
            chosen = {kind: _chosen(connection, kind, examples) for kind in _KINDS[:3]}
            by_rule = _by_rule(connection)
    except duckdb.Error as error:
        raise DamagedFileError(f"{old.name} and {new.name} cannot be compared: {error}") from error
    return {
        "old": {"name": old.name, "path": old.address},
        "new": {"name": new.name, "path": new.address},
        **{kind: sum(counts[kind] for counts in by_source.values()) for kind in _KINDS},
        "by_source": by_source,
        "by_rule": by_rule,
        "examples": {
            "added": _shown(new, chosen["added"]),
            "removed": _shown(old, chosen["removed"]),
            "changed": _changed(old, new, chosen["changed"]),
        },
    }


def _compare(connection: duckdb.DuckDBPyConnection, old: Version, new: Version) -> None:
    """Create the table ``differences``, with a row for each document that was added, removed or changed."""
    equal = _hashes(old) & _hashes(new)
    connection.execute(
        f"""
        CREATE TEMP TABLE differences AS
        SELECT coalesce(a.id, b.id) AS id, coalesce(b.source, a.source) AS source,
            CASE WHEN a.id IS NULL THEN 'added' WHEN b.id IS NULL THEN 'removed' ELSE 'changed' END AS kind
        FROM ({_unequal(old, "old_shards", equal)}) AS a FULL JOIN ({_unequal(new, "new_shards", equal)}) AS b
            ON a.id = b.id
        WHERE a.content_hash IS DISTINCT FROM b.content_hash
        """
    )


def _hashes(version: Version) -> set[str]:
    return {shard.logical_hash for shard in version.manifest.files}


def _unequal(version: Version, view: str, equal: set[str]) -> str:
    """Return a query for the documents in shards that the other version does not have."""
    others = {shard.path for shard in version.manifest.files if shard.logical_hash not in equal}
    files = [file for file in version.stored("shard") if file.key in others]
    columns = ", ".join(_COLUMNS)
    if not files:
        return f"SELECT {columns} FROM {view} WHERE false"
    return f"SELECT {columns} FROM read_parquet([{', '.join(map(sql_name, files))}])"


def _by_source(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    """Count documents by source. Documents of the new version that are neither added nor changed are unchanged."""
    rows = connection.execute(
        """
        SELECT source, 'unchanged' AS kind, count(*) FROM new_shards GROUP BY source
        UNION ALL SELECT source, kind, count(*) FROM differences GROUP BY source, kind
        """
    ).fetchall()
    counts: dict[str, dict[str, int]] = {}
    for source, kind, number in sorted(rows):
        counts.setdefault(source, dict.fromkeys(_KINDS, 0))[kind] += number
    for of_source in counts.values():
        of_source["unchanged"] -= of_source["added"] + of_source["changed"]
    return counts


def _by_rule(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for kind, ledger in (("removed", "new_ledger"), ("added", "old_ledger")):
        met = _met(f"SELECT id FROM differences WHERE kind = '{kind}'", ledger)
        for rule, number in connection.execute(
            f"SELECT coalesce(rule, '{ABSENT}') AS rule, count(*) FROM ({met}) GROUP BY ALL ORDER BY ALL"
        ).fetchall():
            counts.setdefault(rule, {"removed": 0, "added": 0})[kind] = number
    return dict(sorted(counts.items(), key=lambda item: (-sum(item[1].values()), item[0])))


def _met(ids: str, ledger: str) -> str:
    """Return a query for the documents that the query *ids* selects, with their verdict in a *ledger*.

    For a document with several captures, verdicts of the stage `identity` are used only if there is no other.
    """
    return f"""
        WITH selected AS ({ids})
        SELECT selected.id, l.rule, l.value, l.threshold, l.duplicate_of
        FROM selected LEFT JOIN (
            SELECT DISTINCT ON (id) * FROM (
                SELECT id, record_sha256, stage, rule, value, threshold, duplicate_of FROM {ledger}
            ) SEMI JOIN selected USING (id) ORDER BY id, stage = {quoted(IDENTITY)}, record_sha256
        ) AS l ON l.id = selected.id
    """


def _chosen(connection: duckdb.DuckDBPyConnection, kind: str, examples: int) -> list[dict[str, Any]]:
    """Return the documents of *kind* with the smallest ids, with the verdicts of the other version."""
    ledger = {"added": "old_ledger", "removed": "new_ledger"}.get(kind)
    ids = f"SELECT id FROM differences WHERE kind = '{kind}' ORDER BY id LIMIT {int(examples)}"
    rows = connection.sql(ids if ledger is None else f"{_met(ids, ledger)} ORDER BY selected.id").to_arrow_table()
    return plain_rows(rows)


def _shown(version: Version, chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    documents = _documents(version, chosen)
    return [{**documents[row["id"]], **row, "text": _short(documents[row["id"]]["text"])} for row in chosen]


def _changed(old: Version, new: Version, chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    before, after = _documents(old, chosen), _documents(new, chosen)
    return [
        {
            **after[row["id"]],
            "text": _short(after[row["id"]]["text"]),
            "text_before": _short(before[row["id"]]["text"]),
            "changes": changes(before[row["id"]]["text"], after[row["id"]]["text"]),
        }
        for row in chosen
    ]


def _documents(version: Version, chosen: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    ids = pa.array([row["id"] for row in chosen], pa.string())
    batches = version.documents(ids=ids, columns=["id", "title", "url", "source", "source_id", "text"])
    return {row["id"]: row for batch in batches for row in plain_rows(batch)}


def _short(text: str) -> str:
    return text if len(text) <= TEXT_LENGTH else text[:TEXT_LENGTH] + "…"


def changes(before: str, after: str) -> list[str]:
    r"""Return at most `MAX_DIFF_LINES` changed lines as a unified diff without file names.

    >>> changes("a\nb", "a\nc")
    ['@@ -2 +2 @@', '-b', '+c']
    """
    old_lines, new_lines = (text[:MAX_COMPARED].splitlines() for text in (before, after))
    lines = list(difflib.unified_diff(old_lines, new_lines, n=0, lineterm=""))[2:]
    if len(lines) > MAX_DIFF_LINES:
        lines = [*lines[:MAX_DIFF_LINES], f"… {len(lines) - MAX_DIFF_LINES:,} more lines"]
    return [_short(line) for line in lines]
