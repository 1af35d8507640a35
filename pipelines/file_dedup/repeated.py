"""Find ids that several records have, in one exchange and bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Exchange, Function, Input
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.file_dedup.ids import OWN, ids_of_column, original_ids
from corpusmill.pipelines.stages.verdicts import living

REPEATED: Final = "ids/repeated"
"""Counts the ids that several records have."""
SHOWN: Final = 5
"""Repeated ids that a partition returns; an error shows as many."""
_ID: Final = pa.schema([pa.field("id", pa.string(), nullable=False)])


def repeated_step(name: str, *, of: str, is_mixed: bool) -> Exchange:
    """Return the step *name*: the least repeated ids of each partition of the records of the step *of*.

    Args:
        is_mixed: Records may have numbers and texts as ids: ``1`` and ``"1"`` are then one id, as in the output.
    """
    return Exchange(
        name=name,
        inputs=(Input(of, through=OwnIds(is_mixed=is_mixed), columns=("id", "part", "rule")),),
        by="id",
        order=(),
        function=Repeated(),
        moved=_ID,
        schema=_ID,
    )


class OwnIds(Function):
    """Selects the ids of the records to deduplicate. Those of the reference end with their place and never repeat."""

    is_mixed: bool

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `id`, `part` and `rule`."""
        return lambda batches: (_own(living(batch), is_mixed=self.is_mixed) for batch in batches)


def _own(batch: pa.RecordBatch, *, is_mixed: bool) -> pa.RecordBatch:
    ids = batch["id"].filter(pc.greater_equal(batch["part"], 0))
    if is_mixed:
        ids = ids_of_column(pc.fill_null(original_ids(ids, pa.string()), ""))
        ids = pc.fill_null(pc.binary_join_element_wise(OWN, ids, ""), "")
    return pa.RecordBatch.from_arrays([ids], schema=_ID)


class Repeated(Function):
    """Counts the ids that occur several times, and returns the first `SHOWN` of them."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over sorted ids."""
        return _repeated


def _repeated(batches: Batches) -> Batches:
    """Yield the first ids of *batches* that occur several times; a run of equal ids may span any number of batches."""
    last: tuple[str, bool] | None = None
    left = SHOWN
    for batch in batches:
        ids = batch["id"]
        before = pa.array([None if last is None else last[0]], pa.string())
        is_same = pc.fill_null(pc.equal(ids, pa.concat_arrays([before, ids[:-1]])), False)
        same = is_same.to_numpy(zero_copy_only=False)
        was_same = np.concatenate([[last is not None and last[1]], same[:-1]])
        second = np.flatnonzero(same & ~was_same)
        task().count(REPEATED, len(second))
        if len(second) and left:
            yield pa.RecordBatch.from_arrays([ids.take(pa.array(second[:left]))], schema=_ID)
            left -= min(left, len(second))
        last = (ids[-1].as_py(), bool(same[-1]))
