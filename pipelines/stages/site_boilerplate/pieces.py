"""Split a text into pieces (paragraphs, list items), compute the keys that identify pieces, and remove pieces.

These are pure functions of one text, used by both counting and cutting, so the two cannot disagree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterator, Sequence
from typing import Final, NamedTuple

_ITEM: Final = re.compile(r"[^\S\n]*(?:[-*+•‣◦]|\d{1,9}[.)])[^\S\n]")
"""The beginning of a list item in plain text and Markdown."""
_FENCE: Final = re.compile(r"[^\S\n]*(`{3,}|~{3,})")
"""The beginning and end of a code block in Markdown (CommonMark §4.5)."""
_WORD: Final = re.compile(r"[^\W_]")
_KEY_BYTES: Final = 8


class Piece(NamedTuple):
    """Characters ``[start, end)`` of a text, without trailing white space, and the `key` from `key_of`."""

    start: int
    end: int
    key: int | None


def pieces(text: str) -> list[Piece]:
    r"""Return the pieces of *text* in order.

    A piece ends at an empty line. In a list, each item with its continuation lines is a piece. A fenced code block is
    never divided.

    >>> text = "About us\n\n- Home\n- News\n\nA text."
    >>> [text[piece.start : piece.end] for piece in pieces(text)]
    ['About us', '- Home', '- News', 'A text.']
    """
    return [Piece(start, end, key_of(text[start:end])) for start, end in _spans(text)]


def has_words(text: str) -> bool:
    """Return whether *text* contains a letter or a digit."""
    return _WORD.search(text) is not None


def key_of(piece: str) -> int | None:
    """Return 64 bits of the hash of *piece*, ignoring case and white space; None without a letter or digit.

    A line of stars or dashes has no words that a site could repeat, so it is never boilerplate. The hash is never 0.

    >>> key_of(" Share  THIS ") == key_of("share this"), key_of("* * *")
    (True, None)
    """
    if not has_words(piece):
        return None
    digest = hashlib.sha256(_folded(piece).encode()).digest()[:_KEY_BYTES]
    return int.from_bytes(digest, "big", signed=True) or 1


def _folded(piece: str) -> str:
    # White space other than a blank is not printable, so most pieces need not be split, which is twice as fast.
    if piece.isprintable() and "  " not in piece:
        return piece.strip(" ").casefold()
    return " ".join(piece.split()).casefold()


def without(text: str, all_pieces: Sequence[Piece], keys: Container[int]) -> str:
    r"""Return *text* without those of its *all_pieces* whose key is in *keys*.

    Where pieces are removed, the widest of the gaps around them is kept, so that the remaining text is divided as
    before.

    >>> text = "About us\n\n- Home\n- News\n\nA text.\n"
    >>> without(text, pieces(text), {key_of("- news"), key_of("about us")})
    '- Home\n\nA text.\n'
    """
    stays = [piece.key is None or piece.key not in keys for piece in all_pieces]
    if all(stays):
        return text
    parts: list[str] = []
    gap = ""
    for place, (piece, stay) in enumerate(zip(all_pieces, stays, strict=True)):
        before = text[all_pieces[place - 1].end if place else 0 : piece.start]
        gap = max(gap, before, key=lambda one: (one.count("\n"), len(one)))
        if stay:
            parts += [gap if parts else text[: all_pieces[0].start], text[piece.start : piece.end]]
            gap = ""
    return "".join(parts) + text[all_pieces[-1].end :] if parts else ""


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
