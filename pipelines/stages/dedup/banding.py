"""Number of bands and rows of a signature, chosen so that similar documents share a band key."""

from __future__ import annotations

import math
from typing import Final

DETECTED: Final = 0.997
"""Share of the pairs at the threshold that the chosen bands detect. Above the threshold it quickly approaches 1."""
MIN_DETECTED: Final = 0.95
"""Minimum share that bands set in a recipe must detect."""
PERMUTATIONS: Final = 160
"""Maximum number of permutations."""
MAX_PERMUTATIONS: Final = 1024


def detected_share(similarity: float, *, bands: int, rows: int) -> float:
    """Return the probability that two documents of Jaccard similarity *similarity* have an equal band.

    >>> round(detected_share(0.8, bands=20, rows=6), 4)
    0.9977
    """
    return 1 - (1 - similarity**rows) ** bands


def chosen_bands(threshold: float) -> tuple[int, int]:
    """Return the most selective numbers of bands and rows that detect `DETECTED` at *threshold*, in [0.3, 1).

    `datasketch.MinHashLSH` chooses by the area under the curve of `detected_share` instead, and detects 85 to 95 % of
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
    return math.ceil(math.log(1 - DETECTED) / math.log1p(-(threshold**rows)))
