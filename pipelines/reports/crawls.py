"""Figures about the crawls of a version: their statistics, and the verdicts on URLs by kind, with examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from corpusmill.pipelines.dataset.refused import EXAMPLES
from corpusmill.pipelines.reports.contents import refused
from corpusmill.pipelines.reports.tables import Tables
from corpusmill.schemas.manifest import InputSource, VersionManifest
from corpusmill.schemas.optouts import RULE as OPTOUT

_CHARACTERS: Final = 300
_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "verdicts": ("robots.", OPTOUT),
    "errors": ("error.", "http."),
    "budgets": ("budget.", "trap."),
}
"""Prefixes of rules by kind; all other rules are of the kind `others`."""
OTHERS: Final = "others"
_RESULTS: Final[Mapping[str, str]] = {
    "200": "200, archived",
    "3xx": "3xx, redirects",
    "failed": "no valid response",
    "not_kept": "200, not archived",
    "not_requested": "not requested",
    "unchanged": "unchanged since an earlier crawl",
}


def crawls(manifest: VersionManifest, tables: Tables) -> list[dict[str, Any]]:
    """Return the statistics (None for crawls of earlier releases) and the rules by kind of each crawl of a version.

    Robots and opt-outs are one kind: the crawl refused the first ones, and the run those of the documents.
    """
    fetched = {crawl["source"]: crawl["rules"] for crawl in refused(manifest)}
    reserved = _opt_outs(tables)
    rows = [
        _crawl(source, [*fetched.get(source.source, []), *reserved.get(source.source, [])])
        for source in manifest.inputs
        if source.kind == "crawl"
    ]
    return [row for row in rows if row["statistics"] is not None or any(row["rules"].values())]


def _crawl(source: InputSource, rules: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    by_kind: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in (*_KINDS, OTHERS)}
    for rule in rules:
        by_kind[kind_of(rule["rule"])].append(rule)
    statistics = None if source.crawl is None else source.crawl.model_dump(mode="json", exclude={"rules"})
    return {
        "source": source.source,
        "statistics": statistics,
        "rules": by_kind,
        "errors": sum(rule["pages"] for rule in by_kind["errors"]),
    }


def kind_of(rule: str) -> str:
    """Return the kind of *rule*.

    >>> [kind_of(rule) for rule in ("optout.noai", "http.404", "budget.pages", "content.not_html")]
    ['verdicts', 'errors', 'budgets', 'others']
    """
    return next((kind for kind, prefixes in _KINDS.items() if rule.startswith(prefixes)), OTHERS)


def result_label(result: str) -> str:
    """Return a key of `CrawlStatistics.results` as people read it.

    >>> result_label("404"), result_label("failed")
    ('404', 'no valid response')
    """
    return _RESULTS.get(result, result)


def _opt_outs(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """Return the opt-outs that kept documents from publication, by source, with the evidence as the message."""
    rows = tables.rows(
        f"""
        SELECT source, rule, count(*) AS pages, min(
            {{'url': left(url, {_CHARACTERS}), 'message': left(message, {_CHARACTERS})}}, {EXAMPLES}
        ) AS examples
        FROM ledger WHERE starts_with(rule, '{OPTOUT}') GROUP BY source, rule ORDER BY pages DESC, rule
        """
    )
    by_source: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_source.setdefault(row.pop("source"), []).append(row)
    return by_source
