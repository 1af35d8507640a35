"""A value that a page states, with the place where it stood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A value and its evidence.

    Args:
        source: Where it stood: `json-ld:datePublished`, `meta:article:published_time`, `microdata:author`,
            `html:time`, `link:canonical`, `url:path`.
    """

    value: T
    source: str
