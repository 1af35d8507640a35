"""What `corpusmill sources` says about a format beside its fields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """Facts about the data that a format usually holds.

    Args:
        license: The license of the usual data, and where a record states it.
        get: How to get the real data.
        tried: The files and data sets on which the loader was tried.
    """

    license: str
    """The license of the usual data, and where a record states it."""
    get: str
    """How to get the real data."""
    tried: str
    """The files and data sets on which the loader was tried."""
