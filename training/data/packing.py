"""Documents end to end, cut in rows of equal length."""

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
    """Lay *documents* end to end and cut them in rows of *sequence_length* tokens.

    No token is lost, repeated or reordered, except that a last row that is not full is dropped.

    Args:
        documents: Each with the cursor of its first token, and its tokens, the end of text included.
        sequence_length: Tokens in a row, at least 1.
        skip: Tokens of the first document that were given before.
        targets: Add to each row the token that follows it, which is also the first of the next row: then
            ``row[:-1]`` is what a model sees, ``row[1:]`` what it has to predict, and every token is predicted once.

    Yields:
        A row, shape ``(sequence_length + targets,)``, int64, and the cursor of the first token after it, where a
        pack that is started again goes on.
    """
    held: deque[tuple[Cursor, Tokens]] = deque()
    start, available, needed = skip, -skip, sequence_length + targets
    rows = -1
    for place, tokens in documents:
        rows = place.rows if rows < 0 else rows
        held.append((place, tokens))
        available += len(tokens)
        while available >= needed:
            row = _take(held, start=start, count=needed)
            start = _drop(held, start=start + sequence_length)
            available, rows = available - sequence_length, rows + 1
            yield row, held[0][0]._replace(token=start, rows=rows)


def _take(held: deque[tuple[Cursor, Tokens]], *, start: int, count: int) -> Tokens:
    """Copy *count* tokens from the token *start* of the first document on."""
    parts = []
    for _, tokens in held:
        part = tokens[start : start + count]
        parts.append(part)
        count -= len(part)
        if not count:
            break
        start = 0
    return np.concatenate(parts)


def _drop(held: deque[tuple[Cursor, Tokens]], *, start: int) -> int:
    """Forget documents that end before the token *start*; give the token of the first one left. The last one stays."""
    while len(held) > 1 and start >= len(held[0][1]):
        start -= len(held.popleft()[1])
    return start
