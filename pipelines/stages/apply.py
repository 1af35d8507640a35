"""Run a stage on a batch of captures: living rows pass through the stage, rejected rows stay as they are.

Rows and bytes are counted before and after the stage, so a stage cannot lose either unnoticed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import ColumnFunction, Map, resolve
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, Documents, Stage, Transform, reject
from corpusmill.schemas.document import CAPTURE, MAX_TEXT_BYTES, VERDICT
from corpusmill.schemas.errors import CorpusmillError, DataError, MissingExtraError, WorkError

JUDGED: Final = ("stage", "rule", "value", "threshold", "message")
"""The verdict columns that a stage which looks at one document at a time can write."""
SHORTENED_CHARACTERS: Final = 600
"""Length to which a text that is too large is cut: as much as the ledger may show."""
_ALWAYS: Final = ("id", "text_bytes", *JUDGED)

_log = logging.getLogger(__name__)


class Apply(ColumnFunction):
    """Applies the stage *function* with *params* under its name in the recipe."""

    version = 2

    stage: str
    function: str
    params: str

    @classmethod
    def of(cls, name: str, stage: Stage) -> Apply:
        """Return the function that applies *stage* under *name*."""
        place = f"{type(stage).__module__}:{type(stage).__qualname__}"
        return cls(stage=name, function=place, params=stage.model_dump_json())

    def value(self) -> Stage:
        """Return the stage."""
        stage: Stage = resolve(self.function).model_validate_json(self.params)
        return stage

    def identity(self) -> dict[str, Any]:
        return {**super().identity(), "params": {"stage": self.stage, "params": json.loads(self.params)}}

    def distributions(self) -> tuple[str, ...]:
        return ("pyarrow",)

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        stage = self.value()
        transform = stage.build()
        columns = list(columns_read(stage))
        return lambda batch: apply(transform, batch.select(columns), name=self.stage, stage=stage)


def columns_read(stage: Stage) -> tuple[str, ...]:
    """Return the columns that applying *stage* reads."""
    return tuple(dict.fromkeys((*_ALWAYS, *stage.reads(), *stage.changes())))


def columns_written(stage: Stage, before: pa.Schema) -> pa.Schema:
    """Return the columns that *stage* writes when applied to documents with the columns *before*."""
    changed = [before.field(name) for name in stage.changes()]
    if "text" in stage.changes():
        changed.append(before.field("text_bytes"))
    judged = [VERDICT.field(name) for name in JUDGED]
    return pa.schema([*(field.with_nullable(True) for field in stage.adds()), *changed, *judged])


def map_step(name: str, stage: Stage, documents: Documents) -> Map:
    """Return the step *name* that applies *stage* to *documents*."""
    return Map(
        name=name,
        of=documents.state,
        function=Apply.of(name, stage),
        reads=columns_read(stage),
        writes=columns_written(stage, documents.schema),
        sides={side: table.schema for side, table in stage.sides().items()},
    )


class Law:
    """Counts the rows and bytes that enter and leave a stage."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def count(self, name: str, by: int) -> None:
        """Add *by* to the figure *name* of the stage."""
        if by:
            task().count(f"law/{self._stage}/{name}", by)

    def count_rules(self, rules: pa.Array) -> None:
        """Count rejected documents by rule."""
        for item in pc.value_counts(rules).to_pylist():
            if item["values"] is not None:
                task().count(f"law/{self._stage}/rule/{item['values']}", item["counts"])


def text_bytes(column: pa.Array) -> pa.Array:
    """Return the UTF-8 bytes of each text of *column* (int64), 0 for null."""
    return pc.fill_null(pc.binary_length(column), 0).cast(pa.int64())


def total(column: pa.Array) -> int:
    """Return the sum of *column*, 0 when it has no value."""
    return int(pc.sum(column).as_py() or 0)


