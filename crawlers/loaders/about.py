"""What `corpusmill sources` tells about a format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """What a user should know before using a data set.

    Args:
        license: Under which terms its texts are published, and where a record says so.
        get: How to get the real data.
        tried: On which real files the loader was tried, with what result.
    """

    license: str
    get: str
    tried: str
