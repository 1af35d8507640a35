"""Select example documents on both sides of a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from corpusmill.pipelines.dataset.recorded import recorded_stages
from corpusmill.pipelines.dataset.served import quoted
from corpusmill.pipelines.reports.tables import Tables, identifier
from corpusmill.pipelines.reports.wording import shortened
from corpusmill.schemas.manifest import VersionManifest

TEXT_LENGTH: Final = 300
"""Characters of an example."""
NEAREST: Final = 2
"""Examples on each side of a threshold."""
_LOOKED_AT: Final = 24
"""Rejected documents nearest to a threshold that are searched for a text: the ledger has samples of some only."""
MAX_BOUNDS: Final = 24
MAX_ERRORS: Final = 12
_WIDE: Final = 4 * TEXT_LENGTH
"""Characters that are read of a text before white space is collapsed."""


@dataclass(frozen=True)
class Bound:
    """A threshold of a rule: values of a column below it (*side* min) or above it (max) are rejected."""

    rule: str
    column: str
    side: str
    threshold: float


def recipe_bounds(manifest: VersionManifest) -> list[Bound]:
    """Return the bounds that the recipe's stages declare, including those that rejected nothing.

    For a stage that is not installed here, only the bounds in the ledger are known.
    """
    stages = [recorded.stage for recorded in recorded_stages(manifest.recipe.get("stages", []))]
    return [
        Bound(one.rule, one.column, side, threshold)
        for stage in stages
        if stage is not None
        for one in stage.judges()
        for side, threshold in (("min", one.min), ("max", one.max))
        if threshold is not None
    ]


def bounds(manifest: VersionManifest, tables: Tables) -> list[dict[str, Any]]:
    """Return the thresholds that rejected most, with the nearest rejected and the nearest kept documents."""
    columns = {bound.rule: bound.column for bound in recipe_bounds(manifest)}
    hit = tables.rows(_HIT_BOUNDS)
    for row in hit:
        name = columns.get(row["rule"], row["rule"])
        row["signal"] = name if name in tables.signals else None
    rejected = _nearest_rejected(tables)
    kept = _nearest_kept(tables, hit)
    for place, row in enumerate(hit):
        key = (row["stage"], row["rule"], row["threshold"], row["side"])
        row["nearest_rejected"] = rejected.get(key, [])
        row["nearest_kept"] = kept[place]
    return hit


_SIDE: Final = "CASE WHEN value < threshold THEN 'min' ELSE 'max' END"
_JUDGED: Final = "value IS NOT NULL AND threshold IS NOT NULL AND duplicate_of IS NULL"
_HIT_BOUNDS: Final = f"""
    SELECT stage, rule, threshold, {_SIDE} AS side, count(*) AS rejected FROM ledger WHERE {_JUDGED}
    GROUP BY ALL ORDER BY rejected DESC, stage, rule, threshold, side LIMIT {MAX_BOUNDS}
"""
_NEAREST_REJECTED: Final = f"""
    SELECT stage, rule, threshold, {_SIDE} AS side, id, url, source, value, left(sample_text, {_WIDE}) AS text
    FROM ledger WHERE {_JUDGED}
    QUALIFY row_number() OVER (
        PARTITION BY stage, rule, threshold, side ORDER BY abs(value - threshold), id, record_sha256
    ) <= {_LOOKED_AT}
    ORDER BY abs(value - threshold), id
"""


def _nearest_rejected(tables: Tables) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    nearest: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in tables.rows(_NEAREST_REJECTED):
        key = tuple(row.pop(name) for name in ("stage", "rule", "threshold", "side"))
        nearest.setdefault(key, []).append(_shown(row))
    return {key: with_text_first(rows, NEAREST) for key, rows in nearest.items()}


def with_text_first(rows: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """Return *number* of *rows* in their order: those with a text, then others if there are too few.

    >>> with_text_first([{"text": None}, {"text": "a"}, {"text": "b"}], 2)
    [{'text': 'a'}, {'text': 'b'}]
    """
    chosen = sorted(range(len(rows)), key=lambda place: not rows[place]["text"])[:number]
    return [rows[place] for place in sorted(chosen)]


def _nearest_kept(tables: Tables, hit: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the published documents nearest to each bound, in one pass over the signals."""
    known = [(place, row) for place, row in enumerate(hit) if row["signal"]]
    kept: list[list[dict[str, Any]]] = [[] for _ in hit]
    if not known:
        return kept
    measures = tables.row(f"SELECT {', '.join(_nearest_of(row, place) for place, row in known)} FROM signals")
    ids = {item["id"] for place, _ in known for item in measures[f"b{place}"] or []}
    texts = _documents(tables, ids)
    for place, _ in known:
        items = measures[f"b{place}"] or []
        kept[place] = [{**texts[item["id"]], "value": item["value"]} for item in items]
    return kept


def _nearest_of(row: dict[str, Any], place: int) -> str:
    column, threshold = identifier(row["signal"]), f"{row['threshold']!r}::DOUBLE"
    beyond = ">=" if row["side"] == "min" else "<="
    item = f"{{'distance': abs({column} - {threshold}), 'id': id, 'value': {column}}}"
    return f"min({item}, {NEAREST}) FILTER (WHERE published AND {column} {beyond} {threshold}) AS b{place}"


def _documents(tables: Tables, ids: set[str]) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    listed = ", ".join(quoted(document) for document in sorted(ids))
    rows = tables.rows(f"SELECT id, url, source, left(text, {_WIDE}) AS text FROM shards WHERE id IN ({listed})")
    return {row["id"]: _shown(row) for row in rows}


def errors(tables: Tables) -> list[dict[str, Any]]:
    """Return the rules of broken records, with some of their messages."""
    return tables.rows(
        f"""
        SELECT rule, count(*) AS documents, list_sort(list_distinct(min(left(message, {TEXT_LENGTH}), 3))) AS messages
        FROM ledger WHERE starts_with(rule, 'error.') GROUP BY rule ORDER BY documents DESC, rule LIMIT {MAX_ERRORS}
        """
    )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "url": shortened(row["url"], 200) or None, "text": shortened(row["text"], TEXT_LENGTH) or None}
