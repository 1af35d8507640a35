"""The parameters of a crawl, and their serialized form for the process that runs it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from corpusmill.crawlers.frontier.companions import Companion
from corpusmill.crawlers.frontier.robots import PRODUCT_TOKEN
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.pace import Pace
from corpusmill.crawlers.rendering.limits import PAGE_TIMEOUT_S
from corpusmill.crawlers.source_values import SourceValues

HTML_TYPES: Final = frozenset(("text/html", "application/xhtml+xml"))
MAX_REDIRECTS: Final = 10


@dataclass(frozen=True)
class Limits:
    """Limits on the responses of servers. They are not part of a recipe.

    Args:
        timeout_s: Time limit of an exchange.
        silence_s: Time limit for the next bytes of a server.
        max_bytes: Maximum size of a body, both as sent and decoded.
        retries: Retries after a temporary failure.
        backoff_s: First extra delay of a host that is overloaded or fails, doubled each time, up to `max_wait_s`.
        slow_s: An answer that takes longer slows down the requests to its host.
        max_retry_after_s: Longest pause that a server may ask for with `Retry-After`; for a longer one, the crawl
            leaves the host for another time.
        listing_bytes: Size at which a sitemap or a feed is cut, as sent.
        max_listings: Sitemaps and feeds that are read in a crawl.
        archive_bytes: Size from which a new archive file is started.
        render_timeout_s: Time limit of the scripts of a page; the time of their requests does not count.
    """

    timeout_s: float = 60.0
    silence_s: float = 20.0
    max_bytes: int = 32_000_000
    retries: int = 2
    backoff_s: float = 1.0
    max_wait_s: float = 60.0
    slow_s: float = 5.0
    max_retry_after_s: float = 300.0
    archive_bytes: int = 10**9
    listing_bytes: int = 52_428_800
    max_listings: int = 10_000
    render_timeout_s: float = PAGE_TIMEOUT_S


@dataclass(frozen=True)
class Job:
    """One crawl: the source, the folder of its archive (`first` is the number of its first file), and its queue.

    Args:
        started_at: When it was started; a crawl that was resumed keeps this time.
        generation: Number of recrawls since the site was crawled from the start pages; 0 for such a crawl.
    """

    source: SourceValues
    raw_dir: Path
    frontier: Path
    first: int
    tool: str
    started_at: datetime
    generation: int = 0
    limits: Limits = field(default_factory=Limits)

    @property
    def user_agent(self) -> str:
        """The user agent: the tool and the contact."""
        return f"{self.tool} (+{self.source.contact})"

    def pace(self) -> Pace:
        """Return the pace at the start of the crawl."""
        return Pace(
            delay_s=self.source.delay,
            backoff_s=self.limits.backoff_s,
            max_backoff_s=self.limits.max_wait_s,
            max_retry_after_s=self.limits.max_retry_after_s,
            slow_s=self.limits.slow_s,
        )

    def to_json(self) -> str:
        """Return the job as one line of JSON."""
        return json.dumps(
            {
                **{"source": self.source.as_json(), "limits": asdict(self.limits), "first": self.first},
                **{"raw_dir": str(self.raw_dir), "frontier": str(self.frontier), "tool": self.tool},
                **{"started_at": self.started_at.isoformat(), "generation": self.generation},
            }
        )

    @classmethod
    def from_json(cls, line: str) -> Job:
        """Parse the result of `to_json`."""
        fields = json.loads(line)
        return cls(
            source=SourceValues.from_json(fields["source"]),
            raw_dir=Path(fields["raw_dir"]),
            frontier=Path(fields["frontier"]),
            first=fields["first"],
            tool=fields["tool"],
            started_at=datetime.fromisoformat(fields["started_at"]),
            generation=fields["generation"],
            limits=Limits(**fields["limits"]),
        )


def open_frontier(source: SourceValues, path: Path, *, companions: Sequence[Companion] = ()) -> Frontier:
    """Open the queue *path* of the crawl of *source*, with its budgets and *companions*."""
    in_levels = source.max_depth is not None or source.limits.cuts_hosts
    return Frontier(path, limits=source.limits, in_levels=in_levels, companions=companions)


def tool_name(version: str) -> str:
    """Return the product of the user agent.

    >>> tool_name("0.1.0")
    'corpusmill/0.1.0'
    """
    return f"{PRODUCT_TOKEN}/{version}"
