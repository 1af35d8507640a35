"""Regular expressions whose repetitions are bounded, so that searching a text takes linear time."""

from __future__ import annotations

import re
from typing import Final

_BOUNDED: Final = re.compile(r"(?P<what>\\s|\\w|\[[^\[\]\n]*\])(?P<many>[*+])(?P<lazy>\??)")
_MOST: Final = 12
"""Spaces that may stand between two words of a pattern."""
_LONGEST: Final = 32
"""Signs of a word or a number in a pattern."""


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compile *pattern* after bounding its repetitions of a class of characters.

    >>> compiled(r"a\\s*\\w+").pattern
    'a\\\\s{0,12}\\\\w{1,32}'
    """

    def bounded(match: re.Match[str]) -> str:
        least = 0 if match["many"] == "*" else 1
        is_space = ("s" in match["what"] and "\\s" in match["what"]) or match["what"].startswith("[ ")
        most = _MOST if is_space and "^" not in match["what"] else _LONGEST
        return f"{match['what']}{{{least},{_URL if '^' in match['what'] else most}}}{match['lazy']}"

    return re.compile(_BOUNDED.sub(bounded, pattern), flags)


_URL: Final = 2000
"""Signs of a web address or the rest of a line."""
