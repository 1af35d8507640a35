"""The index that a version publishes: a row for each document that the stage compared.

The next run with `incremental: true` reads it (`carried`), and so does `explain --like`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import ColumnFunction, Map
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.base import SideTable
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST

INDEX: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        *(pa.field(name, pa.int64()) for name in ("size", "set_a", "set_b")),
        pa.field("bands", INT64_LIST),
        pa.field("duplicate_of", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("parameters", pa.string()),
    ]
)
"""A compared document: its set of shingles (`size` and 128 bits of hash), its band keys, and its kept document with the
similarity to it, if it was removed. `parameters` is the JSON object of what keys and decisions depend on."""
INDEX_TABLE: Final = SideTable(
    INDEX,
    may_be_null=("duplicate_of", "similarity"),
    is_published=True,
)
PARENT: Final = pa.schema([field for field in INDEX if field.name not in ("bands", "parameters")])
"""What a run reads of each row of the parent's index."""


def index_step(name: str, *, of: str, signs: str, rule: str, parameters: Mapping[str, Any]) -> Map:
    """Return the step that emits the index.

    Args:
        of: The state of the documents after the verdicts.
        signs: Prefix of the columns of `buckets.Sign`.
        rule: The rule of documents that were removed.
    """
    signatures = (f"{signs}.{column}" for column in ("size", "set_a", "set_b", "bands"))
    written = f"{signs}.is_indexed"
    text = json.dumps(dict(parameters), sort_keys=True)
    return Map(
        name=name,
        of=of,
        function=EmitIndex(signs=signs, rule=rule, parameters=text, into=written),
        reads=("id", "rule", "value", "duplicate_of", *signatures),
        writes=pa.schema([pa.field(written, pa.bool_())]),
        sides={"index": INDEX},
    )


class EmitIndex(ColumnFunction):
    """Emits the `INDEX` rows of compared documents, and marks them."""

    signs: str
    rule: str
    parameters: str
    into: str

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            is_compared = pc.is_valid(batch[f"{self.signs}.size"])
            task().emit("index", index_rows(batch.filter(is_compared), self))
            return pa.record_batch({self.into: is_compared})

        return run


def index_rows(batch: pa.RecordBatch, options: EmitIndex) -> pa.RecordBatch:
    """Return the index of the documents of *batch*, all compared."""
    is_removed = pc.fill_null(pc.equal(batch["rule"], options.rule), False)
    bands = batch[f"{options.signs}.bands"]
    columns = {
        "id": batch["id"],
        **{name: batch[f"{options.signs}.{name}"] for name in ("size", "set_a", "set_b")},
        "bands": bands.take(pa.array(np.arange(len(bands)), mask=np.asarray(is_removed))),
        "duplicate_of": pc.if_else(is_removed, batch["duplicate_of"], pa.scalar(None, pa.string())),
        "similarity": pc.if_else(is_removed, batch["value"], pa.scalar(None, pa.float64())),
        "parameters": pa.repeat(options.parameters, batch.num_rows),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in INDEX.names], schema=INDEX)


def differences(made: str, wanted: Mapping[str, Any]) -> list[str]:
    """Return how the parameters of an index, as JSON, differ from those *wanted*.

    >>> differences('{"bands": 20, "rows": 6}', {"bands": 30, "rows": 6})
    ['`bands` was 20 and is 30']
    """
    before = json.loads(made)
    names = sorted({*before, *wanted})
    return [
        f"`{name}` was {before.get(name)} and is {wanted.get(name)}"
        for name in names
        if before.get(name) != wanted.get(name)
    ]
