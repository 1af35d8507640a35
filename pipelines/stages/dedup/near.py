"""Remove near duplicates: documents that share most of their shingles with a kept document.

MinHash signatures (Broder 1997) are cut into bands, and documents with an equal band are candidates (Leskovec,
Rajaraman, Ullman, Mining of Massive Datasets, §3.4). Candidates are compared exactly and decided in rounds
(`corpusmill.pipelines.stages.dedup.rounds`).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from corpusmill.pipelines.engines.base import PLACE, Exchange, Input, Map, Step
from corpusmill.pipelines.stages.base import Documents, Stage
from corpusmill.pipelines.stages.dedup import buckets, stars, vertices
from corpusmill.pipelines.stages.dedup.banding import MAX_PERMUTATIONS, MIN_FOUND, chosen_bands, found_share
from corpusmill.pipelines.stages.dedup.crowds import crowd_steps
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.dedup.priority import KEEP_HELP, Keep, priority_columns
from corpusmill.pipelines.stages.dedup.rounds import rounds
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

    Candidate pairs are compared exactly, and each removed document names a kept one that it is similar to. The result
    does not depend on the order of the input.
    """

    version: ClassVar[int] = 5
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
    keep: Keep = Field(default="oldest", description=KEEP_HELP)

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
        return ("text", *priority_columns(self.keep))

    def rules(self) -> tuple[str, ...]:
        """Return the only rule."""
        return (RULE,)

    def kept_below(self) -> float | None:
        """Return the threshold."""
        return self.threshold

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps: sign documents, share buckets, collapse equal sets, rank, decide in rounds, make stars."""
        signs, shares, shared, sets, ranks, ranked, crowds, decided, rays, stars_ = (
            f"{name}.{step}"
            for step in (
                *("signatures", "buckets", "shared", "sets", "ranks", "ranked", "crowds"),
                *("rounds", "rays", "stars"),
            )
        )
        own, crowded, rank, divided = (f"{name}.{column}" for column in ("buckets", "crowded", "rank", "divided"))
        clustered = ("cluster_size",) if "cluster_size" in documents.schema.names else ()
        sources = documents.sources if self.keep == "first_source" else ()
        sign_columns = buckets.columns_of(name)
        candidates = vertices.Candidates(keep=self.keep, sources=sources, signs=name, buckets=own)
        candidate_columns = dict.fromkeys(
            ("id", "text_bytes", PLACE, own, *clustered, *priority_columns(self.keep), *sign_columns.names[1:-1])
        )
        return (
            Map(
                name=signs,
                of=documents.state,
                function=buckets.Sign(ngram=self.ngram, bands=self.bands, rows=self.rows, into=name),
                reads=("text", "rule"),
                writes=sign_columns,
            ),
            Exchange(
                name=shares,
                inputs=(
                    Input(signs, through=buckets.Explode(bands=f"{name}.bands"), columns=(f"{name}.bands", PLACE)),
                ),
                by="band",
                order=(PLACE,),
                function=buckets.Share(),
                moved=buckets.BAND,
                schema=buckets.MEMBERSHIP,
            ),
            Exchange(
                name=shared,
                inputs=(Input(shares),),
                by=PLACE,
                order=("number",),
                function=buckets.Listed(into=own, crowded=crowded),
                moved=buckets.MEMBERSHIP,
                schema=pa.schema([PLACE_FIELD, pa.field(own, INT64_LIST), pa.field(crowded, pa.bool_())]),
                onto=signs,
            ),
            Exchange(
                name=sets,
                inputs=(Input(shared, through=candidates, columns=tuple(candidate_columns), where=own),),
                by="set_a",
                order=("set_b", "size", "priority", "id", PLACE),
                function=vertices.Collapse(),
                moved=vertices.CANDIDATE,
                schema=vertices.COLLAPSED,
            ),
            Exchange(
                name=ranks,
                inputs=(Input(sets, through=vertices.Vertices()),),
                by="priority",
                order=("id", PLACE),
                function=vertices.Rank(),
                moved=vertices.RANKING,
                schema=vertices.VERTEX,
                partitions=1,
            ),
            vertices.placed_step(ranked, vertices=ranks, of=shared, columns={"rank": rank}),
            *crowd_steps(
                crowds,
                of=ranked,
                shared=shared,
                rank=rank,
                crowded=crowded,
                into=divided,
                ngram=self.ngram,
                threshold=self.threshold,
            ),
            rounds(
                decided,
                start=ranks,
                of=crowds,
                signs=name,
                rank=rank,
                buckets=(own, divided),
                ngram=self.ngram,
                threshold=self.threshold,
            ),
            Exchange(
                name=rays,
                inputs=(Input(decided, through=stars.VertexRows()), Input(sets, through=stars.DocumentRows())),
                by="vertex",
                order=("kind", PLACE),
                function=stars.Join(),
                moved=stars.ABOUT,
                schema=stars.RAY,
            ),
            Exchange(
                name=stars_,
                inputs=(Input(rays),),
                by="kept",
                order=("is_removed", PLACE),
                function=stars.Shine(threshold=self.threshold, rule=RULE),
                moved=stars.RAY,
                schema=stars.STAR,
            ),
            verdict_step(name, decisions=stars_, of=documents.state, also=stars.CLUSTER),
        )
