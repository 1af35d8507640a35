"""Concatenate documents and cut them into rows of equal length."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from corpusmill.training.data.order import Cursor

Tokens = npt.NDArray[np.int64]


def pack(
    documents: Iterable[tuple[Cursor, Tokens]], *, sequence_length: int, skip: int = 0, targets: bool = False
) -> Iterator[tuple[Tokens, Cursor]]:
    """Concatenate *documents* and cut them into rows of *sequence_length* tokens.

    No token is lost, repeated or reordered, except that an incomplete last row is dropped.

    Args:
        documents: Each with the cursor of its first token, and its tokens, including the end of text.
        sequence_length: Tokens per row, at least 1.
        skip: Tokens of the first document that were returned before.
        targets: Append to each row the token that follows it, which is also the first of the next row. A model then
            sees ``row[:-1]`` and predicts ``row[1:]``, and every token is predicted once.

    Yields:
        A row, shape ``(sequence_length + targets,)``, int64, and the cursor of the first token after it, at which
        packing can resume.
    """
    pending: deque[tuple[Cursor, Tokens]] = deque()
    start, available, needed = skip, -skip, sequence_length + targets
    rows = -1
    for place, tokens in documents:
        rows = place.rows if rows < 0 else rows
        pending.append((place, tokens))
        available += len(tokens)
        while available >= needed:
            row = _take(pending, start=start, count=needed)
            start = _drop(pending, start=start + sequence_length)
            available, rows = available - sequence_length, rows + 1
            yield row, pending[0][0]._replace(token=start, rows=rows)


def _take(pending: deque[tuple[Cursor, Tokens]], *, start: int, count: int) -> Tokens:
    """Copy *count* tokens, starting at the token *start* of the first document."""
    parts = []
    for _, tokens in pending:
        part = tokens[start : start + count]
        parts.append(part)
        count -= len(part)
        if not count:
            break
        start = 0
    return np.concatenate(parts)


def _drop(pending: deque[tuple[Cursor, Tokens]], *, start: int) -> int:
    """Drop documents that end before the token *start*, except the last. Return its index in the first one left."""
    while len(pending) > 1 and start >= len(pending[0][1]):
        start -= len(pending.popleft()[1])
    return start
