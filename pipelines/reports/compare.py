"""Compare the main figures of two versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

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
    }


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
