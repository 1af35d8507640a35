"""Texts as bytes, and lists per document as columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from corpusmill.pipelines.stages.dedup.substrings.winnowing import Bytes, Int64


def text_bytes_of(texts: pa.StringArray) -> tuple[Bytes, Int64]:
    """Return the UTF-8 bytes of *texts* (no nulls) without copying, and where each begins and the last one ends.

    >>> data, offsets = text_bytes_of(pa.array(["one", "two", "three"]).slice(1))
    >>> [data[start:end].tobytes() for start, end in zip(offsets[:-1], offsets[1:])]
    [b'two', b'three']
    """
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.empty(0, np.uint8), np.zeros(len(texts) + 1, np.int64)
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    return np.frombuffer(data, np.uint8)[places[0] : places[-1]], places - places[0]


def list_of(values: pa.Array, row: Int64, *, rows: int) -> pa.ListArray:
    """Return a column of *rows* lists of *values*. *row*, in ascending order, is where each value belongs.

    A row without values is null.

    >>> list_of(pa.array([7, 8, 9]), np.array([0, 0, 2]), rows=3).to_pylist()
    [[7, 8], None, [9]]
    """
    counts = np.bincount(row, minlength=rows)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32(), mask=np.append(counts == 0, False)), values)
