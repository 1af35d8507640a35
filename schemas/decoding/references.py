"""Decode the character references of HTML."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

TOO_LONG: Final = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
"""References to invalid code points, which Python fails to parse if they have thousands of digits."""


def unescaped(text: str) -> str:
    """Return *text* with its character references decoded.

    >>> unescaped("1 &lt; 2 &#8230;"), unescaped("&#" + "9" * 5_000 + ";")
    ('1 < 2 …', '\ufffd')
    """
    return unescape(TOO_LONG.sub("\ufffd", text)) if "&" in text else text
