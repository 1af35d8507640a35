"""Figures of a finished crawl, of bounded size: by result, host, depth and rule, and over time."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

MAX_HOSTS: Final = 20
MAX_DEPTHS: Final = 30
MAX_INTERVALS: Final = 60
MIN_INTERVAL_S: Final = 0.125
"""Interval lengths are this times a power of two, so that those of several crawls can be merged exactly."""
EXAMPLES: Final = 5
MAX_RULES_WITH_EXAMPLES: Final = 40
MAX_CHARACTERS: Final = 300
"""Characters of a URL or a message in an example."""
LATEST_S: Final = 300
"""Seconds at the end of a crawl for its latest speed."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RefusedUrl(_Model):
    """A URL that is not in the archive."""

    url: str
    message: str | None = None


class RuleStatistics(_Model):
    """The URLs that one rule refused."""

    rule: str
    urls: int = Field(description="Number of URLs.")
    examples: tuple[RefusedUrl, ...] = Field(
        default=(), description=f"At most {EXAMPLES}, chosen by a hash of the URL; only in the raw manifest."
    )


class HostStatistics(_Model):
    """The URLs of a host. URLs that are out of the scope of the source are not counted."""

    host: str | None = Field(description="Null for all hosts that are not listed.")
    hosts: int = Field(default=1, description="Number of hosts in the row.")
    pages: int = 0
    redirects: int = 0
    refused: int = 0
    bytes: int = Field(default=0, description="Of the bodies of pages, sitemaps and feeds.")


class DepthStatistics(_Model):
    """The URLs at one distance from the start pages."""

    depth: int = Field(description=f"Links from the start pages; {MAX_DEPTHS - 1} stands for this or more.")
    pages: int = 0
    redirects: int = 0
    refused: int = 0


class Interval(_Model):
    """What was settled in one interval."""

    pages: int = 0
    others: int = Field(
        default=0, description="Redirects, sitemaps, feeds, and queued URLs that failed or were refused."
    )
    bytes: int = 0


class Timeline(_Model):
    """The crawl over time, in intervals of equal length; the time between a kill and the resume is left out."""

    interval_s: float = Field(default=MIN_INTERVAL_S, description="0.125 times a power of two.")
    intervals: tuple[Interval, ...] = ()


class CrawlStatistics(_Model):
    """Figures of a finished crawl.

    The version of a data set does not depend on them: they describe how pages were fetched, not what is in them.
    """

    pages: int = Field(description="Archived pages.")
    redirects: int = Field(description="Archived redirects.")
    refused: int = Field(description="URLs that are not archived: failed, refused, or left in the queue.")
    requests: int = Field(
        description="Requests whose responses are in the archive, with those for robots.txt and sitemaps."
    )
    bytes: int = Field(description="Of the bodies of pages, sitemaps and feeds, as they were sent.")
    duration_s: float = Field(
        description="From the start of a process to the last URL that it settled, without the time between a kill and "
        "the resume."
    )
    pages_per_s: float = Field(description="In the whole crawl.")
    latest_pages_per_s: float = Field(description=f"In the last {LATEST_S} seconds.")
    processes: int = Field(description="Processes that ran the crawl: one, and one more for each resume.")
    results: dict[str, int] = Field(
        description="URLs by result: a status code, `3xx` for redirects, `unchanged` (its body was stored by an "
        "earlier crawl), `failed`, `not_kept` (answered, but refused), and `not_requested`."
    )
    hosts: tuple[HostStatistics, ...] = Field(description="Those with the most pages, then one row for the others.")
    depths: tuple[DepthStatistics, ...] = Field(description="By the number of links from the start pages.")
    rules: tuple[RuleStatistics, ...] = Field(description="The most frequent rule first.")
    timeline: Timeline = Field(description=f"At most {MAX_INTERVALS} intervals.")

    def without_examples(self) -> CrawlStatistics:
        """Return the statistics without addresses of pages, which may have personal data."""
        rules = tuple(rule.model_copy(update={"examples": ()}) for rule in self.rules)
        return self.model_copy(update={"rules": rules})

    def as_json(self) -> dict[str, Any]:
        """Return the statistics as JSON values."""
        return self.model_dump(mode="json")


def example_order(url: str) -> tuple[bytes, str]:
    """Return the key by which examples are chosen: the smallest ones, whatever the order in which URLs were fetched."""
    return hashlib.blake2b(url.encode("utf-8", "surrogatepass"), digest_size=8).digest(), url


def rate(pages: int, seconds: float) -> float:
    """Return pages per second, with three decimals; 0 for no time."""
    return round(pages / seconds, 3) if seconds > 0 else 0.0


def interval_length(seconds: float) -> float:
    """Return the smallest length with which *seconds* are at most `MAX_INTERVALS` intervals.

    >>> interval_length(7.5), interval_length(8), interval_length(86_400)
    (0.125, 0.25, 2048.0)
    """
    needed = max(1.0, seconds / MAX_INTERVALS / MIN_INTERVAL_S)
    return float(MIN_INTERVAL_S * 2 ** math.ceil(math.log2(needed)))


