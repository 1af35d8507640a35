"""A text as pieces (paragraphs, items of lists), the key by which pieces are compared, and a text without some of them.

Pure functions of one text: counting and cutting use the same ones, so they cannot disagree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterator, Sequence
from typing import Final, NamedTuple

_ITEM: Final = re.compile(r"[^\S\n]*(?:[-*+•‣◦]|\d{1,9}[.)])[^\S\n]")
"""How an item of a list begins, in plain text and in Markdown."""
_FENCE: Final = re.compile(r"[^\S\n]*(`{3,}|~{3,})")
"""How a block of code begins and ends in Markdown (CommonMark §4.5)."""
_WORD: Final = re.compile(r"[^\W_]")
_KEY_BYTES: Final = 8


class Piece(NamedTuple):
    """Characters ``[start, end)`` of a text, without the white space behind them; `key` as `key_of` gives it."""

    start: int
    end: int
    key: int | None


def pieces(text: str) -> list[Piece]:
    r"""Give the pieces of *text* in order.

    A piece ends at an empty line; in a list each item, with the lines that go on with it, is a piece of its own. A
    fenced block of code is never divided.

    >>> text = "About us\n\n- Home\n- News\n\nA text."
    >>> [text[piece.start : piece.end] for piece in pieces(text)]
    ['About us', '- Home', '- News', 'A text.']
    """
    return [Piece(start, end, key_of(text[start:end])) for start, end in _spans(text)]


def has_words(text: str) -> bool:
    """Tell whether *text* has a letter or a digit."""
    return _WORD.search(text) is not None


def key_of(piece: str) -> int | None:
    """Give 64 bits of the hash of *piece* without regard to case and white space; None when it has no letter or digit.

    A line of stars or dashes has no words that a site could repeat: it is never boilerplate. The hash is never 0.

    >>> key_of(" Share  THIS ") == key_of("share this"), key_of("* * *")
    (True, None)
    """
    if not has_words(piece):
        return None
    digest = hashlib.sha256(_folded(piece).encode()).digest()[:_KEY_BYTES]
    return int.from_bytes(digest, "big", signed=True) or 1


def _folded(piece: str) -> str:
    # White space other than a blank is not printable, so most pieces need not be split: twice as fast.
    if piece.isprintable() and "  " not in piece:
        return piece.strip(" ").casefold()
    return " ".join(piece.split()).casefold()


def without(text: str, found: Sequence[Piece], keys: Container[int]) -> str:
    r"""Give *text* without those of its pieces *found* whose key is one of *keys*; nothing else changes.

    Where pieces are cut out, the widest of the gaps around them stays, so that the others are divided as before.

    >>> text = "About us\n\n- Home\n- News\n\nA text.\n"
    >>> without(text, pieces(text), {key_of("- news"), key_of("about us")})
    '- Home\n\nA text.\n'
    """
    stays = [piece.key is None or piece.key not in keys for piece in found]
    if all(stays):
        return text
    parts: list[str] = []
    gap = ""
    for place, (piece, stay) in enumerate(zip(found, stays, strict=True)):
        before = text[found[place - 1].end if place else 0 : piece.start]
        gap = max(gap, before, key=lambda one: (one.count("\n"), len(one)))
        if stay:
            parts += [gap if parts else text[: found[0].start], text[piece.start : piece.end]]
            gap = ""
    return "".join(parts) + text[found[-1].end :] if parts else ""


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start: int | None = None
    end = place = 0
    fence, in_list = "", False
    for line in text.split("\n"):
        at, place = place, place + len(line) + 1
        is_empty = not line or line.isspace()
        if fence:
            fence = "" if line.strip().startswith(fence) else fence
            end = end if is_empty else at + len(line)
            continue
        is_item = not is_empty and _ITEM.match(line) is not None
        if start is not None and (is_empty or (in_list and is_item)):
            yield start, end
            start = None
        if not is_empty:
            start, in_list = (at, is_item) if start is None else (start, in_list)
            fence = opening[1] if (opening := _FENCE.match(line)) else ""
            end = at + len(line)
    if start is not None:
        yield start, end
