"""The definition of the stage, slowly: which text is left of each document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def order(one: Mapping[str, Any]) -> tuple[bool, Any, str]:
    """Return the place of a document in the order of documents."""
    return (one["fetched_at"] is None, one["fetched_at"] or 0, one["id"])


def texts_left(captures: Sequence[Mapping[str, Any]], min_bytes: int) -> dict[str, str]:
    """Return what is left of each text, by id: characters with a byte that is in no window that occurs earlier."""
    windows: set[bytes] = set()
    left = {}
    for one in sorted(captures, key=order):
        text = (one["text"] or "").encode()
        is_repeated = [False] * len(text)
        for start in range(len(text) - min_bytes + 1):
            window = text[start : start + min_bytes]
            if window in windows:
                is_repeated[start : start + min_bytes] = [True] * min_bytes
            windows.add(window)
        left[one["id"]] = without(one["text"] or "", is_repeated)
    return left


def without(text: str, is_repeated: Sequence[bool]) -> str:
    """Return the characters of *text* with at least one byte that is not repeated."""
    kept, place = "", 0
    for character in text:
        size = len(character.encode())
        kept += "" if all(is_repeated[place : place + size]) else character
        place += size
    return kept