def listed_hosts(rows: Iterable[HostStatistics]) -> tuple[HostStatistics, ...]:
    """Return the rows of the hosts with the most pages, then one for the others."""
    ordered = sorted(rows, key=lambda row: (row.host is None, -row.pages, -row.redirects, -row.refused, row.host or ""))
    named = [row for row in ordered if row.host is not None][:MAX_HOSTS]
    others = ordered[len(named) :]
    return (*named, *([_summed_hosts(others, host=None)] if others else []))


def listed_rules(rows: Iterable[RuleStatistics]) -> tuple[RuleStatistics, ...]:
    """Return *rows* in their order, without the examples of rare rules if there are very many rules."""
    ordered = sorted(rows, key=lambda row: (-row.urls, row.rule))
    rare = [row.model_copy(update={"examples": ()}) for row in ordered[MAX_RULES_WITH_EXAMPLES:]]
    return (*ordered[:MAX_RULES_WITH_EXAMPLES], *rare)


def merged_statistics(parts: Sequence[CrawlStatistics]) -> CrawlStatistics:
    """Return the statistics of a crawl whose hosts were divided among machines that started together.

    The order of *parts* does not matter. A host that is not listed in any part is counted once for each part.

    Raises:
        ValueError: There are no *parts*.
    """
    if not parts:
        raise ValueError("no statistics to merge")
    pages, duration_s = sum(part.pages for part in parts), max(part.duration_s for part in parts)
    results: Counter[str] = Counter()
    for part in parts:
        results.update(part.results)
    return CrawlStatistics(
        pages=pages,
        redirects=sum(part.redirects for part in parts),
        refused=sum(part.refused for part in parts),
        requests=sum(part.requests for part in parts),
        bytes=sum(part.bytes for part in parts),
        duration_s=duration_s,
        pages_per_s=rate(pages, duration_s),
        latest_pages_per_s=round(sum(part.latest_pages_per_s for part in parts), 3),
        processes=sum(part.processes for part in parts),
        results=dict(sorted(results.items())),
        hosts=_merged_hosts([row for part in parts for row in part.hosts]),
        depths=_merged_depths([row for part in parts for row in part.depths]),
        rules=_merged_rules([row for part in parts for row in part.rules]),
        timeline=_merged_timelines([part.timeline for part in parts]),
    )


def _merged_hosts(rows: Sequence[HostStatistics]) -> tuple[HostStatistics, ...]:
    names = dict.fromkeys(row.host for row in rows)
    return listed_hosts(_summed_hosts([row for row in rows if row.host == host], host=host) for host in names)


def _summed_hosts(rows: Sequence[HostStatistics], *, host: str | None) -> HostStatistics:
    return HostStatistics(
        host=host,
        hosts=1 if host is not None else sum(row.hosts for row in rows),
        pages=sum(row.pages for row in rows),
        redirects=sum(row.redirects for row in rows),
        refused=sum(row.refused for row in rows),
        bytes=sum(row.bytes for row in rows),
    )


def _merged_depths(rows: Sequence[DepthStatistics]) -> tuple[DepthStatistics, ...]:
    merged = []
    for depth in sorted({row.depth for row in rows}):
        same = [row for row in rows if row.depth == depth]
        pages, redirects, refused = (
            sum(column) for column in zip(*((row.pages, row.redirects, row.refused) for row in same), strict=True)
        )
        merged.append(DepthStatistics(depth=depth, pages=pages, redirects=redirects, refused=refused))
    return tuple(merged)


def _merged_rules(rows: Sequence[RuleStatistics]) -> tuple[RuleStatistics, ...]:
    merged = []
    for rule in {row.rule for row in rows}:
        same = [row for row in rows if row.rule == rule]
        examples = {example.url: example for row in same for example in row.examples}
        chosen = sorted(examples.values(), key=lambda example: example_order(example.url))[:EXAMPLES]
        merged.append(RuleStatistics(rule=rule, urls=sum(row.urls for row in same), examples=tuple(chosen)))
    return listed_rules(merged)


def _merged_timelines(timelines: Sequence[Timeline]) -> Timeline:
    longest = max(timeline.interval_s for timeline in timelines)
    rows = [_coarser(timeline, longest) for timeline in timelines]
    return Timeline(interval_s=longest, intervals=tuple(map(_summed, zip_longest(*rows, fillvalue=Interval()))))


def _coarser(timeline: Timeline, interval_s: float) -> list[Interval]:
    """Return the intervals of *timeline* in groups of *interval_s*, a multiple of their length."""
    size = round(interval_s / timeline.interval_s)
    rows = timeline.intervals
    return [_summed(rows[start : start + size]) for start in range(0, len(rows), size)]


def _summed(rows: Sequence[Interval]) -> Interval:
    return Interval(
        pages=sum(row.pages for row in rows),
        others=sum(row.others for row in rows),
        bytes=sum(row.bytes for row in rows),
    )
