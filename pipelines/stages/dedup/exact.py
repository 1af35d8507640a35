"""Exact duplicates: of several documents with one text, the first in priority is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa

from corpusmill.pipelines.engines.base import Batches, Exchange, Function, Input, Step
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.base import CompareStage
from corpusmill.pipelines.stages.dedup.priority import Keep, priorities
from corpusmill.pipelines.stages.fates import FATE
from corpusmill.pipelines.stages.verdicts import is_living, with_columns

RULE: Final = "exact_dedup.duplicate"
RANKED: Final = pa.schema([pa.field("dead", pa.int32(), False), pa.field("priority", pa.int64(), False), *FATE])
"""A fate with its place in the order: the living first."""


class ExactDedup(CompareStage):
    """Keep one of all documents that have the same text, character for character.

    The kept one is the oldest: the least (`fetched_at`, unknown last, then `id`).
    """

    version: ClassVar[int] = 1

    def steps(self, name: str, *, documents: str, fates: str) -> tuple[Step, ...]:
        """Give one exchange of fates by `content_hash`."""
        return (
            Exchange(
                name=name,
                inputs=(Input(fates, through=Ranked(keep="oldest")),),
                by="content_hash",
                order=("dead", "priority", "id", "record_sha256", "captured"),
                function=DropEqual(stage=name),
                moved=RANKED,
                schema=FATE,
                stage=name,
            ),
        )


class Ranked(Function):
    """Fates to fates with their place in the order of priority."""

    keep: Keep

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function."""
        return lambda batches: (ranked(batch, keep=self.keep) for batch in batches)


class DropEqual(Function):
    """Keep the first living row of each `content_hash`."""

    stage: str

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function over rows sorted by (`content_hash`, `dead`, `priority`, `id`, …)."""
        return lambda batches: (
            drop_equal(group, stage=self.stage) for group in whole_groups(batches, by="content_hash")
        )


def ranked(batch: pa.RecordBatch, *, keep: Keep) -> pa.RecordBatch:
    """Give the fates of *batch* with the columns of `RANKED`."""
    dead = pa.array(~is_living(batch)).cast(pa.int32())
    columns = [batch[field.name] for field in FATE]
    return pa.RecordBatch.from_arrays([dead, priorities(batch, keep=keep), *columns], schema=RANKED)


def drop_equal(batch: pa.RecordBatch, *, stage: str) -> pa.RecordBatch:
    """Give the fates of *batch*, whole groups in order, with a verdict on the living rows behind a group's first."""
    starts = run_starts(batch["content_hash"])
    duplicate = np.asarray(batch["dead"]) == 0
    duplicate[starts] = False
    kept = batch["id"].take(pa.array(starts[group_numbers(starts, rows=batch.num_rows)]))
    return with_columns(batch.select(FATE.names), duplicate, stage=stage, rule=RULE, duplicate_of=kept)
