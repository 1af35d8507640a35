"""Vectors that an earlier stage or a source has put into a column of lists of floating-point numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.dedup.semantic.vectors import Vectors, quantized


def is_embedding(kind: pa.DataType) -> bool:
    """Return whether columns of the type *kind* have embeddings."""
    return pa.types.is_list(kind) and kind.value_type in (pa.float32(), pa.float64())


def embedding_vectors(column: pa.ListArray) -> Vectors:
    """Return the vector of each row. Rows that are null or empty, or have a component that is null, have none.

    >>> embedding_vectors(pa.array([[1.0, 0.0], None, [], [None, 1.0]])).counts_R.tolist()
    [2, 0, 0, 0]
    """
    components = pc.list_flatten(column)
    counts = np.asarray(pc.fill_null(pc.list_value_length(column), 0)).astype(np.int64)
    values = np.asarray(pc.fill_null(components.cast(pa.float64()), np.nan))
    return quantized(values, counts)
