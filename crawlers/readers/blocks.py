"""The text of an office document: paragraphs divided by empty lines; items of a list and lines of code by line ends."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

Kind = Literal["paragraph", "heading", "item", "code", "table", "note"]
_CLOSE: Final = frozenset(("item", "code", "note"))
"""Two neighbors of one of these kinds are divided by a line end."""
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")
_LETTERS: Final = {
    0xAD: None,
    **dict(zip(range(0xFB00, 0xFB07), ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True)),
}
_ROMAN: Final = tuple(
    zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "m cm d cd c xc l xl x ix v iv i".split(), strict=True)
)


class Block(NamedTuple):
    """A paragraph, a heading, an item, a line of code, a whole table or a note."""

    text: str
    kind: Kind = "paragraph"


def letters(text: str) -> str:
    """Return *text* with ligatures as single letters, and without soft hyphens.

    >>> letters("e\ufb03\u00adcient")
    'efficient'
    """
    return text.translate(_LETTERS)


def joined(blocks: Iterable[Block]) -> str:
    r"""Return the text of *blocks* without empty ones.

    >>> joined([Block("A"), Block("- b", "item"), Block("- c", "item"), Block(" "), Block("D")])
    'A\n\n- b\n- c\n\nD'
    """
    parts: list[str] = []
    last: Kind | None = None
    for text, kind in blocks:
        if not text.strip():
            continue
        if parts:
            parts.append("\n" if kind == last and kind in _CLOSE else "\n\n")
        parts.append(text)
        last = kind
    return "".join(parts).strip()


def row(cells: Iterable[Iterable[Block]]) -> str:
    """Return a row of a table on one line, without empty cells at its end.

    >>> row([[Block("one")], [Block("two"), Block("lines")], []])
    'one | two lines'
    """
    texts = [_SPACES.sub(" ", " ".join(block.text for block in cell)).strip() for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return " | ".join(texts)


def numeral(number: int, form: str) -> str:
    """Return *number* in the *form* ``1``, ``01``, ``a``, ``A``, ``i`` or ``I``.

    >>> [numeral(28, form) for form in ("1", "01", "a", "A", "i", "I")]
    ['28', '28', 'bb', 'BB', 'xxviii', 'XXVIII']
    """
    if form == "01":
        return f"{number:02}"
    if form in "aA" and 0 < number < 1000:
        letters = chr(97 + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters.upper() if form == "A" else letters
    if form in "iI" and 0 < number < 4000:
        return _roman(number).upper() if form == "I" else _roman(number)
    return str(number)


def _roman(number: int) -> str:
    letters = ""
    for value, sign in _ROMAN:
        letters += sign * (number // value)
        number %= value
    return letters
