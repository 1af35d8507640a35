"""Figures about copies: how many were removed, sizes of clusters, and leakage between splits."""

from __future__ import annotations

from typing import Any, Final

from corpusmill.pipelines.dataset.recorded import recorded_stages
from corpusmill.pipelines.reports.contents import TITLE_LENGTH, address
from corpusmill.pipelines.reports.examples import TEXT_LENGTH
from corpusmill.pipelines.reports.tables import Tables
from corpusmill.pipelines.reports.wording import shortened
from corpusmill.schemas.manifest import KeptPair, VersionManifest

LARGEST_CLUSTERS: Final = 8
PAIRS: Final = 4
"""Number of removed documents that are shown beside the document that was kept."""
NEAR: Final = 0.02
"""Distance to the threshold, and width of a column of the histogram of similarities."""
_LOOKED_AT: Final = 24
"""Pairs nearest to their threshold that are searched for texts. The ledger has samples of some texts only, and a later
stage may have rejected a document that was kept."""
_CUT_BYTES: Final = ".cut_bytes"
"""How the signals of stages that cut repeated text end."""
WORDS_BEFORE: Final = 12
"""Words before the first difference that are shown of both texts."""
_READ: Final = 4 * TEXT_LENGTH
"""Characters that are read of a text before white space is collapsed."""


def duplicates(manifest: VersionManifest, tables: Tables) -> dict[str, Any]:
    """Return removed copies by rule, bytes cut by stage, clusters, and pairs on both sides of the threshold."""
    return {
        "stages": _stages_that_remove_copies(manifest),
        "rules": _by_rule(tables),
        "cuts": _cuts(manifest),
        "by_source": _by_source(tables),
        "cluster_sizes": _cluster_sizes(tables),
        "largest": _largest(tables),
        "similarities": _similarities(tables),
        "pairs": _pairs(tables),
        "kept_pairs": _kept_pairs(manifest, tables),
    }


def _stages_that_remove_copies(manifest: VersionManifest) -> list[str]:
    stages = recorded_stages(manifest.recipe.get("stages", []))
    return [stage.entry.name for stage in stages if stage.model is not None and stage.model.removes_copies is not None]


def _by_rule(tables: Tables) -> list[dict[str, Any]]:
    return tables.rows(
        """
        SELECT stage, rule, count(*) AS documents, coalesce(sum(text_bytes), 0)::BIGINT AS bytes,
            count(DISTINCT duplicate_of) AS kept
        FROM ledger WHERE duplicate_of IS NOT NULL GROUP BY stage, rule ORDER BY documents DESC, rule
        """
    )


def _cuts(manifest: VersionManifest) -> list[dict[str, Any]]:
    """Return the bytes that stages cut because they are repeated, of those that entered the stage."""
    stages = recorded_stages(manifest.recipe.get("stages", []))
    names = [
        one.entry.id
        for one in stages
        if one.stage is not None and any(field.name.endswith(_CUT_BYTES) for field in one.stage.adds())
    ]
    return [
        {"stage": count.name, "bytes": count.bytes_cut, "of": count.bytes_in}
        for count in manifest.counts.stages
        if count.name in names
    ]


def _by_source(tables: Tables) -> list[dict[str, Any]]:
    return tables.rows(
        """
        SELECT source, stage, count(*) AS documents FROM ledger WHERE duplicate_of IS NOT NULL
        GROUP BY source, stage ORDER BY documents DESC, source, stage LIMIT 50
        """
    )


def _cluster_sizes(tables: Tables) -> list[dict[str, Any]]:
    """Return the number of clusters (kept documents with their near duplicates) by size: 1, 2, 3-4, 5-8, …"""
    rows = tables.rows(
        """
        SELECT ceil(log2(cluster_size))::INTEGER AS bin, count(*) AS clusters, sum(cluster_size)::BIGINT AS documents
        FROM documents WHERE cluster_size > 0 GROUP BY bin ORDER BY bin
        """
    )
    return [
        {
            "from": 1 if row["bin"] == 0 else 2 ** (row["bin"] - 1) + 1,
            "to": 2 ** row["bin"],
            "clusters": row["clusters"],
            "documents": row["documents"],
        }
        for row in rows
    ]


def _largest(tables: Tables) -> list[dict[str, Any]]:
    """Return the kept documents with the most copies, by cluster size or by rows of the ledger."""
    rows = tables.rows(
        f"""
        WITH sizes AS (
            SELECT id, cluster_size AS size FROM shards WHERE cluster_size > 1
            UNION ALL
            SELECT duplicate_of, count(*) + 1 FROM ledger WHERE duplicate_of IS NOT NULL GROUP BY duplicate_of
        ), largest AS (
            SELECT id, max(size) AS size FROM sizes SEMI JOIN (SELECT id FROM shards) USING (id)
            GROUP BY id ORDER BY size DESC, id LIMIT {LARGEST_CLUSTERS}
        )
        SELECT id, size, coalesce(title, source_id) AS title, url, source, left(text, {_READ}) AS text
        FROM shards JOIN largest USING (id) ORDER BY size DESC, id
        """
    )
    return [_shortened_row(row) for row in rows]


_SIMILAR: Final = "duplicate_of IS NOT NULL AND value BETWEEN threshold AND 1"


