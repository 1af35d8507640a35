"""A kind of personal data: a fast scan, a regular expression, and a check of its matches.

The scan (RE2, over the whole column) must match every text that the expression matches; Python processes only those
texts. The expressions read a bounded number of characters from each position, so they take linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of personal data.

    Args:
        name: Its name in a recipe, and in upper case in the placeholder.
        scan: RE2 pattern.
        pattern: Regular expression of the data.
        is_personal: Returns whether a match is personal data.
    """

    name: str
    scan: str
    pattern: re.Pattern[str]
    is_personal: Callable[[re.Match[str]], bool]

    @property
    def placeholder(self) -> str:
        """The text that replaces the data."""
        return f"<{self.name.upper()}>"

    def masked(self, text: str) -> tuple[str, int]:
        """Return *text* with placeholders, and the number of new placeholders."""
        count = 0

        def replace(match: re.Match[str]) -> str:
            nonlocal count
            if not self.is_personal(match):
                return match[0]
            count += 1
            return self.placeholder

        return self.pattern.sub(replace, text), count
