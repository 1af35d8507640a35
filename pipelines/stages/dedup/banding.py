"""Number of bands and rows of a signature, chosen so that similar documents share a band key."""

from __future__ import annotations

import math
from typing import Final

FOUND: Final = 0.997
"""Share of the pairs at the threshold that the chosen bands detect. Above the threshold it quickly approaches 1."""
MIN_FOUND: Final = 0.95
"""Minimum share that bands set in a recipe must detect."""
PERMUTATIONS: Final = 160
"""Maximum number of permutations."""
MAX_PERMUTATIONS: Final = 1024


def found_share(similarity: float, *, bands: int, rows: int) -> float:
    """Return the probability that two documents of Jaccard similarity *similarity* have an equal band.

    >>> round(found_share(0.8, bands=20, rows=6), 4)
    0.9977
    """
    return 1 - (1 - similarity**rows) ** bands


def chosen_bands(threshold: float) -> tuple[int, int]:
    """Return the most selective numbers of bands and rows that detect `FOUND` at *threshold*, in [0.3, 1).

    `datasketch.MinHashLSH` chooses by the area under the curve of `found_share` instead, and detects 85 to 95 % of
    the pairs at the threshold.

    >>> chosen_bands(0.8), chosen_bands(0.5)
    ((20, 6), (44, 3))
    """
    choice = (_bands_for(threshold, rows=1), 1)
    for rows in range(2, PERMUTATIONS):
        bands = _bands_for(threshold, rows=rows)
        if bands * rows <= PERMUTATIONS:
            choice = (bands, rows)
    return choice


def _bands_for(threshold: float, *, rows: int) -> int:
    return math.ceil(math.log(1 - FOUND) / math.log1p(-(threshold**rows)))