def apply(transform: Transform, batch: pa.RecordBatch, *, name: str, stage: Stage) -> pa.RecordBatch:
    """Return the columns that *stage* writes for *batch*, row by row. Rejected rows stay unchanged.

    A row on which the stage raises is rejected as ``error.<kind>``.

    Raises:
        WorkError: The stage dropped, duplicated or reordered rows, reported wrong byte counts, or wrote undeclared
            columns.
    """
    alive = pc.is_null(batch["rule"])
    live = batch if alive.true_count == len(alive) else batch.filter(alive)
    law = Law(name)
    law.count("documents_in", live.num_rows)
    law.count("bytes_in", total(live["text_bytes"]))
    before = live.schema
    schema = columns_written(stage, _full(before))
    if not live.num_rows:
        return _untouched(batch, schema)
    result = _transformed(transform, live.drop_columns(["text_bytes", "stage"]), stage)
    if result.num_rows != live.num_rows or not result["id"].equals(live["id"]):
        raise WorkError(f"stage {name} returned {result.num_rows} rows for {live.num_rows}, or reordered them")
    result = _with_sizes(_accounted(result, law), live, stage)
    result = settle(result, name=name, law=law)
    _check_columns(result, before, stage, name)
    return _expanded(result, batch, np.asarray(alive), schema)


