"""The steps of a run: read, compare, write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pyarrow as pa

from corpusmill.pipelines.engines.base import Scan
from corpusmill.pipelines.engines.context import final_key
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.engines.store import StepResult, TaskStore
from corpusmill.pipelines.file_dedup.ids import ledger_type
from corpusmill.pipelines.file_dedup.job import Job
from corpusmill.pipelines.file_dedup.json_types import Shapes, arrow_type, schema_of, unified_fields
from corpusmill.pipelines.file_dedup.reading import RECORDS, SHAPES, ReadPart
from corpusmill.pipelines.file_dedup.repeated import repeated_step
from corpusmill.pipelines.file_dedup.writing import WriteKept, as_hex, ledger_schema, parts_scan, write_step
from corpusmill.pipelines.stages.base import Documents

READ: Final = ":read"
IDS: Final = ":ids"
PARTS: Final = ":parts"
WRITE: Final = ":write"


def compare_plan(job: Job) -> Plan:
    """Return the steps that read and compare the documents. The last one's table has the verdicts."""
    columns = job.columns
    function = ReadPart(text=columns.text, id=columns.id, time=columns.time, keep=job.keep, reader=job.reader)
    scan = Scan(name=READ, function=function, schema=RECORDS)
    ids = () if columns.id is None else (repeated_step(IDS, of=READ, is_mixed=job.schema is None),)
    own = job.stage.steps(job.name, Documents(READ, RECORDS))
    steps = [replace(step, stage=job.name, basis=job.stage.basis()) for step in own]
    rows = [part.as_row() for part in job.parts]
    return Plan((scan, *ids, *steps), {READ: [ScanTask((row,), row) for row in rows]})


def output_plan(plan: Plan, job: Job, read: StepResult, tasks: TaskStore) -> Plan:
    """Return *plan*, made by `compare_plan`, with the steps that write the output. *read* is its finished first step.

    The fields of JSON records are known only when all records have been read.
    """
    columns, parts = job.columns, job.own_parts
    by_part = _shapes_by_part(read, tasks)
    fields, schema = None, job.schema
    if schema is None:
        fields = unified_fields(by_part[part.number] for part in parts) or {columns.text: "text"}
        schema = schema_of(fields)
    function = WriteKept(
        columns=as_hex(schema),
        shapes=None if fields is None else json.dumps(list(fields.items())),
        ledger=as_hex(ledger_schema(_id_type(job, by_part))),
        duplicate=job.rule,
        text=columns.text,
        id=columns.id,
        reader=job.reader,
    )
    scan, listed = parts_scan(PARTS, parts)
    write = write_step(WRITE, parts=PARTS, records=plan.steps[-1].name, count=len(parts), function=function)
    return plan.extended([scan, write], {PARTS: listed})


def _shapes_by_part(read: StepResult, tasks: TaskStore) -> dict[int, Shapes]:
    """Return the fields of the records of each part that was read from JSON files."""
    keys = (final_key(tasks.out(done.fingerprint), SHAPES) for done in read.tasks if SHAPES in done.files)
    return dict(_shapes_of_part(tasks.store.read_text(key)) for key in keys)


def _shapes_of_part(text: str) -> tuple[int, Shapes]:
    content = json.loads(text)
    return content["part"], dict(content["shapes"])


def _id_type(job: Job, by_part: Mapping[int, Shapes]) -> pa.DataType:
    """Return the type of ids in the ledger: that of the files if they agree, those of the reference included."""
    name = job.columns.id
    if name is None:
        return pa.string()
    shapes = unified_fields({name: fields.get(name, "null")} for fields in by_part.values())
    of_json = [arrow_type(shape) for shape in shapes.values() if shape != "null"]
    of_parquet = [] if job.schema is None else [job.schema.field(name).type]
    kinds = {ledger_type(kind) for kind in (*of_json, *of_parquet, *job.reference_ids)}
    if len(kinds) == 1:
        return kinds.pop()
    return pa.int64() if kinds and all(map(pa.types.is_integer, kinds)) else pa.string()
