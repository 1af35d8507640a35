"""What a kind of personal data is to the stage: a compiled scan, an expression, and a check of what it matched.

The scan (RE2, over the whole column) has to match in every text in which the expression can match; Python looks only at
those texts. The expressions look at a bounded number of characters from each place, so they take linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of personal data.

    Args:
        name: In a recipe, and in upper case between angle brackets where the data was.
        scan: RE2 pattern.
        pattern: What the data looks like.
        is_personal: Tells whether a match is meant.
    """

    name: str
    scan: str
    pattern: re.Pattern[str]
    is_personal: Callable[[re.Match[str]], bool]

    @property
    def placeholder(self) -> str:
        """What stands where the data was."""
        return f"<{self.name.upper()}>"

    def masked(self, text: str) -> tuple[str, int]:
        """Give *text* with placeholders, and how many there are now that were not there before."""
        count = 0

        def replace(found: re.Match[str]) -> str:
            nonlocal count
            if not self.is_personal(found):
                return found[0]
            count += 1
            return self.placeholder

        return self.pattern.sub(replace, text), count
