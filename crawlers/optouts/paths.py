"""Patterns of paths as in robots.txt (RFC 9309, 2.2.2 and 2.2.3): ``*`` is any text, and ``$`` the end."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))


def target_of(url: str) -> str:
    """Return path and query of *url* in the form in which patterns are compared.

    >>> target_of("https://example.org"), target_of("https://example.org/%7Ea/b?c=ä#d")
    ('/', '/~a/b?c=%C3%A4')
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # for example http://[bad
        return "/"
    return comparable((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def comparable(text: str) -> str:
    """Return *text* with unreserved characters decoded and those outside ASCII encoded, so that equal paths are equal.

    >>> comparable("/%7e%2f")
    '/~%2F'
    """
    return quote(_ESCAPE.sub(_decoded, text), safe=_ASCII, errors="replace")


def _decoded(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def matches(pattern: str, target: str) -> bool:
    """Return whether *pattern* matches the beginning of *target*, the result of `target_of`. Takes linear time.

    >>> [matches(pattern, "/a/b.html") for pattern in ("/a", "/*.html$", "*.HTML", "/a$")]
    [True, True, False, False]
    """
    pieces, is_whole = _pieces(pattern)
    first, *others = pieces
    if not target.startswith(first):
        return False
    if not others:
        return not is_whole or target == first
    at = len(first)
    *middle, last = others
    for piece in middle:
        if (found := target.find(piece, at)) < 0:
            return False
        at = found + len(piece)
    if is_whole:
        return target.endswith(last) and len(target) - len(last) >= at
    return target.find(last, at) >= 0


@lru_cache(maxsize=65_536)
def _pieces(pattern: str) -> tuple[tuple[str, ...], bool]:
    """Return the texts between the stars of *pattern*, and whether it ends with the end of a path."""
    is_whole = pattern.endswith("$")
    return tuple(comparable(pattern.removesuffix("$")).split("*")), is_whole


def specificity(pattern: str) -> int:
    """Return the length by which the most specific of several matching patterns is chosen (RFC 9309, 2.2.2)."""
    return len(comparable(pattern))
