"""Near duplicates: documents that share most of their shingles with a document that is kept.

MinHash signatures (Broder 1997) are cut into bands; documents with an equal band are candidates (Leskovec, Rajaraman,
Ullman, Mining of Massive Datasets, §3.4); candidates are compared exactly, greedily in the order of priority
(`corpusmill.pipelines.stages.dedup.greedy`).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from corpusmill.pipelines.engines.base import PLACE, Exchange, Input, Map, Step
from corpusmill.pipelines.stages.base import Documents, Stage
from corpusmill.pipelines.stages.dedup import candidates, greedy
from corpusmill.pipelines.stages.dedup.banding import MAX_PERMUTATIONS, MIN_FOUND, chosen_bands, found_share
from corpusmill.pipelines.stages.dedup.priority import Keep
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD, verdict_step

RULE: Final = "near_dedup.duplicate"
MIN_THRESHOLD: Final = 0.3
"""Below it nearly all texts are candidates of each other."""
DEFAULT_BANDS: Final = 20
DEFAULT_ROWS: Final = 6


class NearDedup(Stage):
    """Keep one of all documents whose texts share most of their word n-grams.

    In scripts that do not separate words, such as Chinese, Japanese, Thai, Lao, Khmer and Burmese, a letter counts as a
    word, in mixed texts too.

    Every pair that is judged is compared exactly; each removed document names the kept one that is most like it. The
    result is the same in any order of the input.
    """

    version: ClassVar[int] = 3
    removes_copies: ClassVar[Literal["exact", "near"] | None] = "near"
    card_line: ClassVar[str | None] = (
        "keeps one of all documents that share most of their word n-grams (MinHash, every pair verified)"
    )

    threshold: float = Field(
        default=0.8,
        ge=MIN_THRESHOLD,
        le=1,
        description="Least Jaccard similarity (shared / all distinct shingles) of duplicates.",
    )
    ngram: int = Field(
        default=5, ge=1, le=64, description="Words of a shingle; letters, where a script does not separate words."
    )
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

    def reads(self) -> tuple[str, ...]:
        """Name what documents are compared and ordered by."""
        return ("text", "fetched_at")

    def rules(self) -> tuple[str, ...]:
        """Name the one rule."""
        return (RULE,)

    def kept_below(self) -> float | None:
        """Return the threshold."""
        return self.threshold

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps: sign, find shared bands, list them at the documents, compare the candidates, decide."""
        signed, buckets, shared, compared = (f"{name}.{step}" for step in ("signatures", "buckets", "shared", "greedy"))
        keys, own = f"{name}.bands", f"{name}.shared"
        sign = candidates.Sign(ngram=self.ngram, bands=self.bands, rows=self.rows, into=keys)
        gather = candidates.Candidates(ngram=self.ngram, keep=self.keep, bands=own)
        clustered = ("cluster_size",) if "cluster_size" in documents.schema.names else ()
        columns = ("id", "text", "fetched_at", "rule", "text_bytes", own, PLACE, *clustered)
        return (
            Map(name=signed, of=documents.state, function=sign, reads=("text", "rule"), writes=_listed(keys)),
            Exchange(
                name=buckets,
                inputs=(Input(signed, through=candidates.Explode(bands=keys), columns=(keys, PLACE)),),
                by="band",
                order=(PLACE,),
                function=candidates.Flag(),
                moved=candidates.BAND,
                schema=candidates.BAND,
            ),
            Exchange(
                name=shared,
                inputs=(Input(buckets),),
                by=PLACE,
                order=("band",),
                function=candidates.Listed(into=own),
                moved=candidates.BAND,
                schema=pa.schema([PLACE_FIELD, *_listed(own)]),
                onto=documents.state,
            ),
            Exchange(
                name=compared,
                inputs=(Input(shared, through=gather, columns=columns),),
                by="priority",
                order=("id",),
                function=greedy.Greedy(threshold=self.threshold, rule=RULE),
                moved=candidates.CANDIDATE,
                schema=greedy.STAR,
                partitions=1,
            ),
            verdict_step(name, decisions=compared, of=documents.state, also=CLUSTER),
        )


CLUSTER: Final = pa.schema([pa.field("cluster_id", pa.string()), pa.field("cluster_size", pa.int64())])
"""The star that a document stands in: the kept one, and how many documents it stands for."""


def _listed(name: str) -> pa.Schema:
    return pa.schema([pa.field(name, pa.list_(pa.int64()))])