def _untouched(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the columns of *schema* for a *batch* without living rows: unchanged, or null if they are new."""
    there = set(batch.schema.names)
    columns = [batch[f.name] if f.name in there else pa.nulls(batch.num_rows, f.type) for f in schema]
    return pa.RecordBatch.from_arrays(columns, names=schema.names)


def _full(schema: pa.Schema) -> pa.Schema:
    """Return *schema* with the types of `CAPTURE` for the columns that it shares with it."""
    known = set(CAPTURE.names)
    return pa.schema([CAPTURE.field(field.name) if field.name in known else field for field in schema])


def _transformed(transform: Transform, live: pa.RecordBatch, stage: Stage) -> pa.RecordBatch:
    try:
        with task().attempt():
            return transform(live)
    except (MemoryError, MissingExtraError, WorkError):
        raise
    except Exception as error:  # noqa: BLE001 - any error of a stage concerns one row, and the other rows continue
        _refuse_undeclared(error, live, stage)
        if live.num_rows == 1:
            return _set_aside(transform, live, stage)
    half = live.num_rows // 2
    pieces = [_transformed(transform, piece, stage) for piece in (live.slice(0, half), live.slice(half))]
    schema = max((piece.schema for piece in pieces), key=len)
    return pa.concat_batches([_widened(piece, schema) for piece in pieces])


def _refuse_undeclared(error: Exception, live: pa.RecordBatch, stage: Stage) -> None:
    """Raise if *error* says that the stage read a column that it did not declare."""
    missing = error.args[0] if isinstance(error, KeyError) and error.args else ""
    if isinstance(missing, str) and missing.startswith("Field ") and "does not exist" in missing:
        raise WorkError(
            f"stage {type(stage).__name__}: {missing}; available columns: {', '.join(live.schema.names)}",
            hint="declare the column in `reads()`",
        ) from error


def _set_aside(transform: Transform, row: pa.RecordBatch, stage: Stage) -> pa.RecordBatch:
    """Return the one *row* on which *transform* fails, as rejected."""
    try:
        with task().attempt():
            return transform(row)
    except DataError as error:
        rule, message = error.rule, str(error)
    except CorpusmillError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        _log.warning("stage failed on a document", extra={"id": row["id"][0].as_py(), "error": repr(error)})
        rule, message = "error.unexpected", f"{type(error).__name__}: {error}"
    row = reject(row, np.array([True]), rule=rule, message=message[:500])
    for field in stage.adds():
        row = row.append_column(field, pa.nulls(1, field.type))
    if "text" in stage.changes():
        for column in (TEXT_ADDED, TEXT_CUT):
            row = row.append_column(column, pa.array([0], pa.int64()))
    return row


def _accounted(result: pa.RecordBatch, law: Law) -> pa.RecordBatch:
    for name, figure in ((TEXT_ADDED, "bytes_added"), (TEXT_CUT, "bytes_cut")):
        if name in result.schema.names:
            law.count(figure, total(result[name]))
            result = result.drop_columns([name])
    return result


def _with_sizes(result: pa.RecordBatch, live: pa.RecordBatch, stage: Stage) -> pa.RecordBatch:
    """Return *result* with `text_bytes` and `stage`. Texts that became too large are rejected."""
    sizes = text_bytes(result["text"]) if "text" in stage.changes() else live["text_bytes"]
    for name, values in (("text_bytes", sizes), ("stage", live["stage"])):
        if name not in result.schema.names:
            result = result.append_column(name, values)
    large = pc.greater(sizes, MAX_TEXT_BYTES)
    if not pc.any(large).as_py():
        return result
    result = reject(result, large, rule="error.too_large", value=sizes, threshold=float(MAX_TEXT_BYTES))
    return shortened(result, large)


def shortened(batch: pa.RecordBatch, large: pa.BooleanArray) -> pa.RecordBatch:
    """Return *batch* with texts marked as *large* cut to their first characters."""
    texts = pc.if_else(large, pc.utf8_slice_codeunits(batch["text"], 0, SHORTENED_CHARACTERS), batch["text"])
    return batch.set_column(batch.schema.get_field_index("text"), CAPTURE.field("text"), texts)


def settle(result: pa.RecordBatch, *, name: str, law: Law) -> pa.RecordBatch:
    """Count the rows that leave a stage, and write its name to the rejected ones."""
    rejected = pc.is_valid(result["rule"])
    sizes = result["text_bytes"]
    count = rejected.true_count
    everything = total(sizes)
    lost = total(pc.if_else(rejected, sizes, 0)) if count else 0
    law.count("documents_out", result.num_rows - count)
    law.count("bytes_out", everything - lost)
    law.count("ledger", count)
    law.count("bytes_ledger", lost)
    if not count:
        return result
    law.count_rules(result["rule"])
    index = result.schema.get_field_index("stage")
    return result.set_column(index, VERDICT.field("stage"), pc.if_else(rejected, name, result["stage"]))


def _check_columns(result: pa.RecordBatch, before: pa.Schema, stage: Stage, name: str) -> None:
    """Check that *result* has exactly the columns *before* plus those that the stage declares."""
    added = {field.name for field in stage.adds()}
    there = set(result.schema.names)
    if undeclared := sorted(there - set(before.names) - added):
        raise WorkError(
            f"stage {name} returned the column {undeclared[0]!r}, which it does not declare",
            hint="declare it in `adds()`, with its type",
        )
    if missing := sorted((added | set(before.names)) - there):
        raise WorkError(f"stage {name} did not return the column {missing[0]!r}")


def _expanded(
    result: pa.RecordBatch, batch: pa.RecordBatch, alive: npt.NDArray[np.bool_], schema: pa.Schema
) -> pa.RecordBatch:
    """Return the columns of *schema*: from *result* for rows that are *alive*, from *batch* for the others."""
    if alive.all():
        return pa.RecordBatch.from_arrays([result[name] for name in schema.names], names=schema.names)
    index = pa.array(np.cumsum(alive) - 1, pa.int64(), mask=~alive)
    where = pa.array(alive)
    columns = []
    for field in schema:
        values = result[field.name].take(index)
        if field.name in batch.schema.names:
            values = _chosen(where, values, batch[field.name])
        columns.append(values)
    return pa.RecordBatch.from_arrays(columns, names=schema.names)


def _chosen(where: pa.BooleanArray, values: pa.Array, others: pa.Array) -> pa.Array:
    if not pa.types.is_nested(values.type):
        return pc.if_else(where, values, others)
    both = pa.concat_arrays([values, others])
    rows = np.arange(len(values))
    return both.take(pa.array(np.where(np.asarray(where), rows, rows + len(values))))


def _widened(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return *batch* with the columns of *schema*; missing columns are null."""
    names = set(batch.schema.names)
    columns = [batch[field.name] if field.name in names else pa.nulls(batch.num_rows, field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
