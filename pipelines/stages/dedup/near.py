"""Remove near duplicates: documents that share most of their shingles with a kept document.

MinHash signatures (Broder 1997) are cut into bands, and documents with an equal band are candidates (Leskovec,
Rajaraman, Ullman, Mining of Massive Datasets, §3.4). Candidates are compared exactly, greedily in order of priority
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
from corpusmill.schemas.problems import HintedValueError

RULE: Final = "near_dedup.duplicate"
MIN_THRESHOLD: Final = 0.3
"""Below this threshold, nearly all texts are candidates of each other."""
DEFAULT_BANDS: Final = 20
DEFAULT_ROWS: Final = 6


class NearDedup(Stage):
    """Keep one of all documents that share most of their word n-grams.

    In scripts that do not separate words, such as Chinese, Japanese, Thai, Lao, Khmer and Burmese, each letter counts
    as a word, also in mixed texts.

    Every candidate pair is compared exactly, and each removed document names the most similar kept one. The result does
    not depend on the order of the input.
    """

    version: ClassVar[int] = 4
    removes_copies: ClassVar[Literal["exact", "near"] | None] = "near"
    card_line: ClassVar[str | None] = (
        "keeps one of all documents that share most of their word n-grams (MinHash, every pair verified)"
    )

    threshold: float = Field(
        default=0.8,
        ge=MIN_THRESHOLD,
        le=1,
        description="Least Jaccard similarity (shared / all distinct shingles) of two duplicates.",
    )
    ngram: int = Field(
        default=5, ge=1, le=64, description="Words per shingle; letters in scripts that do not separate words."
    )
    bands: int = Field(
        default=DEFAULT_BANDS, ge=1, description="Bands per signature: more bands detect more pairs and take longer."
    )
    rows: int = Field(
        default=DEFAULT_ROWS, ge=1, description="Rows (permutations) per band: more rows, fewer comparisons."
    )
    keep: Keep = Field(default="oldest", description="Document to keep: the least (`fetched_at`, null last, `id`).")

    @model_validator(mode="before")
    @classmethod
    def _choose_bands(cls, fields: Any) -> Any:
        """Choose bands and rows if neither is set and the defaults do not suit the threshold."""
        if not isinstance(fields, dict) or "bands" in fields or "rows" in fields:
            return fields
        threshold = fields.get("threshold")
        if not isinstance(threshold, (int, float)) or not MIN_THRESHOLD <= threshold < 1:
            return fields
        if found_share(threshold, bands=DEFAULT_BANDS, rows=DEFAULT_ROWS) >= MIN_FOUND:
            return fields
        bands, rows = chosen_bands(threshold)
        return {**fields, "bands": bands, "rows": rows}

    @model_validator(mode="after")
    def _finds_pairs(self) -> Self:
        count = self.bands * self.rows
        shape = f"{self.bands} bands × {self.rows} rows"
        if count > MAX_PERMUTATIONS:
            problem = f"{shape} need {count} permutations, at most {MAX_PERMUTATIONS} are allowed"
            raise HintedValueError(problem, hint=self._advice(), at=("bands",))
        found = found_share(self.threshold, bands=self.bands, rows=self.rows)
        if found < MIN_FOUND:
            share = f"{found:.0%} of the pairs with similarity {self.threshold:g}"
            raise HintedValueError(f"{shape} find only {share}", hint=self._advice(), at=("bands",))
        return self

    def _advice(self) -> str:
        bands, rows = chosen_bands(min(self.threshold, 0.95))
        return f"use `bands: {bands}` and `rows: {rows}`, or leave both out"

    def reads(self) -> tuple[str, ...]:
        """Return the columns by which documents are compared and ordered."""
        return ("text", "fetched_at")

    def rules(self) -> tuple[str, ...]:
        """Return the only rule."""
        return (RULE,)

    def kept_below(self) -> float | None:
        """Return the threshold."""
        return self.threshold

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps: sign documents, flag shared bands, collect them per document, compare candidates."""
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
"""The star of a document: its kept document, and the number of documents that the star represents."""


def _listed(name: str) -> pa.Schema:
    return pa.schema([pa.field(name, pa.list_(pa.int64()))])
