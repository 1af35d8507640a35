"""A crawl that fetched nothing names the field of the recipe to change."""

from __future__ import annotations

import pytest

from corpusmill.crawlers.nothing_fetched import nothing_fetched
from corpusmill.schemas.recipe import CrawlSource


@pytest.mark.parametrize(
    ("fields", "rules", "field", "hint"),
    [
        ({"feeds": ("http://a/feed",)}, (), "feeds", "name at least one address of a page in `feeds`"),
        ({"urls": "u.txt", "feeds": ("http://a/f",)}, ("http.404",), "feeds", "the addresses in `feeds` or `urls`"),
        ({"start_urls": ("http://a/",), "sitemaps": True}, ("http.404",), "start_urls", "`start_urls` or `sitemaps`"),
        ({"sitemaps": ("http://a/s.xml",)}, ("sitemap.invalid",), "sitemaps", "correct the addresses in `sitemaps`"),
        ({"start_urls": ("http://a/",)}, ("scope.offsite",), "start_urls", "name that host in `start_urls`"),
        ({"urls": "u.txt"}, ("robots.disallowed",), "urls", "name another site in `urls`"),
        ({"urls": "u.txt"}, ("robots.crawl_delay",), "urls", "shorter Crawl-delay, or name another site in `urls`"),
        ({"urls": "u.txt"}, ("address.private",), "allow_private", "set `allow_private: true`"),
    ],
)
def test_the_error_names_a_field_that_is_set(
    fields: dict[str, object], rules: tuple[str, ...], field: str, hint: str
) -> None:
    """A hint to correct `start_urls` helps nobody who has none."""
    source = CrawlSource(name="site", contact="mailto:a@example.org", **fields)

    error = nothing_fetched(source, dict.fromkeys(rules), "why")

    assert error.field == field
    assert error.value == getattr(source, field)
    assert hint in (error.hint or "")
