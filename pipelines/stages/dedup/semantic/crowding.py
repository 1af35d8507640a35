"""Divide crowded buckets into pairs of blocks, so that no bucket is larger than two blocks.

Vectors of one topic share bands although few of them are similar, and a bucket may have any number of members. The
members of a crowded bucket are cut into blocks of `BLOCK`, and each pair of blocks becomes a bucket of its own. No pair
is lost. A crowd of n members without duplicates takes time ``n² / 2``, about 3 hours for a million, spread over
workers, and each of its members is exchanged ``n / BLOCK`` times. More `planes` make smaller buckets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.groups import run_starts
from corpusmill.pipelines.stages.dedup.buckets import MEMBERSHIP, Part, parts_of_groups, shared_buckets
from corpusmill.pipelines.stages.dedup.semantic.vectors import Int64
from corpusmill.schemas.splitmix import splitmix64_column

BLOCK: Final = 32_768
"""Documents in a block. `rounds.ChoosePairs` holds two of them with about 200 bytes each."""
_SIZE, _MEMBER = 0, 1

SHARED: Final = pa.schema([*MEMBERSHIP, pa.field("is_crowded", pa.bool_(), nullable=False)])
"""A document in a bucket. In a crowded one, `number` is the band key."""
CROWD: Final = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("number", "kind", PLACE, "count")])
"""A document in a crowded bucket, or how many of them one batch has."""


class ShareBuckets(Function):
    """Turns `BAND` rows into `SHARED` rows of buckets that contain at least two documents."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`band`, `PLACE`)."""
        return lambda batches: map(shared, parts_of_groups(batches))


def shared(part: Part) -> pa.RecordBatch:
    """Return the `SHARED` rows of *part*."""
    columns = [part.rows[PLACE], part.rows["band"]] if part.is_crowded else shared_buckets(part).columns
    is_crowded = pa.array(np.full(len(columns[0]), part.is_crowded))
    return pa.RecordBatch.from_arrays([*columns, is_crowded], schema=SHARED)


def block_step(name: str, *, shared: str) -> Exchange:
    """Return the step that divides the crowded buckets of the step *shared* into `MEMBERSHIP` rows."""
    return Exchange(
        name=name,
        inputs=(Input(shared, through=Crowded()),),
        by="number",
        order=("kind", PLACE, "count"),
        function=Blocks(),
        moved=CROWD,
        schema=MEMBERSHIP,
    )


class Uncrowded(Function):
    """Selects the `MEMBERSHIP` of buckets that are not crowded."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `SHARED` rows."""
        return lambda batches: (
            batch.filter(pc.invert(batch["is_crowded"])).select(MEMBERSHIP.names) for batch in batches
        )


class Crowded(Function):
    """Turns the `SHARED` rows of crowded buckets into `CROWD` rows: their members, and how many a batch has."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `SHARED` rows."""
        return lambda batches: (crowded(batch.filter(batch["is_crowded"])) for batch in batches)


def crowded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return one row per row of *batch*, and one per bucket."""
    numbers, counts = np.unique(np.asarray(batch["number"]), return_counts=True)
    rows, sizes = batch.num_rows, len(numbers)
    columns = [
        np.concatenate([np.asarray(batch["number"]), numbers]),
        np.repeat([_MEMBER, _SIZE], [rows, sizes]),
        np.concatenate([np.asarray(batch[PLACE]), np.full(sizes, -1)]),
        np.concatenate([np.ones(rows, np.int64), counts]),
    ]
    return pa.RecordBatch.from_arrays([pa.array(column, pa.int64()) for column in columns], schema=CROWD)


class Blocks(Function):
    """Turns `CROWD` rows into `MEMBERSHIP` rows, one for each pair of blocks of a member."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`number`, `kind`, `PLACE`). It holds one batch."""
        return divided


def divided(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Yield the membership of each bucket that is a pair of blocks."""
    number, size, seen = 0, 0, 0
    for batch in batches:
        starts = run_starts(batch["number"])
        numbers = np.asarray(batch["number"])[starts].tolist()
        for run, start, stop in zip(numbers, starts, [*starts[1:], batch.num_rows], strict=True):
            if run != number:
                number, size, seen = run, 0, 0
            part = batch.slice(start, stop - start)
            is_size = np.asarray(part["kind"]) == _SIZE
            size += int(np.asarray(part["count"])[is_size].sum())
            places = np.asarray(part[PLACE])[~is_size]
            yield from bounded(_memberships(number, places, first=seen, blocks=-(-size // BLOCK)))
            seen += len(places)


def _memberships(number: int, places: Int64, *, first: int, blocks: int) -> Iterator[pa.RecordBatch]:
    """Yield the membership of *places*, of which the first is member *first* of a crowd, with each of its *blocks*."""
    own = (first + np.arange(len(places))) // BLOCK
    for block in range(blocks):
        pair = np.minimum(own, block) << 32 | np.maximum(own, block)
        mixed = splitmix64_column(
            splitmix64_column(pair.view(np.uint64)) ^ np.array([number], np.int64).view(np.uint64)
        )
        yield pa.RecordBatch.from_arrays([pa.array(places), pa.array(mixed.view(np.int64))], schema=MEMBERSHIP)
