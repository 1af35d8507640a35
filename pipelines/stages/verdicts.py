"""Verdicts on the narrow table of fates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def with_columns(batch: pa.RecordBatch, mask: npt.NDArray[np.bool_], **values: Any) -> pa.RecordBatch:
    """Give *batch* with *values* (scalars, or arrays of one value a row) in the rows of *mask*, by column name."""
    where = pa.array(mask)
    for name, given in values.items():
        field = batch.schema.field(name)
        filled = given if isinstance(given, pa.Array) else pa.scalar(given, field.type)
        column = pc.if_else(where, filled, batch[name])
        batch = batch.set_column(batch.schema.get_field_index(name), field, column)
    return batch


def is_living(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Tell for each row whether it has no verdict yet."""
    return np.asarray(pc.is_null(batch["rule"]))
