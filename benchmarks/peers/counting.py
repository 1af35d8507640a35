"""What an interrupted pass lost and repeated. Imports nothing else: programs in other environments use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import NamedTuple


class Difference(NamedTuple):
    """How many items are missing, and how many came more often than they should."""

    lost: int
    repeated: int


def difference(expected: Iterable[Hashable], received: Iterable[Hashable]) -> Difference:
    """Compare two passes over the same items, in any order; an item may be expected more than once.

    >>> difference("aabc", "abbb")
    Difference(lost=2, repeated=2)
    """
    wanted, seen = Counter(iter(expected)), Counter(iter(received))  # of a mapping, a counter would take the values
    return Difference((wanted - seen).total(), (seen - wanted).total())
