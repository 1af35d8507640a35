"""The budgets of a crawl: what it may use in all and per host, besides `max_pages`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from corpusmill.schemas.expectations import COMMENT
from corpusmill.schemas.quantities import DURATION_PATTERN, SIZE_PATTERN, duration_of, size_of

_MAX: Final = 10**15
"""Upper bound of all budgets: sums of them fit into 64 bits."""


def _seconds(value: Any) -> Any:
    duration = duration_of(value)
    return int(duration.total_seconds()) if isinstance(duration, timedelta) else duration


Size: TypeAlias = Annotated[
    int,
    BeforeValidator(size_of),
    WithJsonSchema(
        {
            COMMENT: "a size such as 500MB, or a whole number of bytes",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _MAX},
                {"type": "string", "pattern": SIZE_PATTERN},
            ],
        }
    ),
]
Seconds: TypeAlias = Annotated[
    int,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {
            COMMENT: "a duration such as 30m or 12h, or a whole number of seconds",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _MAX},
                {"type": "string", "pattern": DURATION_PATTERN},
            ],
        }
    ),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class HostBudgets(_Part):
    """What a crawl may use on one host; null: no limit."""

    pages: int | None = Field(default=None, ge=1, le=_MAX, description="Maximum number of pages.", examples=[1000])
    bytes: Size | None = Field(
        default=None,
        ge=1,
        le=_MAX,
        description="Bytes of page bodies, as sent, after which no further page is requested.",
        examples=["100MB"],
    )
    seconds: Seconds | None = Field(
        default=None,
        ge=1,
        le=_MAX,
        description="Seconds, or a duration, that requests to the host may take together, with the delays before them.",
        examples=["30m"],
    )
    queued: int | None = Field(
        default=None, ge=1, le=_MAX, description="Maximum number of addresses that wait.", examples=[100_000]
    )


class CrawlBudgets(_Part):
    """What a crawl may use; null: no limit. `max_pages` is its budget of pages."""

    bytes: Size | None = Field(
        default=None,
        ge=1,
        le=_MAX,
        description="Bytes of page bodies, as sent, after which no further page is requested.",
        examples=["10GB"],
    )
    seconds: Seconds | None = Field(
        default=None,
        ge=1,
        le=_MAX,
        description="Seconds, or a duration, after which no further page is requested. Time before an interruption "
        "counts.",
        examples=["8h"],
    )
    queued: int | None = Field(
        default=None, ge=1, le=_MAX, description="Maximum number of addresses that wait.", examples=[1_000_000]
    )
    per_host: HostBudgets = Field(
        default=HostBudgets(), description="Budgets of each host.", examples=[{"pages": 1000}]
    )

    def covers(self, other: CrawlBudgets) -> bool:
        """Return whether no budget is lower than in *other*."""
        return _is_raised(self, other) and _is_raised(self.per_host, other.per_host)


def _is_raised(new: CrawlBudgets | HostBudgets, old: CrawlBudgets | HostBudgets) -> bool:
    limits = {name: value for name, value in new if isinstance(value, int)}
    before = {name: value for name, value in old if isinstance(value, int)}
    return all(name in before and before[name] <= limit for name, limit in limits.items())
