"""Set aside documents that are gone: pages that a recrawl did not find any more, and records that a file deletes.

The archives that have the pages stay as they are, because other pages in them are still current. So the crawl publishes
a table of the pages that are gone, and an exchange by `id` brings it and their captures together. The same is done with
the records that update files of a data set name as deleted, whichever file has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input, Scan, Step, resolve
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.verdicts import DECISION, PLACE_FIELD, decided, living, verdict_step
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.identity import document_id
from corpusmill.schemas.storage import located

DELETED_STAGE: Final = "deletions"
"""Stage of the ledger's rows for records that a file deletes."""
DELETED_RULE: Final = "deleted"
_GONE, _CAPTURE = 0, 1
_NO_PLACE: Final = -1
GONE: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("message", pa.string()),
    ]
)
"""A document whose page is gone."""
MOVED: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("role", pa.int32(), nullable=False),
        PLACE_FIELD,
        pa.field("rule", pa.string()),
        pa.field("message", pa.string()),
        pa.field("text_bytes", pa.int64(), nullable=False),
    ]
)
"""A row of `GONE` (`role` 0), or a living capture (`role` 1)."""
_HINT: Final = "crawl the site again without `--recrawl`"


def gone_steps(name: str, *, of: str, scan: str, reads: Function, law: str) -> tuple[Step, ...]:
    """Return the steps that set aside the captures of documents that are gone. The last one is called *name*.

    Args:
        of: The step whose table has the captures.
        scan: Name of the first step, a scan.
        reads: What the scan reads the documents that are gone with: `ReadGone` or `ReadDeletions`.
        law: Stage of the ledger's rows.
    """
    decisions = f"{name}.decisions"
    return (
        Scan(name=scan, function=reads, schema=GONE),
        Exchange(
            name=decisions,
            inputs=(
                Input(scan, through=GoneRows()),
                Input(of, through=Captures(), columns=("id", "rule", "text_bytes", PLACE)),
            ),
            by="id",
            order=("role", PLACE),
            function=JudgeGone(),
            moved=MOVED,
            schema=DECISION,
        ),
        verdict_step(name, decisions=decisions, of=of, law=law),
    )


class ReadGone(Function):
    """Reads tables of gone pages. Each row of the input has the `source`, `address` and `sha256` of one table."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                for row in batch.to_pylist():
                    yield from _rows(**row)

        return run


def _rows(source: str, address: str, sha256: str) -> Batches:
    """Yield the rows of a table as `GONE`.

    Raises:
        DamagedFileError: The table is missing, or not the one that the crawl published.
    """
    store, key = located(address)
    try:
        if store.path() is not None and store.sha256(key) != sha256:
            raise DamagedFileError("the table of gone pages differs from the manifest", file=address, hint=_HINT)
        with store.open(key) as opened, pq.ParquetFile(opened) as file:
            for batch in file.iter_batches():
                ids = [document_id(source, url) for url in batch["url"].to_pylist()]
                yield pa.record_batch([pa.array(ids, pa.string()), batch["rule"], batch["message"]], schema=GONE)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(f"the table of gone pages: {error}", file=address, hint=_HINT) from error


class ReadDeletions(Function):
    """Reads the records that slices of raw files delete. Each row of the input names one slice, as for `Read`."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                for row in batch.to_pylist():
                    loader = resolve(row["loader"]).model_validate_json(row["params"])
                    for deleted in loader.deletions(row["path"], start=row["start"], end=row["end"]):
                        yield _deleted(row["source"], deleted)

        return run


def _deleted(source: str, ids: list[str]) -> pa.RecordBatch:
    columns = [
        pa.array([document_id(source, id) for id in ids], pa.string()),
        pa.repeat(pa.scalar(DELETED_RULE), len(ids)),
        pa.nulls(len(ids), pa.string()),
    ]
    return pa.record_batch(columns, schema=GONE)


class GoneRows(Function):
    """Turns `GONE` rows into `MOVED` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (_moved(batch, role=_GONE, text_bytes=0, **{PLACE: _NO_PLACE}) for batch in batches)


class Captures(Function):
    """Turns living captures into `MOVED` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (_moved(living(batch), role=_CAPTURE) for batch in batches)


def _moved(batch: pa.RecordBatch, **made: int) -> pa.RecordBatch:
    names = batch.schema.names
    columns: list[Any] = []
    for field in MOVED:
        if field.name in made:
            columns.append(pa.repeat(pa.scalar(made[field.name], field.type), batch.num_rows))
        else:
            columns.append(batch[field.name] if field.name in names else pa.nulls(batch.num_rows, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=MOVED)


class JudgeGone(Function):
    """Decides about the captures of documents that are gone."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `MOVED` rows sorted by (`id`, `role`)."""
        return lambda batches: map(_judged, whole_groups(batches, by="id"))


def _judged(batch: pa.RecordBatch) -> pa.RecordBatch:
    starts = run_starts(batch["id"])
    if not len(starts):
        return decided(batch, np.zeros(0, np.bool_), DECISION)
    roles = np.asarray(batch["role"])
    first = pa.array(starts[group_numbers(starts, rows=batch.num_rows)])
    is_gone = (roles == _CAPTURE) & (np.asarray(pc.take(batch["role"], first)) == _GONE)
    reasons = {name: batch[name].take(first) for name in ("rule", "message")}
    return decided(batch, is_gone, DECISION, **reasons)
