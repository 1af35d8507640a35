"""Concatenate documents and cut them into rows of equal length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpusmill.training.data.order import Cursor

Tokens = npt.NDArray[Any]
"""Token ids, of any integer type."""


class Bulk(NamedTuple):
    """Consecutive documents of a window, in shuffled order.

    Attributes:
        place: The first token of the first document.
        tokens: All documents, each followed by the end of text; shape (tokens,).
        ends: Number of tokens up to the end of each document, int64, shape (documents,).
    """

    place: Cursor
    tokens: Tokens
    ends: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each document; shape (documents,)."""
        return np.diff(self.ends, prepend=0)


def pack(
    bulks: Iterable[Bulk], *, sequence_length: int, skip: int = 0, targets: bool = False
) -> Iterator[tuple[Tokens, Cursor]]:
    """Concatenate the documents of *bulks* and cut them into rows of *sequence_length* tokens.

    No token is lost, repeated or reordered, except that an incomplete last row is dropped. Rows and cursors do not
    depend on how documents are divided into bulks.

    Args:
        bulks: Documents in order; each bulk has at least one document, and a document at least one token.
        sequence_length: Tokens per row, at least 1.
        skip: Tokens of the first document that were returned before.
        targets: Append to each row the token that follows it, which is also the first of the next row. A model then
            sees ``row[:-1]`` and predicts ``row[1:]``, and every token is predicted once.

    Yields:
        A row, shape ``(sequence_length + targets,)``, and the cursor of the first token after it, at which packing can
        resume. Without *targets*, a row that ends with its document has the end of this document as its cursor.
    """
    rest: Tokens | None = None
    start, rows = skip, -1
    for place, tokens, ends in bulks:
        rows = place.rows if rows < 0 else rows
        earlier = 0 if rest is None else len(rest)
        stream = tokens if rest is None or not earlier else np.concatenate([rest, tokens])
        count = max(0, (len(stream) - start - targets) // sequence_length)
        stops = start + sequence_length * np.arange(1, count + 1, dtype=np.int64)
        for stop, cursor in zip(stops.tolist(), _cursors(place, ends, stops - earlier, targets=targets), strict=True):
            rows += 1
            yield stream[stop - sequence_length : stop + targets], cursor._replace(rows=rows)
        stop = start + sequence_length * count
        # A short document may end before *start*, so what is skipped carries over to the next bulk.
        rest, start = stream[stop:], max(0, stop - len(stream))


def _cursors(
    place: Cursor, ends: npt.NDArray[np.int64], positions: npt.NDArray[np.int64], *, targets: bool
) -> Iterator[Cursor]:
    """Yield the cursor of each of *positions*, counted from the first token of a bulk.

    With targets, the token at the position is there, so it decides the document. Without them, it may not be.
    """
    documents = np.searchsorted(ends, positions, side="right" if targets else "left")
    firsts = np.where(documents > 0, ends[documents - 1], 0)
    for document, token in zip(documents.tolist(), (positions - firsts).tolist(), strict=True):
        yield place._replace(row=place.row + document, token=token)
