"""Figures as people read them, the same in every command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from corpusmill.terminal.console import table

if TYPE_CHECKING:
    from corpusmill.schemas.crawl_statistics import CrawlStatistics
    from corpusmill.schemas.raw import RawManifest

_UNITS: Final = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_URL_CHARACTERS: Final = 100
_KINDS_SHOWN: Final = 6
_REFUSED: Final = "refused."
_UNANSWERED: Final = "unanswered."


def size(number: float) -> str:
    """Return a number of bytes with its unit; 1 MB is 10^6 bytes.

    >>> size(512), size(1_234_567), size(25_300_000_000)
    ('512 B', '1.2 MB', '25.3 GB')
    """
    for unit, name in _UNITS:
        if number >= unit:
            return f"{number / unit:,.1f} {name}"
    return f"{number:,.0f} B"


def moment(text: str | None) -> str:
    """Return a moment in ISO 8601 and UTC to the second, as a table shows it; empty for none.

    >>> moment("2026-11-30T03:39:50.691514+00:00"), moment(None)
    ('2026-11-30 03:39:50', '')
    """
    return "" if text is None else text[:19].replace("T", " ")


def plural(number: int, noun: str) -> str:
    """Return a count and its noun.

    >>> plural(1, "file"), plural(2000, "file")
    ('1 file', '2,000 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def registered_lines(manifest: RawManifest) -> list[str]:
    """Return lines about the registered files of a source: how many of each kind, and how many were skipped."""
    from corpusmill.schemas.raw import PASSED_OVER, SKIPPED_LINKS

    kinds = Counter(suffix_of(file.name) for file in manifest.files)
    place = "in place" if all(file.is_in_place for file in manifest.files) else "as copies"
    parts = [plural(len(manifest.files), "file"), size(sum(file.size for file in manifest.files))]
    parts += [plural(manifest.counts["records"], "record")] if "records" in manifest.counts else []
    lines = [f"{manifest.source}: registered {place} as {manifest.format}: {', '.join(parts)} ({_listed(kinds)})"]
    others = Counter({k.removeprefix(PASSED_OVER): n for k, n in manifest.counts.items() if k.startswith(PASSED_OVER)})
    if others:
        skipped = plural(others.total(), "file")
        lines.append(f"  skipped {skipped} that the format {manifest.format} does not read ({_listed(others)})")
    if links := manifest.counts.get(SKIPPED_LINKS):
        lines.append(f"  skipped {plural(links, 'symbolic link')}: to folders, out of the folder, or broken")
    return lines


_NO_LONGER: Final = "are no longer published, because their pages are gone"
_GONE: Final = {
    "gone.404": "not found in two recrawls in a row",
    "gone.410": "removed by the site",
    "gone.redirected": "redirects to another page",
    "gone.disallowed": "disallowed by robots.txt",
    "gone.noindex": "marked as noindex",
}
"""Why a page is gone, after a number of documents."""


def suffix_of(name: str) -> str:
    """Return what the name of a file ends with, from its last dot.

    >>> suffix_of("a.b/notes.MD"), suffix_of("README")
    ('.md', 'without a suffix')
    """
    return PurePosixPath(name).suffix.lower() or "without a suffix"


def _listed(kinds: Counter[str]) -> str:
    shown = [
        f"{n:,} × {kind}" for kind, n in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:_KINDS_SHOWN]
    ]
    return ", ".join(shown) + (", …" if len(kinds) > _KINDS_SHOWN else "")


