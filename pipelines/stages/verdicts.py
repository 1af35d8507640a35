"""Verdicts of stages that compare documents: decided without texts, then written onto the documents by position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input
from corpusmill.pipelines.stages.apply import Law, total
from corpusmill.schemas.document import VERDICT

PLACE_FIELD: Final = pa.field(PLACE, pa.int64(), nullable=False)
DECISION: Final = pa.schema(
    [
        PLACE_FIELD,
        *(VERDICT.field(name) for name in ("rule", "value", "threshold", "message", "duplicate_of")),
        pa.field("text_bytes", pa.int64(), nullable=False),
    ]
)
"""A decision about a living capture. `rule` is null if the capture is kept; `text_bytes` is the size of its text."""

NOTHING: Final = pa.schema([])


def verdict_step(name: str, *, decisions: str, of: str, also: pa.Schema = NOTHING, law: str | None = None) -> Exchange:
    """Return the last step of a comparing stage: it writes the *decisions* of a step onto the documents.

    Args:
        name: The step's name: the name of the stage in the plan.
        decisions: A step with the columns of `DECISION` and *also*, one row for each capture that changes.
        of: The step whose table holds the documents.
        also: Further columns to write, such as `cluster_id`.
        law: Name of the stage in the ledger, if it differs from *name*.

    A capture that is kept has no verdict before and after the step. A row that only sets columns of *also* therefore
    leaves the columns of verdicts as they are, and what is computed from these stays valid.
    """
    return Exchange(
        name=name,
        inputs=(Input(decisions),),
        by=PLACE,
        order=(),
        function=GiveVerdicts(stage=law or name),
        moved=pa.schema([*DECISION, *also]),
        schema=pa.schema([PLACE_FIELD, *VERDICT, *also]),
        onto=of,
        keeps=tuple(VERDICT.names),
    )


class GiveVerdicts(Function):
    """Turns decisions into verdicts of the stage *stage*, and counts them."""

    stage: str

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(self._verdicts, batches)

    def _verdicts(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        rejected = pc.is_valid(batch["rule"])
        law = Law(self.stage)
        law.count("ledger", rejected.true_count)
        law.count("bytes_ledger", total(batch["text_bytes"].filter(rejected)))
        law.count_rules(batch["rule"])
        stage = pc.if_else(rejected, self.stage, pa.scalar(None, pa.string()))
        return batch.drop_columns(["text_bytes"]).append_column(VERDICT.field("stage"), stage)


def decided(batch: pa.RecordBatch, mask: npt.NDArray[np.bool_], schema: pa.Schema, **values: Any) -> pa.RecordBatch:
    """Return the rows of *mask* as decisions with the columns of *schema*.

    *values* (scalars, or arrays with one value per row of *batch*) set columns by name. Other columns are those of
    *batch*, or null.
    """
    where = pa.array(mask)
    there = set(batch.schema.names)
    rows = int(mask.sum())
    columns = []
    for field in schema:
        value = values.get(field.name)
        if isinstance(value, pa.Array):
            columns.append(value.filter(where))
        elif value is not None:
            columns.append(pa.repeat(pa.scalar(value, field.type), rows))
        elif field.name in there and field.name not in values:
            columns.append(batch[field.name].filter(where))
        else:
            columns.append(pa.nulls(rows, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def living(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows of *batch* without a verdict."""
    alive = pc.is_null(batch["rule"])
    return batch if alive.true_count == batch.num_rows else batch.filter(alive)


def for_all_rows(values: pa.Array, alive: pa.BooleanArray) -> pa.Array:
    """Return *values*, one for each row that is *alive*, as a column of all rows, with null elsewhere.

    >>> for_all_rows(pa.array(["a", "b"]), pa.array([True, False, True])).to_pylist()
    ['a', None, 'b']
    """
    if len(values) == len(alive):
        return values
    mask = np.asarray(alive)
    return values.take(pa.array(np.cumsum(mask) - 1, pa.int64(), mask=~mask))
