"""Remove exact duplicates: of several documents with the same text, the first in priority is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Literal

import pyarrow as pa
from pydantic import Field

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input, Step
from corpusmill.pipelines.engines.runs import RunRows, with_first_of_run
from corpusmill.pipelines.stages.base import Documents, Stage
from corpusmill.pipelines.stages.dedup.priority import KEEP_HELP, Keep, priorities, priority_columns
from corpusmill.pipelines.stages.verdicts import DECISION, PLACE_FIELD, decided, living, verdict_step

RULE: Final = "exact_dedup.duplicate"
RANKED: Final = pa.schema(
    [
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("priority", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        PLACE_FIELD,
        pa.field("text_bytes", pa.int64(), nullable=False),
    ]
)
"""A living document with its priority."""


class ExactDedup(Stage):
    """Keep one of all documents with exactly the same text."""

    version: ClassVar[int] = 2
    removes_copies: ClassVar[Literal["exact", "near"] | None] = "exact"
    card_line: ClassVar[str | None] = "keeps one of all documents with the same text"

    keep: Keep = Field(default="oldest", description=KEEP_HELP)

    def reads(self) -> tuple[str, ...]:
        """Return the columns by which documents are compared and ordered."""
        return ("content_hash", *priority_columns(self.keep))

    def rules(self) -> tuple[str, ...]:
        """Return the only rule."""
        return (RULE,)

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return an exchange by `content_hash` that decides, and one that writes the verdicts onto the documents."""
        decisions = f"{name}.decisions"
        columns = dict.fromkeys((*self.reads(), "id", "rule", "text_bytes", PLACE))
        sources = documents.sources if self.keep == "first_source" else ()
        return (
            Exchange(
                name=decisions,
                inputs=(
                    Input(documents.state, through=Ranked(keep=self.keep, sources=sources), columns=tuple(columns)),
                ),
                by="content_hash",
                order=("priority", "id", PLACE),
                function=DropEqual(),
                moved=RANKED,
                schema=DECISION,
            ),
            verdict_step(name, decisions=decisions, of=documents.state),
        )


class Ranked(Function):
    """Selects living documents and computes their priority."""

    keep: Keep
    sources: tuple[str, ...] = ()

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: (ranked(batch, keep=self.keep, sources=self.sources) for batch in batches)


class DropEqual(Function):
    """Rejects all rows but the first of each `content_hash`, holding one batch at a time."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`content_hash`, `priority`, `id`)."""
        return lambda batches: map(drop_equal, with_first_of_run(batches, by=("content_hash",), of=("id",)))


def ranked(batch: pa.RecordBatch, *, keep: Keep, sources: Sequence[str] = ()) -> pa.RecordBatch:
    """Return the living documents of *batch* as `RANKED` rows."""
    alive = living(batch)
    priority = priorities(alive, keep=keep, sources=sources)
    columns = [priority if field.name == "priority" else alive[field.name] for field in RANKED]
    return pa.RecordBatch.from_arrays(columns, schema=RANKED)


def drop_equal(rows: RunRows) -> pa.RecordBatch:
    """Return decisions about a batch: all rows but the first of a run are rejected."""
    return decided(rows.batch, ~rows.is_first, DECISION, rule=RULE, duplicate_of=rows.first["id"])
