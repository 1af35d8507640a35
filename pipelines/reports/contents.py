"""Figures about the content of a version: sources, licenses, languages, lengths, dates, domains, splits, rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from corpusmill.pipelines.dataset.recorded import recorded_sides
from corpusmill.pipelines.reports.tables import Tables, identifier
from corpusmill.pipelines.reports.wording import shortened
from corpusmill.pipelines.stages.base import Counted
from corpusmill.schemas.document import SPLITS
from corpusmill.schemas.manifest import VersionManifest

TOP: Final = 50
"""Entries of a list; the rest becomes one entry."""
OTHERS: Final = "others"
LARGEST: Final = 10
TITLE_LENGTH: Final = 100
"""Characters of a title or a URL."""
BINS_PER_DECADE: Final = 8
_REFUSED: Final = "refused."
_RECORDS: Final = "records."
_DAY_US: Final = 86_400_000_000


def rules(tables: Tables) -> list[dict[str, Any]]:
    """Return the stage, rule, documents and bytes of text of each rule that rejected documents."""
    return tables.rows(
        """
        SELECT stage, rule, count(*) AS documents, coalesce(sum(text_bytes), 0)::BIGINT AS bytes
        FROM ledger GROUP BY stage, rule ORDER BY documents DESC, stage, rule
        """
    )


def sources(manifest: VersionManifest, tables: Tables) -> list[dict[str, Any]]:
    """Return the records read, published and rejected of each source, and the rule that rejected most of them."""
    inputs = {source.source: source for source in manifest.inputs}
    published = _by(tables, "SELECT source, count(*) AS n, sum(bytes)::BIGINT AS bytes FROM documents GROUP BY source")
    taken = _by(
        tables,
        """
        SELECT source, count(*) AS n, coalesce(sum(text_bytes), 0)::BIGINT AS bytes,
            count(*) FILTER (WHERE duplicate_of IS NOT NULL) AS duplicates
        FROM ledger GROUP BY source
        """,
    )
    tops = _by(
        tables,
        """
        SELECT source, rule, n FROM (
            SELECT source, rule, count(*) AS n,
                row_number() OVER (PARTITION BY source ORDER BY count(*) DESC, rule) AS place
            FROM ledger GROUP BY source, rule
        ) WHERE place = 1
        """,
    )
    rows = []
    for name in sorted({*inputs, *published, *taken, *manifest.counts.by_source}):
        kept, gone, top = published.get(name, {}), taken.get(name, {}), tops.get(name, {})
        source = inputs.get(name)
        rows.append(
            {
                "source": name,
                "kind": source.kind if source else None,
                "format": source.format if source else None,
                "license": source.license if source else None,
                "files": len(source.files) if source else 0,
                "read": kept.get("n", 0) + gone.get("n", 0),
                "documents": kept.get("n", 0),
                "bytes": kept.get("bytes", 0),
                "rejected": gone.get("n", 0),
                "rejected_bytes": gone.get("bytes", 0),
                "duplicates": gone.get("duplicates", 0),
                "top_rule": top.get("rule"),
                "top_rule_documents": top.get("n", 0),
                "not_documents": _not_documents(source.counts) if source else {},
            }
        )
    return sorted(rows, key=lambda row: (-row["bytes"], row["source"]))


def _not_documents(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the number of records that are not documents, such as redirects, by kind: the most frequent first.

    >>> _not_documents({"ids.given": 9, "records.index": 1, "records.redirect": 4, "records.deletions": 0})
    {'redirect': 4, 'index': 1}
    """
    kinds = {name.removeprefix(_RECORDS): n for name, n in counts.items() if name.startswith(_RECORDS) and n}
    return dict(sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0])))


def refused(manifest: VersionManifest) -> list[dict[str, Any]]:
    """Return the pages that each crawl refused or failed to fetch: in total, and by rule with examples.

    Older versions have no examples.
    """
    crawls = []
    for source in manifest.inputs:
        rules = [rule.model_dump(mode="json") for rule in source.refused] or _refused_counts(source.counts)
        if rules:
            crawls.append({"source": source.source, "pages": sum(rule["pages"] for rule in rules), "rules": rules})
    return crawls


