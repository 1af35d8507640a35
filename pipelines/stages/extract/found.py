"""A value stated by a page, with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A value and its source.

    Args:
        source: Where the page states it: `json-ld:datePublished`, `meta:article:published_time`, `microdata:author`,
            `html:time`, `link:canonical`, `url:path`.
    """

    value: T
    source: str
