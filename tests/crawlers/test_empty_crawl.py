"""A crawl without a page says which URLs failed, by which rule, and what helps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from corpusmill.crawlers.empty_crawl import empty_crawl
from corpusmill.crawlers.frontier.ledger import LedgerRow
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import SourceError, UnfinishedError

START = {"start_urls": ["https://example.org/"]}
FEED = {"feeds": ["https://example.org/feed.xml"]}


def _source(**fields: Any) -> CrawlSource:
    return CrawlSource.model_validate_json(json.dumps({"name": "docs", "contact": "mailto:you@example.org", **fields}))


def _row(rule: str, message: str | None = None, url: str = "https://example.org/") -> LedgerRow:
    return url, None, 0, rule, message, None


def test_each_rule_is_named_with_its_first_url_and_its_number() -> None:
    """With ten start pages, one example is enough, but not without the number."""
    rows = [_row("http.404", "HTTP/1.1 404", f"https://example.org/{n}") for n in range(3)]

    error = empty_crawl(_source(**START), [*rows, _row("content.not_html", "application/pdf")])

    assert str(error).endswith(
        "crawl of `docs`: nothing could be fetched: content.not_html: https://example.org/ (application/pdf); "
        "http.404: https://example.org/0 and 2 more (HTTP/1.1 404)"
    )


@pytest.mark.parametrize(
    ("fields", "rule", "hint"),
    [
        (START, "robots.disallowed", "ask its owner, or choose other addresses in `start_urls`"),
        (START, "robots.crawl_delay", "a shorter Crawl-delay"),
        (START, "robots.noindex", "ask not to be kept"),
        (START, "scope.offsite", "use that host in `start_urls`"),
        (START, "content.not_html", "only web pages and plain text are crawled"),
        (START, "address.private", "set `allow_private: true`"),
        (START, "http.404", "correct the addresses in `start_urls`"),
        (FEED, "http.404", "correct the addresses in `feeds`"),
        ({**START, **FEED}, "feed.invalid", "correct the addresses in `start_urls` and `feeds`"),
    ],
)
def test_the_hint_names_the_fields_of_the_recipe(fields: dict[str, Any], rule: str, hint: str) -> None:
    """A recipe with a feed alone has no `start_urls` that could be corrected."""
    error = empty_crawl(_source(**fields), [_row(rule)])

    assert isinstance(error, SourceError)
    assert hint in (error.hint or "")


@pytest.mark.parametrize("rule", ["http.503", "http.429", "error.dns", "robots.unreachable"])
def test_what_may_pass_is_worth_a_retry(rule: str) -> None:
    """A schedule retries exit code 5, and the hint names the address that failed, not the first one."""
    error = empty_crawl(_source(**START), [_row("http.404"), _row(rule, url="https://example.org/b")])

    assert isinstance(error, UnfinishedError)
    assert "check that https://example.org/b can be reached" in (error.hint or "")


def test_a_feed_without_entries_is_named() -> None:
    """It is a valid feed, so no rule refused anything."""
    error = empty_crawl(_source(**FEED), [])

    assert str(error).endswith("nothing could be fetched: `feeds` list no page")
    assert error.hint == "name at least one address of a page in `feeds`"


@pytest.mark.parametrize(
    ("fields", "rules", "field"),
    [
        (FEED, [], "feeds"),
        ({"urls": "u.txt", **FEED}, ["http.404"], "feeds"),
        ({**START, "sitemaps": True}, ["http.404"], "start_urls"),
        ({"urls": "u.txt"}, ["robots.disallowed"], "urls"),
        ({"urls": "u.txt"}, ["address.private"], "allow_private"),
    ],
)
def test_the_error_names_a_field_that_can_be_changed(fields: dict[str, Any], rules: list[str], field: str) -> None:
    """It gets the place of this field in the recipe."""
    source = _source(**fields)

    error = empty_crawl(source, [_row(rule) for rule in rules])

    assert (error.field, error.value) == (field, getattr(source, field))
