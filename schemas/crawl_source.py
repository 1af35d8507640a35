"""The source `crawl` of a recipe: a web site, where to start, what to follow, and what it may use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from corpusmill.schemas.budgets import CrawlBudgets
from corpusmill.schemas.field_types import Contact, Duration, Listings, Name, Part, Pattern, WebAddress, non_empty_paths
from corpusmill.schemas.problems import HintedValueError
from corpusmill.schemas.quantities import format_duration
from corpusmill.schemas.respect import RESPECT_DESCRIPTION, Respect
from corpusmill.schemas.selectors import DROP_DESCRIPTION, SELECT_DESCRIPTION, Selector


class Recrawl(Part):
    """Bounds of the time after which a recrawl asks for a page again.

    It adapts to the page: shorter when its text changed, longer when it did not.
    """

    min_interval: Duration = Field(
        default=timedelta(days=1), description="Shortest interval; that of a new page.", examples=["1d"]
    )
    max_interval: Duration = Field(default=timedelta(days=30), description="Longest interval.", examples=["30d"])

    @field_validator("min_interval", "max_interval")
    @classmethod
    def _is_bound(cls, interval: timedelta | None) -> timedelta:
        if interval is None:
            raise HintedValueError("a page must be asked for at some time", instead="30d")
        return interval

    @model_validator(mode="after")
    def _ordered(self) -> Recrawl:
        low, high = (format_duration(interval) for interval in (self.min_interval, self.max_interval))
        if self.seconds[0] > self.seconds[1]:
            problem = f"`min_interval: {low}` is longer than `max_interval: {high}`"
            raise HintedValueError(problem, instead={"min_interval": high, "max_interval": low}, is_complete=True)
        return self

    @property
    def seconds(self) -> tuple[float, float]:
        """The bounds in seconds."""
        assert self.min_interval is not None, "the validator refuses it"
        assert self.max_interval is not None, "the validator refuses it"
        return self.min_interval.total_seconds(), self.max_interval.total_seconds()


class CrawlSource(Part):
    """A web site, crawled from its start pages, or from the pages in its sitemaps, its feeds or a list of URLs."""

    kind: ClassVar[Literal["crawl"]] = "crawl"
    format: ClassVar[str] = "warc"

    name: Name = Field(description="Name of the source; part of every document's id.", examples=["notes"])
    start_urls: tuple[WebAddress, ...] = Field(
        default=(),
        description="Pages at which the crawl starts. They may be left out if `sitemaps`, `feeds` or `urls` names "
        "addresses.",
        examples=[["https://example.org/"]],
    )
    sitemaps: Listings = Field(
        default=None,
        description="Sitemaps whose pages are crawled: a list of addresses, or `true` for those that robots.txt names.",
        examples=[["https://example.org/sitemap.xml"]],
    )
    feeds: Listings = Field(
        default=None,
        description="RSS, Atom and JSON feeds whose pages are crawled: a list of addresses, or `true` for those that "
        "start pages announce.",
        examples=[["https://example.org/feed.xml"]],
    )
    urls: str | tuple[str, ...] | None = Field(
        default=None,
        description="Files with a URL per line, at which the crawl starts as well: a path or pattern, or a list of "
        "them, as in `path` of `load`. They are read when a crawl starts.",
        examples=["urls.txt"],
    )
    contact: Contact = Field(
        description="Address for the site's owner, `mailto:…` or `https://…`; sent in the user agent.",
        examples=["mailto:you@example.org"],
    )
    allow: tuple[Pattern, ...] = Field(
        default=(),
        description="Regular expressions, found anywhere in a URL; only matching URLs are crawled. Empty: all.",
        examples=[["/articles/"]],
    )
    deny: tuple[Pattern, ...] = Field(
        default=(),
        description="Regular expressions, found anywhere in a URL; matching URLs are not crawled.",
        examples=[["/login"]],
    )
    max_pages: int | None = Field(default=10_000, ge=1, description="Maximum number of pages; null: no limit.")
    max_depth: int | None = Field(
        default=None, ge=0, description="Maximum number of links from a start page; null: no limit."
    )
    budgets: CrawlBudgets | None = Field(
        default=None,
        description="What the crawl may use besides `max_pages`, in all and per host; null: no limit.",
        examples=[{"bytes": "10GB", "seconds": "8h", "per_host": {"pages": 1000}}],
    )
    delay: float = Field(default=1.0, ge=0, le=3600, description="Seconds between two requests to a host.")
    allow_private: bool = Field(default=False, description="Also crawl private and loopback addresses.")
    cookies: bool = Field(
        default=False, description="Send the cookies that a host sets back to this host; otherwise, they are ignored."
    )
    license: str | None = Field(
        default=None,
        description="SPDX expression for pages without a license of their own. A change fetches nothing.",
        examples=["CC-BY-4.0"],
    )
    respect: Respect = Field(default="all", description=RESPECT_DESCRIPTION, examples=[["noai", "tdm"]])
    select: tuple[Selector, ...] = Field(default=(), description=SELECT_DESCRIPTION, examples=[["article"]])
    drop: tuple[Selector, ...] = Field(default=(), description=DROP_DESCRIPTION, examples=[[".related"]])
    render: bool = Field(
        default=False,
        description="Run the scripts of pages in Chromium and publish the rendered pages. Needs the extra `browser`.",
    )
    refresh: Duration = Field(
        default=None,
        description="Age after which `run` recrawls the site, from nine tenths of it; default: `never`.",
        examples=["7d"],
    )
    recrawl: Recrawl | None = Field(
        default=None,
        description="When a recrawl asks for a page again. Null: each recrawl asks for every page.",
        examples=[{"min_interval": "1d", "max_interval": "30d"}],
    )

    @field_validator("urls")
    @classmethod
    def _not_empty(cls, urls: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        return None if urls is None else non_empty_paths(urls)

    @model_validator(mode="after")
    def _has_a_beginning(self) -> CrawlSource:
        if not (self.start_urls or self.listed_sitemaps or self.listed_feeds or self.url_files):
            value = "`[]`" if "start_urls" in self.model_fields_set else "missing"
            problem = f"no address to start at: `start_urls` is {value}, and `sitemaps`, `feeds` and `urls` name none"
            hint = "for example `start_urls: ['https://example.org/']`, or list addresses in `sitemaps` or `feeds`"
            raise HintedValueError(problem, hint=hint, at=("start_urls",))
        return self

    @property
    def listed_sitemaps(self) -> tuple[str, ...]:
        """The addresses in `sitemaps`."""
        return self.sitemaps if isinstance(self.sitemaps, tuple) else ()

    @property
    def listed_feeds(self) -> tuple[str, ...]:
        """The addresses in `feeds`."""
        return self.feeds if isinstance(self.feeds, tuple) else ()

    @property
    def url_files(self) -> tuple[str, ...]:
        """The paths in `urls`, as a tuple."""
        return (self.urls,) if isinstance(self.urls, str) else self.urls or ()


BUDGET_FIELDS: Final = ("max_pages", "budgets")
"""Fields of a crawl that may be raised while it keeps its pages."""


def allows_budgets(source: CrawlSource, before: Mapping[str, Any], *, pages: int) -> bool:
    """Return whether a crawl defined by *before*, with so many *pages*, can take the budgets of *source*."""
    old = CrawlBudgets.model_validate(before.get("budgets") or {})
    new = source.budgets or CrawlBudgets()
    return new.covers(old) and (source.max_pages is None or pages <= source.max_pages)
