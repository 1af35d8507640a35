"""The values of the queue: its entries, the links of pages, and the results of URLs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple


class State(IntEnum):
    """The state of a URL.

    One that is held is known and not due: it is not asked for, also if a page links to it. One that is visited is the
    robots.txt of a site that was compared with the URLs that are held.
    """

    QUEUED = 0
    PAGE = 1
    REDIRECT = 2
    REFUSED = 3
    LISTING = 4  # a sitemap or a feed that was read
    HELD = 5
    VISITED = 6


@dataclass(frozen=True)
class Entry:
    """A queued URL: `key` is its canonical form, `url` the address to fetch.

    Args:
        redirects: Length of the chain of redirects that led to it.
        chain: Length of the chain of pages that led to it, each with the text of an earlier page of its pattern.
        is_probe: Whether the page was archived before, and is requested only to learn whether its host is available.
    """

    id: int
    key: str
    url: str
    host: str
    depth: int
    redirects: int
    chain: int = 0
    is_probe: bool = False


class Listed(NamedTuple):
    """What a news sitemap says about an article, as written; empty where it says nothing."""

    published: str
    title: str


@dataclass(frozen=True, slots=True)
class Link:
    """A URL that a page links or redirects to; it is not followed if it has a `rule`.

    Args:
        spelling: Number of addresses with this canonical URL that were fetched earlier in a chain of redirects.
        chain: As in `Entry`; set by the frontier.
        is_known: Whether it is a page of the crawl before, whose place in the budget of pages is taken.
        listed: What a news sitemap says about it.
    """

    key: str
    url: str
    depth: int
    redirects: int = 0
    rule: str | None = None
    message: str | None = None
    spelling: int = 0
    chain: int = 0
    is_known: bool = False
    listed: Listed | None = None


@dataclass(frozen=True)
class Settled:
    """The result of a URL.

    Args:
        robots: Responses to requests for robots.txt, tdmrep.json and ai.txt that were archived since the last settled
            URL.
        size: Bytes of the body.
        sketch: Sketch of the page's words; None if there is no page.
        note: A value for the companions of the queue, which store it.
        unanswered: Requests of a rendered page that were not answered because of their kind, by kind.
    """

    state: State
    rule: str | None = None
    message: str | None = None
    links: tuple[Link, ...] = ()
    robots: int = 0
    size: int = 0
    sketch: bytes | None = None
    note: Any = None
    unanswered: Mapping[str, int] = field(default_factory=dict)
