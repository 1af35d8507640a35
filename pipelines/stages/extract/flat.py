"""Markup to text without a tree, for pages that would take a parser too long: one pass, linear in the bytes."""

from __future__ import annotations

import html
import re
from typing import Final

_UNSEEN: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|noscript|template|svg|select|textarea|head|iframe)\b.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_INLINE: Final = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|big|cite|code|em|font|i|kbd|label|mark|q|s|samp|small|span|strong|sub|sup|time|tt|u|var|wbr)"
    r"(?:\s[^<>]*)?>",
    re.IGNORECASE,
)
_TAGS: Final = re.compile(r"(?:</?[a-zA-Z!?][^<>]*+>?+\s*+)++")
_CUT: Final = "\x1f"
"""Stands for tags between two pieces of text; white space, and no character reference gives it."""


def flat_text(markup: str) -> str:
    """Give the lines between the tags of *markup*, one paragraph each; nothing is judged.

    >>> flat_text("<div><p>One <b>bold</b> word</p><script>x()</script><p>Two &amp; three")
    'One bold word\\n\\nTwo & three'
    """
    text = html.unescape(_TAGS.sub(_CUT, _INLINE.sub("", _UNSEEN.sub(" ", markup))))
    lines = (" ".join(piece.split()) for piece in text.split(_CUT))
    return "\n\n".join(line for line in lines if line)