def crawled_lines(manifest: RawManifest) -> list[str]:
    """Return lines on a crawl that is finished: what was fetched, and what was refused by rule."""
    counts = manifest.counts
    fetched = [f"{plural(counts.get(name, 0), name.removesuffix('s'))}" for name in ("pages", "redirects")]
    archives = size(sum(file.size for file in manifest.files))
    verb = "recrawled" if manifest.generation else "crawled"
    lines = [f"{manifest.source}: {verb} {', '.join(fetched)}, {archives} in {plural(len(manifest.files), 'archive')}"]
    if manifest.generation:
        fates = (("changed", "changed"), ("new", "new"), ("gone", "gone"), ("revisits", "stored already"))
        parts = [f"{counts[name]:,} {label}" for name, label in (*fates, ("carried", "carried over"))]
        parts += [f"{lost:,} lost with their archive"] if (lost := counts.get("lost", 0)) else []
        lines.append(f"  pages: {', '.join(parts)}")
    if manifest.statistics is not None:
        lines.append(f"  {_speed(manifest.statistics)}")
    unanswered = {name.removeprefix(_UNANSWERED): n for name, n in counts.items() if name.startswith(_UNANSWERED)}
    if unanswered:
        kinds = ", ".join(
            f"{n:,} × {kind}" for kind, n in sorted(unanswered.items(), key=lambda item: (-item[1], item[0]))
        )
        lines.append(f"  requests of rendered pages not answered, because they cannot change the text: {kinds}")
    rules = {name.removeprefix(_REFUSED): n for name, n in counts.items() if name.startswith(_REFUSED)}
    if rules:
        rows = [{"rule": rule, "URLs": n} for rule, n in sorted(rules.items(), key=lambda item: (-item[1], item[0]))]
        lines.append(f"  {plural(sum(rules.values()), 'URL')} not fetched:")
        lines += [f"    {line}" for line in table(rows, ["rule", "URLs"]).splitlines()]
    return lines


def _speed(statistics: CrawlStatistics) -> str:
    """Return how long a crawl ran, how fast it was, and how often it was resumed."""
    parts = [
        f"{statistics.duration_s:,.1f} s",
        f"{statistics.pages_per_s:,.1f} pages/s",
        f"{size(statistics.bytes)} downloaded",
    ]
    parts += [f"resumed {plural(statistics.processes - 1, 'time')}"] if statistics.processes > 1 else []
    return ", ".join(parts)


def gone_lines(gone: Mapping[str, int]) -> list[str]:
    """Return lines on the documents that are not published because a recrawl found their pages gone, by rule.

    >>> print(*gone_lines({"gone.404": 2, "gone.redirected": 1}), sep="\\n")
    3 documents are no longer published, because their pages are gone:
      2 not found in two recrawls in a row (gone.404)
      1 redirects to another page (gone.redirected)
    """
    if not gone:
        return []
    total, reasons = sum(gone.values()), sorted(gone.items(), key=lambda item: (-item[1], item[0]))
    which = "is no longer published, because its page is gone" if total == 1 else _NO_LONGER
    lines = [f"  {number:,} {_GONE.get(rule, '')} ({rule})" for rule, number in reasons]
    return [f"{plural(total, 'document')} {which}:", *lines]


def refused_lines(crawls: Sequence[Mapping[str, Any]], *, rules: int | None = None) -> list[str]:
    """Return lines on the URLs that each of *crawls* did not fetch, with one example of each rule.

    Args:
        rules: How many of the most frequent rules are listed; None: all.
    """
    lines: list[str] = []
    for crawl in crawls:
        shown = crawl["rules"][:rules]
        verb = "was" if crawl["pages"] == 1 else "were"
        lines.append(f"{plural(crawl['pages'], 'URL')} of `{crawl['source']}` {verb} not fetched:")
        rows = [{"rule": row["rule"], "URLs": row["pages"], "for example": _example(row)} for row in shown]
        lines += [f"  {line}" for line in table(rows, ["rule", "URLs", "for example"]).splitlines()]
        if rest := len(crawl["rules"]) - len(shown):
            lines.append(f"  and {plural(rest, 'more rule')}: see the report")
    return lines


def _example(rule: Mapping[str, Any]) -> str:
    url = next((str(page["url"]) for page in rule["examples"]), "")
    return url if len(url) <= _URL_CHARACTERS else url[: _URL_CHARACTERS - 1] + "…"
