"""Rows of the ledger that a stage created (such as a piece of a template that it cut), rather than read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corpusmill.pipelines.dataset.tables import open_tables
from corpusmill.pipelines.dataset.version import Version


def is_created(version: Version, row: Mapping[str, Any]) -> bool:
    """Return whether a *row* of the ledger was created by its stage. Such a row has no origin.

    Reads the version only: the stage need not be installed.
    """
    if row["stage"] not in _creating_stages(version):
        return False
    origins = version.rows("origin", row["id"])
    return not origins.num_rows or row["record_sha256"] not in origins["record_sha256"].to_pylist()


def created_rules(version: Version) -> list[str]:
    """Return the rules of the created rows of the ledger, sorted.

    Reads four columns of the ledger and the origin of one row per rule. Reads nothing if the manifest counts no created
    rows.
    """
    stages = _creating_stages(version)
    if not stages:
        return []
    with open_tables({"ledger": (version, "ledger")}) as connection:
        examples = connection.execute(
            """
            SELECT stage, rule, min({'id': id, 'record_sha256': record_sha256}) FROM ledger
            WHERE list_contains($stages, stage) GROUP BY stage, rule
            """,
            {"stages": stages},
        ).fetchall()
    return sorted({rule for stage, rule, capture in examples if is_created(version, {"stage": stage, **capture})})


def _creating_stages(version: Version) -> list[str]:
    return [stage.name for stage in version.manifest.counts.stages if stage.created]
