"""Figures as people read them, the same in every command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from corpusmill.terminal.console import table

_UNITS: Final = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_URL_CHARACTERS: Final = 100


def size(number: float) -> str:
    """Return a number of bytes with its unit; 1 MB is 10^6 bytes.

    >>> size(512), size(1_234_567), size(25_300_000_000)
    ('512 B', '1.2 MB', '25.3 GB')
    """
    for unit, name in _UNITS:
        if number >= unit:
            return f"{number / unit:,.1f} {name}"
    return f"{number:,.0f} B"


def plural(number: int, noun: str) -> str:
    """Return a count and its noun.

    >>> plural(1, "file"), plural(2000, "file")
    ('1 file', '2,000 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def refused_lines(crawls: Sequence[Mapping[str, Any]], *, rules: int | None = None) -> list[str]:
    """Return lines on the pages that each of *crawls* refused, with one example of each rule.

    Args:
        rules: How many of the most frequent rules are listed; None: all.
    """
    lines: list[str] = []
    for crawl in crawls:
        shown = crawl["rules"][:rules]
        lines.append(f"the crawl of `{crawl['source']}` refused {plural(crawl['pages'], 'page')}, or got none:")
        rows = [{"rule": row["rule"], "pages": row["pages"], "for example": _example(row)} for row in shown]
        lines += [f"  {line}" for line in table(rows, ["rule", "pages", "for example"]).splitlines()]
        if rest := len(crawl["rules"]) - len(shown):
            lines.append(f"  and {plural(rest, 'more rule')}: see the report")
    return lines


def _example(rule: Mapping[str, Any]) -> str:
    url = next((str(page["url"]) for page in rule["examples"]), "")
    return url if len(url) <= _URL_CHARACTERS else url[: _URL_CHARACTERS - 1] + "…"
