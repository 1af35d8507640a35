"""Near duplicates: documents that share most of their shingles with a document that is kept.

MinHash signatures (Broder 1997) are cut into bands; documents with an equal band are candidates (Leskovec, Rajaraman,
Ullman, Mining of Massive Datasets, §3.4); candidates are compared exactly, greedily in the order of priority
(`corpusmill.pipelines.stages.dedup.greedy`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from corpusmill.pipelines.engines.base import Batches, Exchange, Function, Input, Map, Step
from corpusmill.pipelines.engines.batches import conform
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.base import CompareStage
from corpusmill.pipelines.stages.dedup import candidates, greedy
from corpusmill.pipelines.stages.dedup.banding import MAX_PERMUTATIONS, MIN_FOUND, chosen_bands, found_share
from corpusmill.pipelines.stages.dedup.priority import Keep
from corpusmill.pipelines.stages.fates import FATE
from corpusmill.pipelines.stages.verdicts import is_living, with_columns

RULE: Final = "near_dedup.duplicate"
MIN_THRESHOLD: Final = 0.3
"""Below it nearly all texts are candidates of each other."""
DEFAULT_BANDS: Final = 20
DEFAULT_ROWS: Final = 6

_STAR, _FATE = 0, 1
SETTLED: Final = pa.schema(
    [
        pa.field("role", pa.int32(), nullable=False),
        *FATE,
        pa.field("kept", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("members", pa.int64()),
    ]
)
"""A candidate's place in a star, or a fate; the order of the roles puts a document's star first."""


class NearDedup(CompareStage):
    """Keep one of all documents whose texts share most of their word n-grams.

    Every pair that is judged is compared exactly; each removed document names the kept one that is most like it. The
    result is the same in any order of the input.
    """

    version: ClassVar[int] = 1

    threshold: float = Field(
        default=0.8,
        ge=MIN_THRESHOLD,
        le=1,
        description="Least Jaccard similarity (shared / all distinct shingles) of duplicates.",
    )
    ngram: int = Field(default=5, ge=1, le=64, description="Words of a shingle.")
    bands: int = Field(
        default=DEFAULT_BANDS, ge=1, description="Bands of a signature: more find more pairs, and cost more."
    )
    rows: int = Field(default=DEFAULT_ROWS, ge=1, description="Rows (permutations) of a band: more spare comparisons.")
    keep: Keep = Field(default="oldest", description="Which one stays: the least (`fetched_at`, unknown last, `id`).")

    @model_validator(mode="before")
    @classmethod
    def _choose_bands(cls, given: Any) -> Any:
        """Choose bands and rows for a threshold that the defaults do not serve, when neither is given."""
        if not isinstance(given, dict) or "bands" in given or "rows" in given:
            return given
        threshold = given.get("threshold")
        if not isinstance(threshold, (int, float)) or not MIN_THRESHOLD <= threshold < 1:
            return given
        if found_share(threshold, bands=DEFAULT_BANDS, rows=DEFAULT_ROWS) >= MIN_FOUND:
            return given
        bands, rows = chosen_bands(threshold)
        return {**given, "bands": bands, "rows": rows}

    @model_validator(mode="after")
    def _finds_pairs(self) -> Self:
        count = self.bands * self.rows
        shape = f"{self.bands} bands × {self.rows} rows"
        if count > MAX_PERMUTATIONS:
            raise ValueError(f"{shape} need {count} permutations, allowed are {MAX_PERMUTATIONS}; {self._advice()}")
        found = found_share(self.threshold, bands=self.bands, rows=self.rows)
        if found < MIN_FOUND:
            share = f"{found:.0%} of the pairs with similarity {self.threshold:g}"
            raise ValueError(f"{shape} find only {share}; {self._advice()}")
        return self

    def _advice(self) -> str:
        bands, rows = chosen_bands(min(self.threshold, 0.95))
        return f"use `bands: {bands}` and `rows: {rows}`, or leave both out"

    def steps(self, name: str, *, documents: str, fates: str) -> tuple[Step, ...]:
        """Give the steps: sign, find shared bands, gather candidates, compare, settle."""
        signed, buckets, gathered, compared = (
            f"{name}.{part}" for part in ("signatures", "buckets", "candidates", "greedy")
        )
        return (
            Map(
                name=signed,
                inputs=(Input(documents, columns=("id", "text", "rule")),),
                function=candidates.Sign(ngram=self.ngram, bands=self.bands, rows=self.rows),
                schema=candidates.SIGNED,
                stage=name,
            ),
            Exchange(
                name=buckets,
                inputs=(Input(signed, through=candidates.Explode(), columns=("id", "bands")),),
                by="band",
                order=("place",),
                function=candidates.Flag(),
                moved=candidates.BAND,
                schema=candidates.BAND,
                stage=name,
            ),
            Exchange(
                name=gathered,
                inputs=(
                    Input(buckets, through=candidates.FlagRows()),
                    Input(fates, through=candidates.FateRows(keep=self.keep)),
                    Input(signed, through=candidates.SignatureRows()),
                ),
                by="place",
                order=("role", "id", "content_hash", "band"),
                function=candidates.Gather(),
                moved=candidates.GATHERED,
                schema=candidates.CANDIDATE,
                stage=name,
            ),
            Exchange(
                name=compared,
                inputs=(Input(gathered),),
                by="priority",
                order=("id",),
                function=greedy.Greedy(threshold=self.threshold),
                moved=candidates.CANDIDATE,
                schema=greedy.STAR,
                parts=1,
                stage=name,
            ),
            Exchange(
                name=name,
                inputs=(Input(compared, through=StarRows()), Input(fates, through=FateRows())),
                by="id",
                order=("role", "captured", "record_sha256", "content_hash"),
                function=Settle(stage=name, threshold=self.threshold),
                moved=SETTLED,
                schema=FATE,
                stage=name,
            ),
        )


class StarRows(Function):
    """Stars as `SETTLED` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function."""
        return lambda batches: (_star_rows(batch) for batch in batches)


class FateRows(Function):
    """Fates as `SETTLED` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function."""
        return lambda batches: (conform(_with_role(batch, _FATE), SETTLED) for batch in batches)


class Settle(Function):
    """Join stars and fates: give verdicts to removed documents and clusters to all living ones."""

    stage: str
    threshold: float

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function over rows sorted by (`id`, `role`, …)."""
        return lambda batches: (
            settle(group, stage=self.stage, threshold=self.threshold) for group in whole_groups(batches, by="id")
        )


