"""The steps of a run: read, compare, write."""

from __future__ import annotations

import json
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
    ids = () if columns.id is None else (repeated_step(IDS, of=READ, is_mixed=job.reader is not None),)
    own = job.stage.steps(job.name, Documents(READ, RECORDS))
    steps = [replace(step, stage=job.name, basis=job.stage.basis()) for step in own]
    rows = [part.as_row() for part in job.parts]
    return Plan((scan, *ids, *steps), {READ: [ScanTask((row,), row) for row in rows]})


def output_plan(plan: Plan, job: Job, read: StepResult, tasks: TaskStore) -> Plan:
    """Return *plan*, made by `compare_plan`, with the steps that write the output. *read* is its finished first step.

    The fields of JSON records are known only when all records have been read.
    """
    columns, parts = job.columns, job.own_parts
    fields, schema = None, job.schema
    kind = None if schema is None or columns.id is None else schema.field(columns.id).type
    if schema is None:
        fields, kind = _json_fields(job, read, tasks)
        schema = schema_of(fields)
    function = WriteKept(
        columns=as_hex(schema),
        shapes=None if fields is None else json.dumps(list(fields.items())),
        ledger=as_hex(ledger_schema(pa.string() if kind is None else ledger_type(kind))),
        duplicate=job.rule,
        text=columns.text,
        id=columns.id,
        reader=job.reader,
    )
    scan, listed = parts_scan(PARTS, parts)
    write = write_step(WRITE, parts=PARTS, records=plan.steps[-1].name, count=len(parts), function=function)
    return plan.extended([scan, write], {PARTS: listed})


def _json_fields(job: Job, read: StepResult, tasks: TaskStore) -> tuple[Shapes, pa.DataType | None]:
    """Return the fields of the records to deduplicate, and the type of all ids, those of the reference included."""
    keys = [final_key(tasks.out(done.fingerprint), SHAPES) for done in read.tasks]
    by_part = dict(_shapes_of_part(tasks.store.read_text(key)) for key in keys)
    fields = unified_fields(by_part[part.number] for part in job.own_parts)
    name = job.columns.id
    ids = None if name is None else unified_fields({name: shapes.get(name, "null")} for shapes in by_part.values())
    return fields or {job.columns.text: "text"}, None if ids is None or name is None else arrow_type(ids[name])


def _shapes_of_part(text: str) -> tuple[int, Shapes]:
    content = json.loads(text)
    return content["part"], dict(content["shapes"])
