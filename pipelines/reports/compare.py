"""Compare the main figures of two versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from corpusmill.pipelines.reports.crawls import result_label

_SIZES: Final = (
    ("documents", "Documents", "count"),
    ("text_bytes", "Text", "size"),
    ("words", "Words", "count"),
    ("tokens_estimated", "Tokens, estimated", "count"),
    ("shards", "Shards", "count"),
    ("read", "Records read", "count"),
    ("ledger", "Records in the ledger", "count"),
)
_SHARES: Final = {
    "Published share": ("documents", "read"),
    "Unknown license": ("unknown", "documents"),
    "Removed as copies": ("copies", "read"),
}
MAX_ROWS: Final = 20
"""Sources that are compared by name at most, and rules."""


def comparison(figures: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Compare *figures* with those of an *other* version.

    A row has `label`, `kind` (count, size, percent, seconds), `here`, `there` and `difference` (here minus there). A
    figure that a version does not have is None.
    """
    return {
        "dataset": other["dataset"],
        "version": other["version"],
        "figures": [_row(label, kind, here, there) for label, kind, here, there in _main(figures, other)],
        "sources": _named(figures, other, part="sources", name="source"),
        "rules": _named(figures, other, part="rules", name="rule"),
        "crawls": _crawls(figures, other),
    }


def _crawls(figures: dict[str, Any], other: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare the URLs of each crawl by their result, and by the verdicts of robots.txt and opt-outs."""
    here, there = ({crawl["source"]: crawl for crawl in one["crawls"]} for one in (figures, other))
    return [
        {
            "source": name,
            "results": _counted(*(_results(crawls.get(name)) for crawls in (here, there)), label=result_label),
            "verdicts": _counted(*(_verdicts(crawls.get(name)) for crawls in (here, there)), label=str),
        }
        for name in sorted({*here, *there})[:MAX_ROWS]
    ]


def _results(crawl: dict[str, Any] | None) -> dict[str, int] | None:
    statistics = None if crawl is None else crawl["statistics"]
    return None if statistics is None else dict(statistics["results"])


def _verdicts(crawl: dict[str, Any] | None) -> dict[str, int] | None:
    return None if crawl is None else {rule["rule"]: rule["pages"] for rule in crawl["rules"]["verdicts"]}


def _counted(
    here: dict[str, int] | None, there: dict[str, int] | None, *, label: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Compare two counts by name, the largest first; a missing name counts as 0 unless all counts are missing."""
    largest = Counter(here or {}) | Counter(there or {})
    names = sorted(largest, key=lambda name: (-largest[name], name))[:MAX_ROWS]
    values = [[None if counts is None else counts.get(name, 0) for counts in (here, there)] for name in names]
    return [_row(label(name), "count", *pair) for name, pair in zip(names, values, strict=True)]


def _row(label: str, kind: str, here: float | None, there: float | None) -> dict[str, Any]:
    difference = None if here is None or there is None else here - there
    return {"label": label, "kind": kind, "here": here, "there": there, "difference": difference}


def _main(figures: dict[str, Any], other: dict[str, Any]) -> Iterator[tuple[str, str, float | None, float | None]]:
    for name, label, kind in _SIZES:
        yield label, kind, figures["sizes"][name], other["sizes"][name]
    for label, part in _SHARES.items():
        yield label, "percent", _share(figures, *part), _share(other, *part)
    yield "CPU time", "seconds", figures["cost"]["cpu_s"], other["cost"]["cpu_s"]


def _share(figures: dict[str, Any], part: str, whole: str) -> float | None:
    counts = {
        **figures["sizes"],
        "unknown": figures["licenses"]["unknown"],
        "copies": sum(rule["documents"] for rule in figures["duplicates"]["rules"]),
    }
    return counts[part] / counts[whole] if counts[whole] else None


def _named(figures: dict[str, Any], other: dict[str, Any], *, part: str, name: str) -> list[dict[str, Any]]:
    """Compare documents by the *name* of the rows of a *part*; a missing name counts as 0."""
    here, there = (_totals(one[part], name) for one in (figures, other))
    names = sorted({*here, *there}, key=lambda key: (-max(here.get(key, 0), there.get(key, 0)), key))
    return [_row(key, "count", here.get(key, 0), there.get(key, 0)) for key in names[:MAX_ROWS]]


def _totals(rows: list[dict[str, Any]], name: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for row in rows:
        totals[row[name]] = totals.get(row[name], 0) + row["documents"]
    return totals
