"""The statistics of a crawl that several machines shared are those of one crawl."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.schemas.crawl_statistics import (
    EXAMPLES,
    MAX_HOSTS,
    MAX_INTERVALS,
    MIN_INTERVAL_S,
    CrawlStatistics,
    DepthStatistics,
    HostStatistics,
    Interval,
    RefusedUrl,
    RuleStatistics,
    Timeline,
    example_order,
    interval_length,
    listed_hosts,
    merged_statistics,
)

COUNTS = st.integers(0, 1_000)
RULES = st.sampled_from(("http.404", "robots.disallowed", "error.dns"))


@st.composite
def statistics(draw: st.DrawFn) -> CrawlStatistics:
    """Return statistics whose parts add up."""
    pages = draw(st.lists(COUNTS, max_size=MAX_INTERVALS))
    intervals = tuple(Interval(pages=number, others=draw(COUNTS), bytes=number) for number in pages)
    names = draw(st.lists(st.text("abc", min_size=1, max_size=2), max_size=12, unique=True))
    hosts = [HostStatistics(host=name, pages=draw(COUNTS), refused=draw(COUNTS)) for name in names]
    rules = draw(st.dictionaries(RULES, st.lists(st.text("xyz", max_size=3), min_size=1, max_size=9, unique=True)))
    depths = draw(st.dictionaries(st.integers(0, 29), COUNTS, max_size=4))
    interval_s = MIN_INTERVAL_S * 2 ** draw(st.integers(0, 12))
    return CrawlStatistics(
        pages=sum(pages),
        redirects=draw(COUNTS),
        refused=sum(map(len, rules.values())),
        requests=draw(COUNTS),
        bytes=sum(pages),
        duration_s=len(pages) * interval_s,
        pages_per_s=0.0,
        latest_pages_per_s=0.0,
        processes=1,
        results=draw(st.dictionaries(st.sampled_from(("200", "404", "failed")), st.integers(1, 9))),
        hosts=tuple(hosts),
        depths=tuple(DepthStatistics(depth=depth, pages=number) for depth, number in sorted(depths.items())),
        rules=tuple(
            RuleStatistics(rule=rule, urls=len(urls), examples=_examples(urls)) for rule, urls in rules.items()
        ),
        timeline=Timeline(interval_s=interval_s, intervals=intervals),
    )


def _examples(urls: list[str]) -> tuple[RefusedUrl, ...]:
    return tuple(RefusedUrl(url=url) for url in sorted(urls, key=example_order)[:EXAMPLES])


@settings(max_examples=40)
@given(parts=st.lists(statistics(), min_size=1, max_size=4), order=st.randoms(use_true_random=False))
def test_merging_loses_nothing_and_does_not_depend_on_the_order(parts: list[CrawlStatistics], order: object) -> None:
    """A table of the whole crawl has every URL of its parts."""
    whole = merged_statistics(parts)

    assert whole.pages == sum(row.pages for row in whole.timeline.intervals) == sum(part.pages for part in parts)
    assert sum(whole.results.values()) == sum(sum(part.results.values()) for part in parts)
    for table in ("hosts", "depths"):
        rows = [row for part in parts for row in getattr(part, table)]
        assert sum(row.pages for row in getattr(whole, table)) == sum(row.pages for row in rows)
        assert sum(row.refused for row in getattr(whole, table)) == sum(row.refused for row in rows)
    assert sum(rule.urls for rule in whole.rules) == whole.refused == sum(part.refused for part in parts)
    assert whole.duration_s == max(part.duration_s for part in parts)
    assert len(whole.timeline.intervals) <= MAX_INTERVALS
    assert merged_statistics(sorted(parts, key=lambda part: order.random())) == whole  # type: ignore[attr-defined]


@given(parts=st.lists(st.lists(st.text("xyz", max_size=4), min_size=1, unique=True), min_size=1, max_size=4))
def test_examples_of_a_divided_crawl_are_those_of_one_crawl(parts: list[list[str]]) -> None:
    """They are chosen by hash, so neither the order nor the machine matters."""
    everything = {url for urls in parts for url in urls}

    whole = merged_statistics([_with_rule(urls) for urls in parts])

    assert whole.rules[0].examples == _examples(list(everything))


def _with_rule(urls: list[str]) -> CrawlStatistics:
    rule = RuleStatistics(rule="http.404", urls=len(urls), examples=_examples(urls))
    counts = dict.fromkeys(("pages", "redirects", "refused", "requests", "bytes", "processes"), 1)
    speeds = dict.fromkeys(("duration_s", "pages_per_s", "latest_pages_per_s"), 1.0)
    return CrawlStatistics(**counts, **speeds, results={}, hosts=(), depths=(), rules=(rule,), timeline=Timeline())


@given(seconds=st.floats(0, 10**8))
def test_intervals_are_few_and_not_longer_than_needed(seconds: float) -> None:
    """A day has no more intervals than a minute, and at least half as many."""
    length = interval_length(seconds)

    assert seconds / length <= MAX_INTERVALS
    assert length == MIN_INTERVAL_S or seconds / length > MAX_INTERVALS / 2


def test_intervals_of_different_lengths_are_merged_by_time() -> None:
    """A machine that ran for four seconds, and one that ran for one second, started together."""
    long = _with_rule(["a"]).model_copy(update={"timeline": _timeline(2.0, 10, 20)})
    short = _with_rule(["b"]).model_copy(update={"timeline": _timeline(0.5, 1, 2)})

    assert merged_statistics([long, short]).timeline == _timeline(2.0, 10 + 1 + 2, 20)


def _timeline(interval_s: float, *pages: int) -> Timeline:
    return Timeline(interval_s=interval_s, intervals=tuple(Interval(pages=number) for number in pages))


def test_hosts_beyond_the_listed_ones_are_one_row() -> None:
    """A million hosts have a table of bounded size that still adds up."""
    rows = [HostStatistics(host=f"h{number}", pages=number) for number in range(MAX_HOSTS + 5)]

    listed = listed_hosts(reversed(rows))

    assert [row.host for row in listed[:2]] == ["h24", "h23"]
    assert all(one.pages >= other.pages for one, other in pairwise(listed[:-1]))
    assert listed[-1] == HostStatistics(host=None, hosts=5, pages=0 + 1 + 2 + 3 + 4)


def test_nothing_cannot_be_merged() -> None:
    """There is no crawl without a machine."""
    with pytest.raises(ValueError, match="no statistics"):
        merged_statistics([])