def _refused_counts(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the refused pages by rule from the *counts* of a crawl, the most frequent rule first.

    >>> _refused_counts({"pages": 9, "refused": 3, "refused.http.404": 1, "refused.robots.disallowed": 2})[0]
    {'rule': 'robots.disallowed', 'pages': 2, 'examples': []}
    """
    pages = {name.removeprefix(_REFUSED): n for name, n in counts.items() if name.startswith(_REFUSED)}
    ordered = sorted(pages, key=lambda rule: (-pages[rule], rule))
    return [{"rule": rule, "pages": pages[rule], "examples": []} for rule in ordered]


def side_counts(manifest: VersionManifest, tables: Tables) -> list[dict[str, Any]]:
    """Return the counts of documents and items in the side tables for which a stage declares how to count them."""
    return [
        {
            "table": name,
            "heading": side.counted.heading,
            "by": side.counted.by,
            "noun": side.counted.noun,
            "rows": _side_groups(tables, name, side.counted),
        }
        for name, side in recorded_sides(manifest).items()
        if side.counted is not None
    ]


def _side_groups(tables: Tables, name: str, counted: Counted) -> list[dict[str, Any]]:
    items = ", ".join(map(identifier, counted.items))
    return tables.rows(
        f"""
        SELECT {identifier(counted.by)} AS value, count(DISTINCT id) AS documents, count(DISTINCT ({items})) AS items
        FROM {identifier(name)} GROUP BY value ORDER BY documents DESC, value LIMIT {TOP}
        """
    )


def _by(tables: Tables, query: str) -> dict[str, dict[str, Any]]:
    return {row["source"]: row for row in tables.rows(query)}


def grouped(tables: Tables, column: str, *, top: int = TOP) -> list[dict[str, Any]]:
    """Return documents and bytes by value of *column*: the *top* largest groups (null is a value) and `OTHERS`."""
    return tables.rows(
        f"""
        WITH groups AS (
            SELECT {identifier(column)} AS name, count(*) AS documents, sum(bytes)::BIGINT AS bytes
            FROM documents GROUP BY ALL
        ), placed AS (
            SELECT *, row_number() OVER (ORDER BY documents DESC, bytes DESC, name) AS place FROM groups
        )
        SELECT CASE WHEN place <= {top} THEN name ELSE '{OTHERS}' END AS name, place > {top} AS is_rest,
            sum(documents)::BIGINT AS documents, sum(bytes)::BIGINT AS bytes, count(*) AS values
        FROM placed GROUP BY 1, 2, CASE WHEN place <= {top} THEN place ELSE {top} + 1 END ORDER BY min(place)
        """
    )


def licenses(tables: Tables) -> dict[str, Any]:
    """Return documents by license and by evidence for it; the name null means unknown."""
    return {
        "unknown": tables.row("SELECT count(*) AS n FROM documents WHERE license IS NULL")["n"],
        "unknown_by_source": tables.rows(
            "SELECT source, count(*) AS documents FROM documents WHERE license IS NULL GROUP BY ALL ORDER BY 2 DESC, 1"
        ),
        "expressions": grouped(tables, "license"),
        "evidence": grouped(tables, "license_source", top=20),
    }


def languages(tables: Tables) -> list[dict[str, Any]]:
    """Return documents by language; the name null means unknown."""
    return grouped(tables, "language")


def domains(tables: Tables) -> list[dict[str, Any]]:
    """Return documents by registered domain; the name null means none."""
    return grouped(tables, "domain", top=20)


def lengths(tables: Tables) -> dict[str, Any]:
    """Return the distribution of lengths: bytes in `BINS_PER_DECADE` bins per decade, and exact quantiles."""
    bins = tables.rows(
        f"""
        SELECT CASE WHEN bytes = 0 THEN -1 ELSE floor({BINS_PER_DECADE} * log10(bytes))::INTEGER END AS bin,
            count(*) AS documents
        FROM documents GROUP BY bin ORDER BY bin
        """
    )
    counts = {row["bin"]: row["documents"] for row in bins}
    filled = range(min(counts), max(counts) + 1) if counts else range(0)
    return {
        "histogram": [
            {
                "from": 0 if index < 0 else 10 ** (index / BINS_PER_DECADE),
                "to": 10 ** ((index + 1) / BINS_PER_DECADE),
                "documents": counts.get(index, 0),
            }
            for index in filled
        ],
        "quantiles": {name: _quantiles(tables, name) for name in ("bytes", "char_count", "word_count")},
    }


def _quantiles(tables: Tables, column: str) -> dict[str, int]:
    shares = {"min": 0.0, "p5": 0.05, "median": 0.5, "p95": 0.95, "max": 1.0}
    (quantiles,) = tables.connection.execute(
        f"SELECT quantile_disc({column}, {list(shares.values())}) FROM documents"
    ).fetchone() or (None,)
    return dict(zip(shares, quantiles, strict=True)) if quantiles else {}


def dates(tables: Tables) -> dict[str, Any]:
    """Return documents by year of publication, and the first and last day on which documents were fetched."""
    years = tables.rows(
        """
        SELECT year(make_timestamp(published_us)) AS year, count(*) AS documents
        FROM documents WHERE published_us IS NOT NULL GROUP BY year ORDER BY year
        """
    )
    fetched = tables.row(
        """
        SELECT count(fetched_us) AS documents, strftime(make_timestamp(min(fetched_us)), '%Y-%m-%d') AS first,
            strftime(make_timestamp(max(fetched_us)), '%Y-%m-%d') AS last
        FROM documents
        """
    )
    return {"years": years, "fetched": fetched}


def largest_documents(tables: Tables) -> list[dict[str, Any]]:
    """Return the longest documents."""
    rows = tables.rows(
        f"""
        SELECT id, coalesce(title, source_id) AS title, url, source, strlen(text) AS bytes
        FROM shards ORDER BY bytes DESC, id LIMIT {LARGEST}
        """
    )
    return [{**row, "title": shortened(row["title"], TITLE_LENGTH), "url": address(row["url"])} for row in rows]


def address(url: str | None) -> str | None:
    """Return *url* if it is short enough to be shown as a link."""
    return shortened(url, 2 * TITLE_LENGTH) if url else None


def splits(manifest: VersionManifest, tables: Tables) -> list[dict[str, Any]]:
    """Return for each split the share that the recipe sets, and its actual size."""
    shares = manifest.recipe.get("split", {})
    sizes = {row["split"]: row for row in tables.rows(_SPLITS)}
    return [
        {
            "split": name,
            "wanted": shares.get(name),
            "documents": sizes.get(name, {}).get("documents", 0),
            "bytes": sizes.get(name, {}).get("bytes", 0),
            "words": sizes.get(name, {}).get("words", 0),
            "shards": sum(shard.split == name for shard in manifest.files),
            "shard_bytes": sum(shard.bytes for shard in manifest.files if shard.split == name),
        }
        for name in SPLITS
    ]


_SPLITS: Final = """
    SELECT split, count(*) AS documents, sum(bytes)::BIGINT AS bytes, coalesce(sum(word_count), 0)::BIGINT AS words
    FROM documents GROUP BY split
"""
