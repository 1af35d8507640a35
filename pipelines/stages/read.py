"""The first step: turn raw files into captures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Function, resolve
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.apply import Law, settle, shortened, text_bytes, total
from corpusmill.pipelines.stages.base import reject
from corpusmill.pipelines.stages.optouts.page import without_opted_out
from corpusmill.schemas.document import CAPTURE, MAX_TEXT_BYTES
from corpusmill.schemas.identity import ID_COUNTS, capture_hash, document_id
from corpusmill.schemas.selectors import SELECTORS
from corpusmill.schemas.vectors import VECTOR_COUNTS

STAGE: Final = "read"
"""Name of this stage in ledger and counts."""
KIND: Final = "kind"
"""Counters ``kind/<source>/<kind>`` count the records of a source that are not documents, such as requests."""
ID: Final = "id"
"""Counters ``id/<source>/<how>`` count the records of a source by where their ids come from: `given`, `missing` or
`unusable`."""
VECTORS: Final = "vectors"
"""Counters ``vectors/<source>/<how>`` count the records of a source with and without a vector (`schemas.vectors`)."""
_PREFIXES: Final = ((ID_COUNTS, ID), (VECTOR_COUNTS, VECTORS))


class Reader(Protocol):
    """The part of a loader that this step uses.

    Args:
        respected: The kinds of opt-outs that prevent publication of a record.
        selectors: The value of the column `selectors`.
    """

    @property
    def respected(self) -> frozenset[str]: ...

    @property
    def selectors(self) -> str | None: ...

    def offers(self, path: str, *, name: str, start: int, end: int, counts: Counter[str]) -> Iterator[pa.RecordBatch]:
        """Yield records, schema `OFFER`. Count those that are not documents in *counts*, by kind."""
        ...


class Read(Function):
    """Reads slices of raw files. Each row of the input names one slice.

    Rows: ``source, path, name, sha256, start, end, loader`` (``module:Class``), ``params`` (JSON), ``license``. With
        *text_only*, records that need text extraction are rejected, because no stage of the recipe extracts text.
    """

    version: ClassVar[int] = 2

    text_only: bool = False

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                for row in batch.to_pylist():
                    yield from self._slice(row)

        return run

    def chosen(self, captures: pa.RecordBatch) -> pa.RecordBatch:
        """Return the *captures* to keep: all of them."""
        return captures

    def _slice(self, row: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        loader: Reader = resolve(row["loader"]).model_validate_json(row["params"])
        counts: Counter[str] = Counter()
        for offers in loader.offers(row["path"], name=row["name"], start=row["start"], end=row["end"], counts=counts):
            captures = without_opted_out(_captures(offers, row, selectors=loader.selectors), loader.respected)
            captures = self.chosen(captures)
            if self.text_only:
                captures = _without_markup(captures)
            yield _settled(captures, row["source"])
        for kind, number in counts.items():
            task().count(_counter(kind, row["source"]), number)


def _counter(kind: str, source: str) -> str:
    """Return the name of the counter of records of *kind*, as a loader names it."""
    prefix, counter = next((pair for pair in _PREFIXES if kind.startswith(pair[0])), ("", KIND))
    return f"{counter}/{source}/{kind.removeprefix(prefix)}"


def _captures(offers: pa.RecordBatch, row: dict[str, Any], *, selectors: str | None) -> pa.RecordBatch:
    """Return *offers* as captures of their source, with id and license."""
    hashes = [value or capture_hash(message.encode()) for value, message in _pairs(offers, "record_sha256", "message")]
    source_ids = [value or hashes[index] for index, value in enumerate(offers["source_id"].to_pylist())]
    known = pc.is_valid(offers["license"])
    computed = {
        "id": pa.array([document_id(row["source"], value) for value in source_ids], pa.string()),
        "source": pa.array([row["source"]] * offers.num_rows, pa.string()),
        "source_id": pa.array(source_ids, pa.string()),
        "record_sha256": pa.array(hashes, pa.string()),
        SELECTORS: pa.array([selectors] * offers.num_rows, pa.string()),
        "text_bytes": text_bytes(offers["text"]),
        "file": pa.array([row["sha256"]] * offers.num_rows, pa.string()),
        "license": pc.if_else(known, offers["license"], pa.scalar(row["license"], pa.string())),
        "license_source": pc.if_else(
            known, offers["license_source"], pa.scalar("recipe" if row["license"] else None, pa.string())
        ),
    }
    names = set(offers.schema.names)
    columns = [
        computed[field.name]
        if field.name in computed
        else offers[field.name]
        if field.name in names
        else pa.nulls(offers.num_rows, field.type)
        for field in CAPTURE
    ]
    return pa.RecordBatch.from_arrays(columns, schema=CAPTURE)


def _pairs(offers: pa.RecordBatch, first: str, second: str) -> Iterator[tuple[str | None, str]]:
    for value, other in zip(offers[first].to_pylist(), offers[second].to_pylist(), strict=True):
        yield value, other or ""


def _without_markup(captures: pa.RecordBatch) -> pa.RecordBatch:
    markup = pc.and_(pc.is_null(captures["text"]), pc.is_valid(captures["content"]))
    return reject(captures, markup, rule="read.not_extracted", message="the recipe has no stage `extract`")


def _settled(captures: pa.RecordBatch, source: str) -> pa.RecordBatch:
    """Count the records, and reject those that the loader could not read or that are too large."""
    law = Law(STAGE)
    law.count("documents_in", captures.num_rows)
    law.count("bytes_in", total(captures["text_bytes"]))
    task().count(f"read/{source}", captures.num_rows)
    sizes = captures["text_bytes"]
    large = pc.greater(sizes, MAX_TEXT_BYTES)
    if pc.any(large).as_py():
        captures = reject(captures, large, rule="error.too_large", value=sizes, threshold=float(MAX_TEXT_BYTES))
        captures = shortened(captures, large)
    return settle(captures, name=STAGE, law=law)


def raw_row(
    *,
    source: str,
    path: str,
    name: str,
    sha256: str,
    start: int,
    end: int,
    loader: str,
    params: str,
    license: str | None,
) -> dict[str, Any]:
    """Return the input row that tells `Read` about a slice of a raw file."""
    return {
        "source": source,
        "path": path,
        "name": name,
        "sha256": sha256,
        "start": start,
        "end": end,
        "loader": loader,
        "params": params,
        "license": license,
    }