def _similarities(tables: Tables) -> list[dict[str, Any]]:
    """Return a histogram of the similarities of removed documents to kept ones, and those near the threshold."""
    rows = tables.rows(
        f"""
        SELECT stage, threshold, least(floor(round((value - threshold) / {NEAR}, 6)), floor((1 - threshold) / {NEAR}))
            ::INTEGER AS bin, count(*) AS documents
        FROM ledger WHERE {_SIMILAR} GROUP BY ALL ORDER BY stage, threshold, bin
        """
    )
    groups: dict[tuple[str, float], dict[int, int]] = {}
    for row in rows:
        groups.setdefault((row["stage"], row["threshold"]), {})[row["bin"]] = row["documents"]
    return [
        {
            "stage": stage,
            "threshold": threshold,
            "near_threshold": bins.get(0, 0),
            "histogram": [
                {"from": round(threshold + NEAR * place, 6), "documents": bins.get(place, 0)}
                for place in range(max(bins) + 1)
            ],
        }
        for (stage, threshold), bins in groups.items()
    ]


def _pairs(tables: Tables) -> list[dict[str, Any]]:
    """Return the removed near duplicates nearest to their threshold, with the kept document; with a text, if any."""
    rows = tables.rows(
        f"""
        WITH nearest AS (
            SELECT * FROM ledger WHERE {_SIMILAR} ORDER BY value - threshold, id LIMIT {_LOOKED_AT}
        ), removed AS (
            SELECT id, source_id, duplicate_of, value, threshold, left(sample_text, {_READ}) AS removed,
                CASE WHEN text_bytes > strlen(sample_text) THEN length(sample_text) ELSE {_READ} END AS seen
            FROM nearest ORDER BY sample_text IS NULL, value - threshold, id LIMIT {PAIRS}
        )
        SELECT removed.* EXCLUDE (seen), shards.source_id AS kept_source_id, left(text, seen) AS kept
        FROM removed LEFT JOIN shards ON shards.id = duplicate_of ORDER BY value - threshold, removed.id
        """
    )
    names = ("source_id", "kept_source_id")
    return [
        {
            **row,
            **{name: shortened(row[name], TITLE_LENGTH) for name in names},
            **from_first_difference(row["removed"], row["kept"]),
        }
        for row in rows
    ]


def _kept_pairs(manifest: VersionManifest, tables: Tables) -> list[dict[str, Any]]:
    """Return the sampled pairs nearest to their threshold of which both documents are published, with texts."""
    nearest = sorted(manifest.kept_pairs, key=lambda pair: (pair.threshold - pair.similarity, pair.id, pair.other_id))
    ids = sorted({name for pair in nearest[:_LOOKED_AT] for name in (pair.id, pair.other_id)})
    query = f"SELECT id, source_id, left(text, {_READ}) AS text FROM shards WHERE list_contains(?, id)"
    rows = {row["id"]: row for row in tables.rows(query, ids)} if ids else {}
    pairs = [pair for pair in nearest if pair.id in rows and pair.other_id in rows]
    return [_described_pair(pair, rows[pair.id], rows[pair.other_id]) for pair in pairs[:PAIRS]]


def _described_pair(pair: KeptPair, one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    texts = from_first_difference(one["text"], other["text"])
    return {
        **pair.model_dump(),
        "source_id": shortened(one["source_id"], TITLE_LENGTH),
        "other_source_id": shortened(other["source_id"], TITLE_LENGTH),
        "text": texts["removed"],
        "other_text": texts["kept"],
    }


def from_first_difference(removed: str | None, kept: str | None) -> dict[str, str]:
    """Return both texts from shortly before their first difference, or from the beginning if a text is unknown.

    >>> from_first_difference("a b x", "a b y")
    {'removed': 'a b x', 'kept': 'a b y'}
    """
    words = (removed or "").split(), (kept or "").split()
    end = min(map(len, words)) if words[0] != words[1] else 0
    same = next((place for place, (one, other) in enumerate(zip(*words, strict=False)) if one != other), end)
    start = max(0, same - WORDS_BEFORE)
    shown = (shortened(f"{'… ' if start else ''}{' '.join(text[start:])}", TEXT_LENGTH) for text in words)
    return dict(zip(("removed", "kept"), shown, strict=True))


def _shortened_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "title": shortened(row["title"], TITLE_LENGTH),
        "url": address(row["url"]),
        "text": shortened(row["text"], TEXT_LENGTH),
    }


def leakage(tables: Tables) -> dict[str, int | None]:
    """Return the number of texts and clusters in more than one split, and of ids that occur more than once.

    `cluster_id` is None if the recipe does not look for near duplicates.
    """
    clusters = tables.row("SELECT count(cluster_id) AS n FROM shards")["n"]
    return {
        "content_hash": _in_two_splits(tables, "content_hash"),
        "cluster_id": _in_two_splits(tables, "cluster_id") if clusters else None,
        "id": tables.row("SELECT count(*) - count(DISTINCT id) AS n FROM shards")["n"],
    }


def _in_two_splits(tables: Tables, column: str) -> int:
    number: int = tables.row(
        f"""
        SELECT count(*) AS n FROM (
            SELECT {column} FROM shards WHERE {column} IS NOT NULL GROUP BY {column} HAVING min(split) <> max(split)
        )
        """
    )["n"]
    return number
