"""Choose an anchor in every window of a text, by content alone, so that equal windows choose equal anchors.

A *window* is a stretch of `min_bytes` bytes. It contains many *grams*, shorter stretches of `gram_bytes` bytes. The
anchor of a window is its gram with the least hash; of several equal ones, the last. This is winnowing (Schleimer,
Wilkerson, Aiken 2003, "Winnowing: Local Algorithms for Document Fingerprinting"): two equal windows have the same
anchor at the same distance from their start, and neighboring windows mostly share their anchor. Consecutive windows
with one anchor are a *block*, the unit in which windows are compared.

These are pure functions over the bytes of a column of texts. They read each byte once, about 100 MB per second on one
core.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Int64: TypeAlias = npt.NDArray[np.int64]
UInt64: TypeAlias = npt.NDArray[np.uint64]

PIECE_BYTES: Final = 1 << 13
"""Windows whose anchors are computed at a time: so few that all arrays stay in the cache of a core, and that each is
below 128 kB, from which on the C library asks the system for every array."""
_PLACE_BITS: Final = 20
"""Low bits of a key that hold the place of its gram in the piece. The other 44 bits are the hash."""
MAX_WINDOW_BYTES: Final = 100_000
"""A piece of this many windows has places below 2^`_PLACE_BITS`."""
_BASE: Final = 0x9E3779B97F4A7C15
"""Multiplier of the rolling hash: odd, so that it has an inverse modulo 2^64. Any such number would do (here that of
splitmix64)."""


def gram_bytes(min_bytes: int) -> int:
    """Return the length of a gram: a quarter of a window.

    The shorter the grams, the fewer anchors a text has (2 in every ``min_bytes - gram_bytes``), but the more often two
    texts share one by chance. Anchors that are shared by chance cost time and change nothing.
    """
    return min_bytes // 4


def anchors_of_window(min_bytes: int) -> int:
    """Return the number of grams in a window, which is also the maximum number of windows in a block."""
    return min_bytes - gram_bytes(min_bytes) + 1


class Anchored(NamedTuple):
    """Blocks of windows in the order of the texts. All places are bytes from the start of the text.

    `row` is the number of the text, `start` the first window, `windows` the number of windows, `owner` the place of the
    anchor that they share, and `anchor` its hash.
    """

    row: Int64
    start: Int64
    windows: Int64
    owner: Int64
    anchor: Int64

    def take(self, where: npt.NDArray[np.bool_]) -> Anchored:
        """Return the blocks of the mask *where*."""
        return Anchored(*(column[where] for column in self))


def anchored(data: Bytes, offsets: Int64, *, min_bytes: int, piece_bytes: int | None = None) -> Iterator[Anchored]:
    """Yield the blocks of the texts ``data[offsets[n]:offsets[n + 1]]``, about *piece_bytes* windows at a time.

    A text shorter than *min_bytes* has no window and no block. A text longer than *piece_bytes* is read in pieces
    counted from its start, and a block ends with its piece, until they are `joined`.
    """
    piece_bytes = max(PIECE_BYTES, min_bytes) if piece_bytes is None else piece_bytes
    rows = len(offsets) - 1
    row = 0
    while row < rows:
        begin = int(offsets[row])
        next_row = int(np.searchsorted(offsets, begin + piece_bytes, "right")) - 1
        if next_row > row:
            yield _blocks(data[begin : offsets[next_row]], offsets[row : next_row + 1], begin, row, min_bytes)
        else:
            end = int(offsets[row + 1])
            for start in range(begin, end - min_bytes + 1, piece_bytes):
                piece = data[start : min(start + piece_bytes + min_bytes - 1, end)]
                yield _blocks(piece, offsets[row : row + 2], start, row, min_bytes)
            next_row = row + 1
        row = next_row


def joined(blocks: Anchored) -> Anchored:
    """Join neighboring *blocks* of a text with the same anchor, which the end of a piece had separated."""
    if not len(blocks.row):
        return blocks
    is_new = np.ones(len(blocks.row), np.bool_)
    ends = blocks.start + blocks.windows
    is_new[1:] = (
        (blocks.row[1:] != blocks.row[:-1]) | (blocks.owner[1:] != blocks.owner[:-1]) | (blocks.start[1:] != ends[:-1])
    )
    counts = np.add.reduceat(blocks.windows, np.flatnonzero(is_new))
    return blocks.take(is_new)._replace(windows=counts)


def _blocks(piece: Bytes, offsets: Int64, begin: int, first_row: int, min_bytes: int) -> Anchored:
    """Return the blocks of one *piece* of the data, which begins at the byte *begin* in the text *first_row*."""
    windows = len(piece) - min_bytes + 1
    if windows < 1:
        empty = np.empty(0, np.int64)
        return Anchored(empty, empty, empty, empty, empty)
    owner, hashes = _owners(piece, min_bytes)
    changes = np.flatnonzero(owner[1:] != owner[:-1]) + 1
    edges = np.concatenate([offsets[:-1], offsets[1:] - min_bytes + 1]) - begin
    starts = np.unique(np.concatenate([[0], changes, edges[(edges > 0) & (edges < windows)]]))
    counts = np.diff(starts, append=windows)
    row = np.searchsorted(offsets, starts + begin, "right") - 1
    is_inside = starts + begin + min_bytes <= offsets[row + 1]
    starts, counts, row = starts[is_inside], counts[is_inside], row[is_inside]
    chosen = owner[starts]
    shift = begin - offsets[row]
    return Anchored(row + first_row, starts + shift, counts, chosen + shift, hashes[chosen].view(np.int64))


def _owners(piece: Bytes, min_bytes: int) -> tuple[Int64, UInt64]:
    """Return the place of the anchor of each window of *piece*, and the hash of each gram."""
    powers, inverses, low = _tables(max(PIECE_BYTES, min_bytes) + min_bytes)
    gram = gram_bytes(min_bytes)
    values = np.take(_byte_values(), piece)
    values *= powers[: len(piece)]
    prefix = np.empty(len(piece) + 1, np.uint64)
    prefix[0] = 0
    np.cumsum(values, out=prefix[1:])
    hashes = prefix[gram:] - prefix[:-gram]
    hashes *= inverses[: len(hashes)]
    keys = hashes >> np.uint64(_PLACE_BITS) << np.uint64(_PLACE_BITS) | low[-len(hashes) :]
    least = _sliding_minimum(keys, anchors_of_window(min_bytes)) & np.uint64((1 << _PLACE_BITS) - 1)
    return len(hashes) - 1 - least.astype(np.int64), hashes


def _sliding_minimum(keys: UInt64, width: int) -> UInt64:
    """Return the minimum of each *width* consecutive *keys*, by doubling the width."""
    reached = 1
    while 2 * reached <= width:
        keys = np.minimum(keys[:-reached], keys[reached:])
        reached *= 2
    rest = width - reached
    return np.minimum(keys[:-rest], keys[rest:]) if rest else keys


@lru_cache(maxsize=1)
def _byte_values() -> UInt64:
    """Return 64 pseudo-random bits for each byte."""
    digests = (hashlib.blake2b(bytes([byte]), digest_size=8).digest() for byte in range(256))
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


@lru_cache(maxsize=2)
def _tables(length: int) -> tuple[UInt64, UInt64, UInt64]:
    """Return *length* powers of the base and of its inverse, and places in descending order."""
    powers, inverses = (
        np.cumprod(np.full(length, base, np.uint64), dtype=np.uint64) for base in (_BASE, pow(_BASE, -1, 1 << 64))
    )
    return powers, inverses, np.arange(length, dtype=np.uint64)[::-1].copy()
