"""E-mail addresses (RFC 5321, section 4.5.3.1: at most 64 characters before the @)."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.schemas.personal_data.kinds import Kind

_LETTER: Final = "A-Za-zÀ-ÖØ-öø-ʯͰ-ϿЀ-ԯ"
"""ASCII, and the alphabets that are accepted in addresses (RFC 6531). Chinese and Thai are not, because they have no
space before an address: the words before it would become a part of it."""
_SIGN: Final = f"{_LETTER}0-9"
_PATTERN: Final = re.compile(
    rf"(?<![{_SIGN}_+])[{_SIGN}_+][{_SIGN}_.+%'-]{{0,63}}@"
    rf"(?:[{_SIGN}][{_SIGN}-]{{0,62}}\.){{1,8}}(?:xn--[A-Za-z0-9-]{{2,59}}|[{_LETTER}]{{2,24}})(?![{_SIGN}])"
)
_USER_OF_URL: Final = re.compile(r"://[^\s/@<>\"]{0,200}\Z")
_PIXEL_RATIO: Final = re.compile(r"@\dx\.")


def _is_personal(match: re.Match[str]) -> bool:
    text, start = match.string, match.start()
    if _USER_OF_URL.search(text[max(0, start - 210) : start]) or _PIXEL_RATIO.search(match[0]):
        return False
    is_repository = match[0].startswith("git@") and text[match.end() : match.end() + 1] == ":"
    return not is_repository


EMAIL: Final = Kind("email", rf"@[{_SIGN}]", _PATTERN, _is_personal)
"""Excludes ``user@host`` in a URL, ``git@host:`` and ``image@2x.png``."""
