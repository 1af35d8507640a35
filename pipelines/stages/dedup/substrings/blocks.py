"""Blocks of windows: divide them into smaller ones, and hash the bytes by which they are compared.

All windows of a block have the same anchor, which is why two equal windows of two texts are always in comparable
blocks. Each block has a *hull*, the bytes of all its windows together, and a *core*, bytes that all its windows share.
Two blocks with equal hulls have equal windows, one by one. Two blocks with different cores have no equal windows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.dedup.substrings.winnowing import Int64

BLOCK: Final = pa.struct([("start", pa.int32()), ("windows", pa.int32()), ("owner", pa.int32())])
"""First window, number of windows, and place of the anchor, in bytes from the start of the text."""
HULL_BYTES: Final = 16
"""Length of the hash of a hull. Of n different hulls, two have the same hash with a probability below n² / 2^129: for
10^12 hulls (about 200 TB of repeated text), 2 in 10^15."""
CORE_BYTES: Final = 8
"""Length of the hash of a core. Equal hashes of different cores cost a comparison and change nothing."""


class Blocks(NamedTuple):
    """Blocks in texts: the number of the text, and the fields of `BLOCK`."""

    row: Int64
    start: Int64
    windows: Int64
    owner: Int64

    def slice(self, start: int, end: int) -> Blocks:
        """Return the blocks ``[start, end)``."""
        return Blocks(*(column[start:end] for column in self))


def blocks_of(column: pa.ListArray) -> Blocks:
    """Return the blocks of a *column* of lists of `BLOCK`, with the row of each as its text."""
    values = pc.list_flatten(column)
    fields = (np.asarray(pc.struct_field(values, name)).astype(np.int64) for name in ("start", "windows", "owner"))
    return Blocks(np.asarray(pc.list_parent_indices(column)).astype(np.int64), *fields)


def block_array(start: Int64, windows: Int64, owner: Int64) -> pa.StructArray:
    """Return blocks as an array of `BLOCK`."""
    return pa.StructArray.from_arrays(
        [pa.array(values, pa.int32()) for values in (start, windows, owner)], fields=list(BLOCK)
    )


def parts(blocks: Blocks, *, size: int) -> tuple[Blocks, Int64]:
    """Divide *blocks* into parts of at most *size* windows. Return them, and the number of each in its block.

    The parts are counted from the anchor, so that equal windows of two blocks are in parts with the same number.
    """
    nearest = blocks.owner - blocks.start - blocks.windows + 1
    farthest = blocks.owner - blocks.start
    low, high = nearest // size, farthest // size
    counts = high - low + 1
    block = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(block)) - np.repeat(np.cumsum(counts) - counts, counts)
    part = high[block] - number
    first = np.minimum(farthest[block], (part + 1) * size - 1)
    last = np.maximum(nearest[block], part * size)
    owner = blocks.owner[block]
    return Blocks(blocks.row[block], owner - first, first - last + 1, owner), part


def cores(blocks: Blocks, part: Int64, *, size: int, min_bytes: int) -> tuple[Int64, Int64]:
    """Return start and end (bytes) of the core of each part: what a full part of *size* windows would share.

    It does not depend on how many windows of the part its block has.
    """
    start = blocks.owner - part * size
    return start, start - size + 1 + min_bytes


def hulls(blocks: Blocks, *, min_bytes: int) -> tuple[Int64, Int64]:
    """Return start and end (bytes) of the hull of each of *blocks*."""
    return blocks.start, blocks.start + blocks.windows + min_bytes - 1


def digests(data: memoryview, starts: Int64, ends: Int64, *, size: int) -> Int64:
    """Return BLAKE2b hashes of *size* bytes (8 or 16) of ``data[start:end]`` as int64, of shape (rows, size / 8)."""
    blake2b = hashlib.blake2b
    hashes = (
        blake2b(data[start:end], digest_size=size).digest()
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    )
    return np.frombuffer(b"".join(hashes), "<i8").astype(np.int64).reshape(-1, size // 8)


def in_pieces(blocks: Blocks, *, max_blocks: int) -> Iterator[Blocks]:
    """Yield *blocks* in pieces of at most *max_blocks*."""
    for start in range(0, len(blocks.row), max_blocks):
        yield blocks.slice(start, start + max_blocks)
