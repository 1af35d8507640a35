"""What a page costs before it is parsed: one linear scan.

The parser takes time quadratic in the depth of the tree and in the attributes of one tag; all else is linear. Limits
are counts, never seconds, so that the answer does not depend on the machine.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.document import MAX_TEXT_BYTES

MAX_PAGE_BYTES: Final = MAX_TEXT_BYTES
MAX_DEPTH: Final = 2_000
"""Elements open at once; the parser takes 8 ms for as many, and the deepest of 2,884 pages of our evaluation has 1,018,
nearly all of them elements that were never closed."""
MAX_ATTRIBUTES: Final = 2_000
"""Of one tag; the parser takes 10 ms for as many."""
MAX_TAGS: Final = 100_000

_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_VALUE: Final = r"""(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>]++))"""
_MANY_ATTRIBUTES: Final = re.compile(
    rf"""<[a-zA-Z][^\s/<>]*+(?:[\s/]*+[^\s"'<>=/]++{_VALUE}?+){{{MAX_ATTRIBUTES},}}+"""
)
_NEVER_DEEP: Final = frozenset(
    "p li dt dd tr td th thead tbody tfoot option optgroup colgroup caption rp rt html body head "
    "area base br col embed hr img input link meta param source track wbr".split()
)
"""Elements without content, and those that the next of their kind closes: they open no new level of their own."""


def is_beyond_limits(markup: str) -> bool:
    """Tell whether parsing *markup* into a tree may take more than linear time, or a tree that is too large.

    The answer may be yes for nothing (a script in which ``a<b`` stands thousands of times), and never no for nothing:
    whoever skips scripts or comments here can be made to skip the markup that matters.

    >>> is_beyond_limits("<div>" * 500), is_beyond_limits("<div>" * 5_000)
    (False, True)
    """
    start_tags = markup.count("<") - markup.count("</")
    if start_tags > MAX_TAGS:
        return True
    return (start_tags > MAX_DEPTH and _depth(markup) > MAX_DEPTH) or _MANY_ATTRIBUTES.search(markup) is not None


def _depth(markup: str) -> int:
    """Give a bound for the depth of the tree: an element that is never closed stays open to the end of the page."""
    open_by_name: dict[str, int] = {}
    depth = deepest = 0
    for slash, name in _TAG.findall(markup):
        key = name.lower()
        if key in _NEVER_DEEP:
            continue
        if not slash:
            open_by_name[key] = open_by_name.get(key, 0) + 1
            depth += 1
            if depth > deepest:
                deepest = depth
        elif open_by_name.get(key, 0):
            open_by_name[key] -= 1
            depth -= 1
    return deepest
