"""Keep the first of all documents with an equal key. Only keys, priorities and places are exchanged, never texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Exchange, Function, Input, Map, Step
from corpusmill.pipelines.engines.runs import RunRows, with_first_of_run
from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.dedup.priority import Keep, priorities, priority_columns
from corpusmill.pipelines.stages.verdicts import DECISION, PLACE_FIELD, decided, for_all_rows, living, verdict_step

RANKED: Final = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("priority", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        PLACE_FIELD,
        pa.field("text_bytes", pa.int64(), nullable=False),
    ]
)
"""A living document with its key and priority."""


def first_of_equal(
    name: str, documents: Documents, *, key: str, rule: str, keep: Keep, keyed: str | None = None
) -> tuple[Step, ...]:
    """Return an exchange by *key* that decides, and the step *name* that writes the verdicts onto *documents*.

    Of all living documents with an equal key, the first in the order of *keep* stays. The others are rejected by *rule*
    and name it in `duplicate_of`. Documents whose key is null stay.

    Args:
        key: A column of strings.
        keyed: The step whose table has the column *key*; None: that of the documents.
    """
    decisions, state = f"{name}.decisions", keyed or documents.state
    columns = dict.fromkeys((key, *priority_columns(keep), "id", "rule", "text_bytes", PLACE))
    through = Ranked(key=key, keep=keep, sources=documents.sources if keep == "first_source" else ())
    return (
        Exchange(
            name=decisions,
            inputs=(Input(state, through=through, columns=tuple(columns)),),
            by="key",
            order=("priority", "id", PLACE),
            function=DropEqual(rule=rule),
            moved=RANKED,
            schema=DECISION,
        ),
        verdict_step(name, decisions=decisions, of=documents.state),
    )


class KeyOf(ColumnFunction):
    """Computes keys of living documents, in the column *into*; null for rejected documents."""

    column: ClassVar[str]
    """The column from which keys are computed."""

    into: str

    def keys(self, values: pa.StringArray) -> pa.StringArray:
        """Return the key of each of *values*; null for documents that are never duplicates."""
        raise NotImplementedError

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function over *column* and `rule`."""

        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            alive = pc.is_null(batch["rule"])
            return pa.record_batch({self.into: for_all_rows(self.keys(batch[self.column].filter(alive)), alive)})

        return run


def first_of_equal_keys(
    name: str, documents: Documents, *, keys: type[KeyOf], rule: str, keep: Keep
) -> tuple[Step, ...]:
    """Return a map that computes *keys*, and the steps of `first_of_equal` for them."""
    keyed, key = f"{name}.keys", f"{name}.key"
    hashing = Map(
        name=keyed,
        of=documents.state,
        function=keys(into=key),
        reads=(keys.column, "rule"),
        writes=pa.schema([pa.field(key, pa.string())]),
    )
    return (hashing, *first_of_equal(name, documents, key=key, rule=rule, keep=keep, keyed=keyed))


class Ranked(Function):
    """Selects living documents with a key and computes their priority."""

    key: str
    keep: Keep
    sources: tuple[str, ...] = ()

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: (ranked(batch, key=self.key, keep=self.keep, sources=self.sources) for batch in batches)


class DropEqual(Function):
    """Rejects all rows but the first of each key, holding one batch at a time."""

    rule: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`key`, `priority`, `id`)."""
        return lambda batches: (
            drop_equal(rows, rule=self.rule) for rows in with_first_of_run(batches, by=("key",), of=("id",))
        )


def ranked(batch: pa.RecordBatch, *, key: str, keep: Keep, sources: Sequence[str] = ()) -> pa.RecordBatch:
    """Return the living documents of *batch* whose column *key* is not null as `RANKED` rows."""
    alive = living(batch)
    alive = alive.filter(pc.is_valid(alive[key]))
    columns = {"key": alive[key], "priority": priorities(alive, keep=keep, sources=sources)}
    arrays = [columns[name] if name in columns else alive[name] for name in RANKED.names]
    return pa.RecordBatch.from_arrays(arrays, schema=RANKED)


def drop_equal(rows: RunRows, *, rule: str) -> pa.RecordBatch:
    """Return decisions about a batch: all rows but the first of a run are rejected by *rule*."""
    return decided(rows.batch, ~rows.is_first, DECISION, rule=rule, duplicate_of=rows.first["id"])
