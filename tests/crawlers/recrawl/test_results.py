"""When a page is due, and when it is gone, follows from what is known about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.recrawl.intervals import is_due, next_interval_s
from corpusmill.crawlers.recrawl.known import Result
from corpusmill.crawlers.recrawl.results import page_after
from corpusmill.schemas.crawl_source import Recrawl
from corpusmill.schemas.crawled_page import CrawledPage

DAY_S = 86_400
DAY = DAY_S * 1_000_000
BOUNDS = Recrawl.model_validate({"min_interval": "1d", "max_interval": "3d"})
PAGE = CrawledPage(
    *("http://a/", "page", "http://a/", 200), text_digest="t", file="f", offset=0, asked_at=0, interval_s=DAY_S
)


def nights_asked(answers: str) -> list[int]:
    """Return the nights on which a page is asked for whose text each night is a letter of *answers*."""
    page, asked = PAGE, []
    for night, text in enumerate(answers, start=1):
        if is_due(page, now=night * DAY):
            asked.append(night)
            after = CrawledPage("http://a/", "page", "http://a/", 200, text_digest=text, file="f", offset=0)
            changed = page_after(Result("http://a/", page, after), at=night * DAY, bounds=BOUNDS)
            assert changed is not None
            page = changed
    return asked


def test_a_page_that_changes_is_asked_for_more_often() -> None:
    """Intervals of 1, 1.5, 2.25 and 3 days, of which a page is due after nine tenths."""
    assert nights_asked("tttttttttt") == [1, 3, 6, 9]
    assert nights_asked("abcdefghij") == list(range(1, 11))
    assert nights_asked("tttttaabbb") == [1, 3, 6, 8, 9]


@given(before=st.integers(0, 10**9), changed=st.booleans())
def test_an_interval_stays_within_its_bounds(before: int, changed: bool) -> None:
    """Also if the bounds in the recipe changed since the last crawl."""
    low, high = BOUNDS.seconds

    assert low <= next_interval_s(before, changed=changed, bounds=BOUNDS) <= high
    assert next_interval_s(before, changed=changed, bounds=None) == 0


def test_without_bounds_a_page_is_always_due() -> None:
    """Also if the clock of the last crawl was ahead."""
    page = CrawledPage("http://a/", "page", "http://a/", 200, asked_at=9 * DAY)

    assert is_due(page, now=9 * DAY)
    assert is_due(page, now=8 * DAY)


def fate(answers: list[tuple[str | None, int]]) -> list[str | None]:
    """Return the rule by which a page is gone after each of *answers*: a rule, or None and a status."""
    page, rules = PAGE, []
    for night, (rule, status) in enumerate(answers):
        after = None if rule else CrawledPage(PAGE.url, "page" if status == 200 else "redirect", PAGE.url, status)
        now = page_after(Result(PAGE.url, page, after, rule, "why"), at=night * DAY, bounds=None)
        assert now is not None
        page = now
        rules.append(page.gone)
    return rules


@pytest.mark.parametrize(
    ("answers", "rules"),
    [
        ([("http.404", 0), ("http.404", 0), ("http.410", 0)], [None, "gone.404", "gone.404"]),
        ([("http.404", 0), ("http.410", 0)], [None, "gone.410"]),
        ([("http.404", 0), (None, 200), ("http.404", 0)], [None, None, None]),
        ([("http.404", 0), ("http.503", 0), ("http.404", 0)], [None, None, "gone.404"]),
        ([("http.500", 0), ("error.timeout", 0), ("http.403", 0)], [None, None, None]),
        ([(None, 302), (None, 302), (None, 200)], [None, "gone.redirected", None]),
        ([(None, 308)], ["gone.redirected"]),
        ([("robots.noindex", 0), ("http.404", 0)], ["gone.noindex", "gone.noindex"]),
        ([("robots.disallowed", 0)], ["gone.disallowed"]),
    ],
)
def test_a_page_is_gone_after_two_misses_or_when_its_owner_says_so(
    answers: list[tuple[str | None, int]], rules: list[str | None]
) -> None:
    """The first reason stays, so that versions are equal while the page is gone. A failure is not a miss."""
    assert fate(answers) == rules


def test_a_page_that_is_gone_is_asked_for_less_and_less() -> None:
    """It may come back, but most do not."""
    page, asked = PAGE, []
    for night in range(1, 12):
        if is_due(page, now=night * DAY):
            asked.append(night)
            missed = page_after(Result(PAGE.url, page, None, "http.404", None), at=night * DAY, bounds=None)
            assert missed is not None
            page = missed

    assert page.gone_at == 2 * DAY
    assert asked == [1, 2, 3, 4, 6, 10]
