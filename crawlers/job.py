"""What one crawl is told, and how that travels to the process that runs it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from corpusmill.crawlers.frontier.robots import PRODUCT_TOKEN
from corpusmill.schemas.recipe import CrawlSource

HTML_TYPES: Final = frozenset(("text/html", "application/xhtml+xml"))
MAX_REDIRECTS: Final = 10


@dataclass(frozen=True)
class Limits:
    """What a crawl bears from a server; no part of a recipe.

    Args:
        timeout_s: For one exchange.
        max_bytes: Of a body, as sent and unfolded.
        retries: Further tries after a failure that may pass.
        backoff_s: Before the first of them, doubled each time; a server may ask for up to `max_wait_s`.
        archive_bytes: Size at which the next archive file is begun.
    """

    timeout_s: float = 60.0
    max_bytes: int = 32_000_000
    retries: int = 2
    backoff_s: float = 1.0
    max_wait_s: float = 60.0
    archive_bytes: int = 10**9


@dataclass(frozen=True)
class Job:
    """One crawl: the source, where its archive goes (`first` is the number of its first file), its queue."""

    source: CrawlSource
    raw_dir: Path
    frontier: Path
    first: int
    tool: str
    limits: Limits = field(default_factory=Limits)

    @property
    def user_agent(self) -> str:
        """Who asks, and how to reach them."""
        return f"{self.tool} (+{self.source.contact})"

    def to_json(self) -> str:
        """Give the job on one line."""
        return json.dumps(
            {
                **{"source": self.source.model_dump(mode="json"), "limits": asdict(self.limits), "first": self.first},
                **{"raw_dir": str(self.raw_dir), "frontier": str(self.frontier), "tool": self.tool},
            }
        )

    @classmethod
    def from_json(cls, line: str) -> Job:
        """Read what `to_json` gave."""
        given = json.loads(line)
        return cls(
            source=CrawlSource.model_validate_json(json.dumps(given["source"]), strict=True),
            raw_dir=Path(given["raw_dir"]),
            frontier=Path(given["frontier"]),
            first=given["first"],
            tool=given["tool"],
            limits=Limits(**given["limits"]),
        )


def tool_name(version: str) -> str:
    """Give the product of the user agent.

    >>> tool_name("0.1.0")
    'corpusmill/0.1.0'
    """
    return f"{PRODUCT_TOKEN}/{version}"
