"""Running a stage on a stream of captures: living rows pass through it, dead ones pass by, both are counted.

This is where the law of a stage is kept: nothing a stage does can lose a row or a byte unseen.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Function, resolve
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, LearnStage, MapStage, Transform, reject
from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.errors import CorpusmillError, DataError, MissingExtraError, WorkError
from corpusmill.schemas.hashing import file_sha256

SAMPLE_CHARACTERS: Final = 600
_SAMPLED_DIGITS: Final = ("0", "1", "2", "3")
"""A rejected document whose id begins with one of these keeps the beginning of its text: one in four."""

_log = logging.getLogger(__name__)


class Apply(Function):
    """Applies the stage *function* with *params* under the name that it has in the recipe."""

    stage: str
    function: str
    params: str

    @classmethod
    def of(cls, name: str, stage: MapStage) -> Apply:
        """Give the function that applies *stage* under *name*."""
        place = f"{type(stage).__module__}:{type(stage).__qualname__}"
        return cls(stage=name, function=place, params=stage.model_dump_json())

    def value(self) -> MapStage:
        """Give the stage."""
        stage: MapStage = resolve(self.function).model_validate_json(self.params)
        return stage

    def identity(self) -> dict[str, Any]:
        stage = self.value()
        return {
            "function": self.function,
            "version": [self.version, stage.version],
            "stage": self.stage,
            "params": json.loads(self.params),
            "data": {name: file_sha256(_folder(stage) / name) for name in stage.data},
        }

    def distributions(self) -> tuple[str, ...]:
        return ("pyarrow", *self.value().depends)

    def build(self) -> Callable[[Batches], Batches]:
        stage = self.value()
        transform = stage.build()

        def run(batches: Batches) -> Batches:
            for batch in batches:
                yield apply(transform, batch, name=self.stage, stage=stage)

        return run


def _folder(stage: MapStage) -> Path:
    file = resolve(f"{type(stage).__module__}:__file__")
    return Path(file).parent


class Law:
    """Counts what goes in and out of a stage."""

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


def text_bytes(column: pa.Array) -> int:
    """Give the UTF-8 bytes of all texts of *column*."""
    return int(pc.sum(pc.binary_length(column)).as_py() or 0)


def apply(transform: Transform, batch: pa.RecordBatch, *, name: str, stage: MapStage | LearnStage) -> pa.RecordBatch:
    """Give *batch* after the stage: living rows first, dead ones behind, none missing.

    A row on which the stage fails is set aside as ``error.<kind>``.

    Raises:
        WorkError: The stage dropped, doubled or moved rows, or its account of the text does not add up.
    """
    alive = pc.is_null(batch["rule"])
    live = batch.filter(alive)
    dead = batch.filter(pc.invert(alive))
    law = Law(name)
    law.count("documents_in", live.num_rows)
    law.count("bytes_in", text_bytes(live["text"]))
    result = _transformed(transform, live, stage) if live.num_rows else live
    if result.num_rows != live.num_rows or not result["id"].equals(live["id"]):
        raise WorkError(f"stage {name} gave {result.num_rows} rows for {live.num_rows}, or moved them")
    result = _too_large(_accounted(result, law))
    result = settle(result, name=name, law=law)
    if not dead.num_rows:
        return result
    return pa.concat_batches([result, _widened(dead, result.schema)])


def _transformed(transform: Transform, live: pa.RecordBatch, stage: MapStage | LearnStage) -> pa.RecordBatch:
    try:
        return transform(live)
    except (MemoryError, MissingExtraError):
        raise
    except Exception:  # noqa: BLE001 - whatever a stage stumbles over, the other rows go on
        if live.num_rows == 1:
            return _set_aside(transform, live, stage)
    half = live.num_rows // 2
    pieces = [_transformed(transform, piece, stage) for piece in (live.slice(0, half), live.slice(half))]
    schema = max((piece.schema for piece in pieces), key=len)
    return pa.concat_batches([_widened(piece, schema) for piece in pieces])


def _set_aside(transform: Transform, row: pa.RecordBatch, stage: MapStage | LearnStage) -> pa.RecordBatch:
    """Give the one *row* on which *transform* fails, rejected."""
    try:
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
    if stage.changes_text:
        for column in (TEXT_ADDED, TEXT_CUT):
            row = row.append_column(column, pa.array([0], pa.int64()))
    return row


def _accounted(result: pa.RecordBatch, law: Law) -> pa.RecordBatch:
    for name, figure in ((TEXT_ADDED, "bytes_added"), (TEXT_CUT, "bytes_cut")):
        if name in result.schema.names:
            law.count(figure, int(pc.sum(result[name]).as_py() or 0))
            result = result.drop_columns([name])
    return result


def _too_large(result: pa.RecordBatch) -> pa.RecordBatch:
    sizes = pc.binary_length(result["text"])
    large = pc.fill_null(pc.greater(sizes, MAX_TEXT_BYTES), False)
    if not pc.any(large).as_py():
        return result
    return reject(result, large, rule="error.too_large", value=sizes, threshold=float(MAX_TEXT_BYTES))


def settle(result: pa.RecordBatch, *, name: str, law: Law) -> pa.RecordBatch:
    """Give rows that just left a stage: the rejected ones lose text and content and keep a sample of it, counted."""
    rejected = pc.is_valid(result["rule"])
    lengths = pc.fill_null(pc.binary_length(result["text"]), 0)
    lost = int(pc.sum(pc.if_else(rejected, lengths, 0)).as_py() or 0)
    total = int(pc.sum(lengths).as_py() or 0)
    count = int(pc.sum(rejected).as_py() or 0)
    law.count("documents_out", result.num_rows - count)
    law.count("bytes_out", total - lost)
    law.count("ledger", count)
    law.count("bytes_ledger", lost)
    if not count:
        return result
    law.count_rules(result["rule"])
    changes = {
        "stage": pc.if_else(rejected, name, result["stage"]),
        "sample_text": sample_texts(result, rejected),
        "text_bytes": pc.if_else(rejected, lengths.cast(pa.int64()), result["text_bytes"]),
        "text": pc.if_else(rejected, pa.scalar(None, pa.string()), result["text"]),
        "content": pc.if_else(rejected, pa.scalar(None, pa.binary()), result["content"]),
    }
    for column, values in changes.items():
        index = result.schema.get_field_index(column)
        result = result.set_column(index, result.schema.field(index), values)
    return result


def sample_texts(batch: pa.RecordBatch, rejected: pa.BooleanArray) -> pa.StringArray:
    """Give the column `sample_text` with the beginning of the text of the *rejected* rows that are sampled."""
    sampled = pc.and_(rejected, pc.is_in(pc.utf8_slice_codeunits(batch["id"], 0, 1), pa.array(_SAMPLED_DIGITS)))
    return pc.if_else(sampled, pc.utf8_slice_codeunits(batch["text"], 0, SAMPLE_CHARACTERS), batch["sample_text"])


def _widened(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give *batch* with the columns of *schema*, nulls where it has none."""
    names = set(batch.schema.names)
    columns = [batch[field.name] if field.name in names else pa.nulls(batch.num_rows, field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
