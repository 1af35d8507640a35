"""Tokens of TeX. Joined, they are the source again, so that formulas and verbatim text stay as they were written."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"\\(?:verb\*?|lstinline)(?P<bar>[^A-Za-z\s*{\[])[^\n]*?(?P=bar)"
    r"|\\(?:url|path|nolinkurl|href)[ \t]*\{[^{}\n]*\}"
    r"|\\begin[ \t]*\{(?P<raw>verbatim|Verbatim|lstlisting|alltt|minted|comment|filecontents)(?P<star>\*?)\}"
    r"|\\(?:[A-Za-z]+(?:@[A-Za-z@]*)?|@[A-Za-z@]+|.|\n|\Z)"
    r"|%[^\n]*(?:\n[ \t]*(?=\S))?"
    r"|\s+|\$\$?|[{}&#^_~\[\]]|[^\\%\s${}&#^_~\[\]]+",
    re.DOTALL,
)
_HEX: Final = re.compile(r"\^\^([0-9a-f]{2})")
_WORD: Final = re.compile(r"\\[A-Za-z@]+\Z")
PARAGRAPH: Final = "\n\n"
"""The token of a blank line."""


def tokens_of(source: str) -> list[str]:
    r"""Return the tokens of *source*, without comments. Verbatim environments are one token.

    >>> tokens_of("a\\b {c}% d\n\n e")
    ['a', '\\b', ' ', '{', 'c', '}', '\n\n', 'e']
    """
    if "^^" in source:
        source = _HEX.sub(lambda match: chr(int(match[1], 16)), source)
    found: list[str] = []
    position, size = 0, len(source)
    unclosed: set[str] = set()
    while position < size:
        match = _TOKEN.match(source, position)
        if match is None:  # cannot happen: every character begins a token
            break
        token, position = match[0], match.end()
        if raw := match["raw"]:
            end = f"\\end{{{raw}{match['star']}}}"
            close = -1 if end in unclosed else source.find(end, position)
            if close < 0:
                unclosed.add(end)
                found.extend(("\\begin", "{", raw, "}"))
                continue
            position = close + len(end)
            token += source[match.end() : position]
        elif token[0] == "%":
            continue
        elif token.isspace():
            token = PARAGRAPH if token.count("\n") > 1 else " "
        found.append(token)
    return found


def is_word(token: object) -> bool:
    r"""Return whether *token* is a command with a name of letters, such as ``\alpha``."""
    return isinstance(token, str) and _WORD.match(token) is not None
