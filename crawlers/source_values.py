"""What the process of a crawl needs to know about its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from corpusmill.crawlers.frontier.limits import Limits

if TYPE_CHECKING:
    from corpusmill.schemas.crawl_source import CrawlSource


@dataclass(frozen=True)
class SourceValues:
    """The values of a validated `CrawlSource` that decide what is fetched.

    A plain dataclass, because importing the models of recipes takes as long as reading a hundred pages.

    Args:
        start_urls: Pages, sitemaps and feeds are those that the recipe lists.
        finds_sitemaps: Whether the sitemaps that robots.txt names are read, as `finds_feeds` for those of start pages.
        limits: The budgets.
    """

    name: str
    contact: str
    start_urls: tuple[str, ...]
    sitemaps: tuple[str, ...]
    feeds: tuple[str, ...]
    finds_sitemaps: bool
    finds_feeds: bool
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    max_depth: int | None
    limits: Limits
    delay: float
    allow_private: bool
    cookies: bool
    render: bool

    @classmethod
    def of(cls, source: CrawlSource) -> SourceValues:
        """Return the values of *source*."""
        return cls(
            name=source.name,
            contact=source.contact,
            start_urls=source.start_urls,
            sitemaps=source.listed_sitemaps,
            feeds=source.listed_feeds,
            finds_sitemaps=source.sitemaps is True,
            finds_feeds=source.feeds is True,
            allow=source.allow,
            deny=source.deny,
            max_depth=source.max_depth,
            limits=Limits.of(source.max_pages, source.budgets),
            delay=source.delay,
            allow_private=source.allow_private,
            cookies=source.cookies,
            render=source.render,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the values as they are sent to the process."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SourceValues:
        """Return the values of the result of `as_json`, which may have been JSON in between."""
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list | tuple)}
        return cls(**{**values, **lists, "limits": Limits(**values["limits"])})
