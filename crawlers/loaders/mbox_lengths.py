"""Mbox files whose messages state their length (mboxcl): an envelope line within that length is text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_LENGTH: Final = re.compile(rb"^Content-Length:[ \t]*(\d{1,10})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_BLANK: Final = re.compile(rb"\r?\n\r?\n")
_ENVELOPE: Final = re.compile(rb"\r?\n?From ")
_SLACK: Final = 2
"""Bytes of the blank line that stands before an envelope line and is not counted."""


class RawMessage(NamedTuple):
    """A message with its envelope line; `data` is None if it is too large. `is_last`: the file ends with it."""

    data: bytes | None
    offset: int
    is_last: bool = False


def states_lengths(head: bytes) -> bool:
    """Return whether the first message of a file that begins with *head* states its length, and another follows there.

    Other programs leave a length in the header that has become wrong, so one that is right decides.
    """
    end = _stated_end(head)
    return end is not None and end < len(head) and _ENVELOPE.match(head, end) is not None


def joined(messages: Iterable[RawMessage], *, max_bytes: int) -> Iterator[RawMessage]:
    """Yield *messages*, which were divided at envelope lines, joined where one states a length that ends with another.

    A message whose length is wrong stays as it is. Memory holds at most *max_bytes* and one message.
    """
    queue: list[RawMessage] = []
    starts: list[int] = []
    first = 0
    for message in messages:
        queue.append(message)
        starts.append(message.offset)
        while first < len(queue) and (count := _parts(queue, starts, first, max_bytes)) > 0:
            yield _one(queue[first : first + count])
            first += count
        if first == len(queue) or first > 1_000:
            del queue[:first], starts[:first]
            first = 0
    while first < len(queue):
        count = _parts(queue, starts, first, max_bytes, at_end=True)
        yield _one(queue[first : first + count])
        first += count


def _parts(queue: list[RawMessage], starts: list[int], first: int, max_bytes: int, *, at_end: bool = False) -> int:
    """Return how many messages of *queue* from *first* on are one message; 0 if that is not known yet."""
    data = queue[first].data
    stated = None if data is None else _stated_end(data)
    if data is None or stated is None or stated <= len(data) or stated > max_bytes:
        return 1
    end = starts[first] + stated
    last = queue[-1]
    known = last.offset + len(last.data or b"")
    if known < end and not at_end:
        return 0
    index = bisect_left(starts, end, first + 1)
    if index < len(starts) and starts[index] <= end + _SLACK:
        return index - first
    ends_here = end <= known <= end + _SLACK
    return 1 if not ends_here else len(queue) - first if at_end else 0


def _one(parts: list[RawMessage]) -> RawMessage:
    if len(parts) == 1:
        return parts[0]
    return RawMessage(b"".join(part.data or b"" for part in parts), parts[0].offset, parts[-1].is_last)


def _stated_end(data: bytes) -> int | None:
    """Return where the message at the beginning of *data* ends according to its header; None if it does not say."""
    blank = _BLANK.search(data)
    length = _LENGTH.search(data, 0, blank.end()) if blank else None
    return blank.end() + int(length[1]) if blank and length else None
