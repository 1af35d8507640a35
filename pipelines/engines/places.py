"""Read some rows of a table: those at the places that another table lists (`Input.at`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.engines.layers import SliceFile, frames
from corpusmill.schemas.storage import Store

SLICE_BITS: Final = 32
"""Bits of a place that hold the row; the others hold the slice."""


def by_slice(batches: Iterable[pa.RecordBatch], slices: Collection[int]) -> dict[int, pa.RecordBatch]:
    """Return the rows of *batches* in the given *slices*, by slice, in the order of their `PLACE`.

    Rows of other slices are dropped as they are read, so that the result is never larger than the slices.

    >>> listed = pa.record_batch({PLACE: [1 << 32 | 7, 2, 1 << 32 | 5], "kept": [1, 2, 3]})
    >>> {slice_: rows["kept"].to_pylist() for slice_, rows in by_slice([listed], {1}).items()}
    {1: [3, 1]}
    """
    wanted = np.array(sorted(slices), np.int64)
    found = []
    for batch in batches:
        is_wanted = np.isin(np.asarray(batch[PLACE]) >> SLICE_BITS, wanted)
        if is_wanted.any():
            found.append(batch.filter(pa.array(is_wanted)))
    if not found:
        return {}
    rows = pa.concat_batches(found)
    rows = rows.take(pa.array(np.argsort(np.asarray(rows[PLACE]), kind="stable")))
    numbers = np.asarray(rows[PLACE]) >> SLICE_BITS
    bounds = np.searchsorted(numbers, np.append(wanted, wanted[-1] + 1))
    parts = zip(wanted.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    return {slice_: rows.slice(start, stop - start) for slice_, start, stop in parts if start < stop}


def rows_at(
    piece: SliceFile, columns: Mapping[str, Sequence[str]], store: Store, listed: pa.RecordBatch | None
) -> Iterator[pa.RecordBatch]:
    """Yield the *columns* of the rows of *piece* at the places *listed*, and the other columns of *listed*.

    Batches without such a row are not read.
    """
    if listed is None:
        return
    views = {name: tuple(writers) for name, writers in columns.items()}
    places = np.asarray(listed[PLACE])
    others = [field for field in listed.schema if field.name != PLACE]
    ends = (piece.number << SLICE_BITS) + np.cumsum([0, *piece.batch_rows])
    bounds = np.searchsorted(places, ends).tolist()
    chosen = [index for index in range(len(piece.batch_rows)) if bounds[index] < bounds[index + 1]]
    for index, frame in zip(chosen, frames(piece, store, only=chosen), strict=True):
        start, stop = bounds[index], bounds[index + 1]
        rows = frame.select(views).take(pa.array(places[start:stop] - ends[index]))
        here = listed.slice(start, stop - start)
        for field in others:
            rows = rows.append_column(field, here[field.name])
        yield rows
