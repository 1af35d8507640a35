"""Which rows of a corpus belong to a part of a mixture: those with one of the labels that all rows have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.training.data.shards import Window

Labels = npt.NDArray[np.int16]
"""One number for each row of a file; -1 for rows that no part takes."""


@dataclass(frozen=True, eq=False)
class Selection:
    """The rows with one label.

    Attributes:
        name: What the label means; part of the state of a run.
        labels: The labels of each file, by key.
        label: The label of the rows that are taken.
    """

    name: str
    labels: Mapping[str, Labels]
    label: int

    def kept(self, window: Window) -> npt.NDArray[np.bool_]:
        """Return for each row of *window* whether it is taken; shape (rows,)."""
        labels = self.labels[window.file.key]
        kept: npt.NDArray[np.bool_] = labels[window.first : window.first + window.rows] == self.label
        return kept


def rows_with_content(
    column: pa.ChunkedArray | pa.Array, window: Window, selection: Selection | None
) -> npt.NDArray[np.int64]:
    """Return the rows of the file, in order, that `with_content` keeps of *column*."""
    valid = column.is_valid()
    kept = (valid.combine_chunks() if isinstance(valid, pa.ChunkedArray) else valid).to_numpy(zero_copy_only=False)
    if selection is not None:
        kept = kept & selection.kept(window)
    return window.first + np.flatnonzero(kept)


def with_content(column: pa.ChunkedArray | pa.Array, window: Window, selection: Selection | None) -> pa.Array:
    """Return the values of *column*, a column of *window*, that are not null and that *selection* takes."""
    if selection is not None:
        kept = pa.array(selection.kept(window))
        return column.filter(kept if column.null_count == 0 else pc.and_(kept, column.is_valid()))
    return column.drop_null() if column.null_count else column