def settle(batch: pa.RecordBatch, *, stage: str, threshold: float) -> pa.RecordBatch:
    """Give the fates of *batch*: whole documents, each behind the row of its star when it has one."""
    starts = run_starts(batch["id"])
    star = pa.array(starts[group_numbers(starts, rows=batch.num_rows)])
    kept = pc.coalesce(batch["kept"].take(star), batch["id"])
    similarity = batch["similarity"].take(star)
    members = pc.coalesce(batch["members"].take(star), batch["cluster_size"], 1)
    is_fate = np.asarray(batch["role"]) == _FATE
    living = is_living(batch) & is_fate
    removed = living & np.asarray(pc.is_valid(similarity))
    result = with_columns(batch.select(FATE.names), living, cluster_id=kept, cluster_size=members)
    result = with_columns(
        result, removed, stage=stage, rule=RULE, value=similarity, threshold=threshold, duplicate_of=kept
    )
    return result.filter(pa.array(is_fate))


def _star_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give stars the keys of a fate: empty ones, by which nothing is sorted, because a document has one star."""
    empty: dict[str, Any] = {"record_sha256": "", "content_hash": "", "captured": 0, "bytes": 0, "first_seen": 0}
    for name, value in empty.items():
        kind = FATE.field(name).type
        batch = batch.append_column(name, pa.repeat(pa.scalar(value, kind), batch.num_rows))
    return conform(_with_role(batch, _STAR), SETTLED)


def _with_role(batch: pa.RecordBatch, role: int) -> pa.RecordBatch:
    return batch.append_column("role", pa.repeat(pa.scalar(role, pa.int32()), batch.num_rows))
