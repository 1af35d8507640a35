"""Best-fit packing: rows of whole documents, where documents that fit are not cut (Ding et al. 2024, arXiv:2404.10830).

Documents longer than a row are cut into pieces as long as a row. Pieces are placed in order of falling length, each
into the row with the least space that it fits in. The rest of a row is padding. No token is dropped.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from corpusmill.training.data.packing import Tokens

PADDING: Final = -1
"""Stands in a row where there is no token; never an input or a target of a model."""


class Piece(NamedTuple):
    """The tokens *start* to *stop* of a window, all of one document."""

    start: int
    stop: int


def best_fit(lengths: npt.NDArray[np.int64], sequence_length: int, targets: bool) -> list[list[Piece]]:
    """Assign documents of *lengths* tokens, laid end to end, to rows.

    Args:
        lengths: Tokens of each document, at least 1; shape (documents,).
        sequence_length: Tokens per row.
        targets: Whether rows have one more token. The pieces of a long document then overlap by one token, so that each
            token but the first is predicted.

    Returns:
        The pieces of each row, together at most `sequence_length + targets` tokens.
    """
    capacity = sequence_length + targets
    pieces = _pieces(lengths, sequence_length=sequence_length, targets=targets)
    rows: list[list[Piece]] = []
    spaces: list[tuple[int, int]] = []  # (space left, row), sorted; rows without space are left out
    for piece in sorted(pieces, key=lambda piece: piece.start - piece.stop):  # stable: equal lengths keep their order
        size = piece.stop - piece.start
        place = bisect_left(spaces, (size, -1))
        if place == len(spaces):
            rows.append([piece])
            left, row = capacity - size, len(rows) - 1
        else:
            space, row = spaces.pop(place)
            rows[row].append(piece)
            left = space - size
        if left:
            insort(spaces, (left, row))
    return rows


def row_of(tokens: Tokens, pieces: list[Piece], *, length: int) -> npt.NDArray[np.int64]:
    """Return the row of *pieces* of *tokens*, filled up to *length* with `PADDING`; shape (length,)."""
    row = np.full(length, PADDING, dtype=np.int64)
    first = 0
    for start, stop in pieces:
        row[first : first + stop - start] = tokens[start:stop]
        first += stop - start
    return row


def _pieces(lengths: npt.NDArray[np.int64], *, sequence_length: int, targets: bool) -> list[Piece]:
    pieces = []
    end = 0
    for length in lengths.tolist():
        begin, end = end, end + length
        if length <= sequence_length + targets:
            pieces.append(Piece(begin, end))
            continue
        starts = range(begin, end - targets, sequence_length)
        pieces += [Piece(start, min(start + sequence_length + targets, end)) for start in starts]
    return pieces
