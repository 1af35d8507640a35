"""The stage `semantic_dedup`: keeps one of all documents whose vectors point in nearly the same direction."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Self

import pyarrow as pa
from pydantic import Field, model_validator

from corpusmill.pipelines.engines.base import PLACE, Exchange, Input, Map, Repeat, Step
from corpusmill.pipelines.stages.base import Copies, Documents, Stage
from corpusmill.pipelines.stages.dedup import buckets, stars, vertices
from corpusmill.pipelines.stages.dedup.banding import MIN_FOUND
from corpusmill.pipelines.stages.dedup.below import BELOW, sample_steps
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.dedup.priority import KEEP_HELP, Keep, priority_columns
from corpusmill.pipelines.stages.dedup.rounds import ChoosePairs, rounds_with
from corpusmill.pipelines.stages.dedup.semantic import planes
from corpusmill.pipelines.stages.dedup.semantic.comparing import ShowVectors, compare_step
from corpusmill.pipelines.stages.dedup.semantic.crowding import ShareBuckets, crowd_steps
from corpusmill.pipelines.stages.dedup.semantic.embeddings import is_embedding
from corpusmill.pipelines.stages.dedup.semantic.frequencies import frequency_steps
from corpusmill.pipelines.stages.dedup.semantic.signing import Sign
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD, verdict_step
from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.problems import HintedValueError
from corpusmill.schemas.vectors import MAX_DIMENSIONS

RULE: Final = "semantic_dedup.duplicate"
MIN_THRESHOLD: Final = 0.5
DEFAULT_THRESHOLD: Final = 0.95
DEFAULT_BANDS: Final = 46
DEFAULT_PLANES: Final = 20
MAX_BITS: Final = 4_096
"""Greatest product of `bands` and `planes` that a recipe may set."""


_OTHER_VECTORS: Final = (
    "set `vector_field` in a source to read its embeddings as `vector`, or leave `column` out to compare words"
)


class SemanticDedup(Stage):
    """Keep one of all documents whose vectors point in nearly the same direction.

    The vectors are those of a model, in a column of lists of floating-point numbers (`column`): `vector`, which comes
    with the records of a source that sets `vector_field`, or one that an earlier stage adds. Without `column`, they are
    made of the words of each text: TF-IDF weights, hashed to `dimensions`. Vectors of words detect texts with nearly
    the same words, also in another order, but no paraphrases. Removing duplicates by embeddings is called SemDeDup
    (Abbas et al. 2023, arXiv:2303.09540).

    Documents are candidates if they are on the same side of `planes` random hyperplanes, in one of `bands` sets of them
    (Charikar 2002, doi:10.1145/509907.509965). Candidate pairs are compared exactly, and each removed document names a
    kept one whose vector has at least the cosine `threshold` with its own. The result does not depend on the order of
    the input.

    Documents without a vector are never duplicates: texts without words, and rows in which the column is null, empty,
    all zero, longer than 8,192, or has a component that is null, infinite, or not a number. Vectors of different
    lengths are not compared.

    If a topic brings more than 1,024 documents into one bucket, they are compared in cells of a few hundred around
    random documents of the topic, so that the time stays in proportion to their number. A pair just above the threshold
    may then be missed.
    """

    version: ClassVar[int] = 1
    removes_copies: ClassVar[Copies | None] = "near"
    card_line: ClassVar[str | None] = (
        "keeps one of all documents whose vectors have a high cosine (random hyperplanes, every pair verified)"
    )

    column: str | None = Field(
        default=None,
        min_length=1,
        description="Column with an embedding of each document: `vector` if a source sets `vector_field`, or a list of "
        "float32 or float64 that an earlier stage adds. Without it, vectors are made of words.",
        examples=["vector"],
    )
    threshold: float = Field(
        default=DEFAULT_THRESHOLD,
        ge=MIN_THRESHOLD,
        le=1,
        description="Least cosine of the vectors of two duplicates.",
    )
    dimensions: int = Field(
        default=1_024, ge=64, le=MAX_DIMENSIONS, description="Components of a vector of words. Ignored with `column`."
    )
    bands: int = Field(
        default=DEFAULT_BANDS, ge=1, description="Bands per vector: more bands detect more pairs and take longer."
    )
    planes: int = Field(
        default=DEFAULT_PLANES,
        ge=1,
        le=planes.MAX_PLANES,
        description="Hyperplanes (bits) per band: more planes, fewer comparisons.",
    )
    keep: Keep = Field(default="oldest", description=KEEP_HELP)

    @model_validator(mode="before")
    @classmethod
    def _choose_planes(cls, fields: Any) -> Any:
        """Choose bands and planes if neither is set."""
        if not isinstance(fields, dict) or "bands" in fields or "planes" in fields:
            return fields
        threshold = fields.get("threshold")
        if not isinstance(threshold, (int, float)) or not MIN_THRESHOLD <= threshold <= 1:
            return fields
        bands, per_band = planes.chosen_planes(threshold)
        return {**fields, "bands": bands, "planes": per_band}

    @model_validator(mode="after")
    def _finds_pairs(self) -> Self:
        shape, bits = f"{self.bands} bands × {self.planes} planes", self.bands * self.planes
        bands, per_band = planes.chosen_planes(self.threshold)
        hint = f"use `bands: {bands}` and `planes: {per_band}`, or leave both out"
        if bits > MAX_BITS:
            problem = f"{shape} need {bits} bits, at most {MAX_BITS} are allowed"
            raise HintedValueError(problem, hint=hint, at=("bands",))
        found = planes.found_share(self.threshold, bands=self.bands, planes=self.planes)
        if found < MIN_FOUND:
            share = f"{found:.0%} of the pairs with the cosine {self.threshold:g}"
            raise HintedValueError(f"{shape} find only {share}", hint=hint, at=("bands",))
        return self

    def reads(self) -> tuple[str, ...]:
        """Return the columns by which documents are compared and ordered."""
        return (self.column or "text", *priority_columns(self.keep))

    def rules(self) -> tuple[str, ...]:
        """Return the only rule."""
        return (RULE,)

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps: weigh words, sign vectors, share buckets, collapse, rank, decide in rounds, make stars.

        Raises:
            RecipeError: The documents do not have the column, or it is not a list of floating-point numbers.
        """
        self._check_column(name, documents.schema)
        sources = documents.sources if self.keep == "first_source" else ()
        frequencies = f"{name}.frequencies"
        weigh = frequency_steps(frequencies, of=documents.state, keep=self.keep, sources=sources)
        vectors = {
            "column": self.column,
            "dimensions": self.dimensions,
            "frequencies": frequencies if self.column is None else None,
        }
        return (
            *(weigh if self.column is None else ()),
            *self._bucket_steps(name, documents.state, vectors),
            *self._vertex_steps(name, documents, sources),
            *crowd_steps(
                f"{name}.crowds",
                of=f"{name}.ranked",
                shared=f"{name}.shared",
                signs=name,
                crowded=f"{name}.crowded",
                into=f"{name}.divided",
                vectors=vectors,
                threshold=self.threshold,
            ),
            self._rounds(name, vectors),
            *_star_steps(name, self.threshold),
            *sample_steps(
                f"{name}.below",
                stage=name,
                vertices=f"{name}.rounds",
                rays=f"{name}.rays",
                threshold=self.threshold,
            ),
            verdict_step(name, decisions=f"{name}.stars", of=documents.state, also=stars.CLUSTER),
        )

    def _check_column(self, name: str, schema: pa.Schema) -> None:
        if self.column is None:
            return
        names = ", ".join(f"`{field.name}`" for field in schema if is_embedding(field.type))
        hint = f"columns with embeddings: {names or 'none'}; {_OTHER_VECTORS}"
        if self.column not in schema.names:
            problem = f"stage `{name}` reads the column `{self.column}`, which no earlier stage adds"
            raise RecipeError(problem, field="column", value=self.column, hint=hint)
        kind = schema.field(self.column).type
        if not is_embedding(kind):
            problem = f"`{self.column}` is not a list of float32 or float64, but {kind}"
            raise RecipeError(
                f"stage `{name}`: field `column`: {problem}", field="column", value=self.column, hint=hint
            )

    def _bucket_steps(self, name: str, documents: str, vectors: dict[str, Any]) -> tuple[Step, ...]:
        """Return the steps that write to each document the buckets that it shares with others."""
        signs, own, crowded = f"{name}.signatures", f"{name}.buckets", f"{name}.crowded"
        sign = Sign(**vectors, bands=self.bands, planes=self.planes, into=name)
        bands = f"{name}.bands"
        return (
            Map(name=signs, of=documents, function=sign, reads=(sign.source, "rule"), writes=buckets.columns_of(name)),
            Exchange(
                name=own,
                inputs=(Input(signs, through=buckets.Explode(bands=bands), columns=(bands, PLACE)),),
                by="band",
                order=(PLACE,),
                function=ShareBuckets(),
                moved=buckets.BAND,
                schema=buckets.MEMBERSHIP,
            ),
            Exchange(
                name=f"{name}.shared",
                inputs=(Input(own),),
                by=PLACE,
                order=("number",),
                function=buckets.Listed(into=own, crowded=crowded),
                moved=buckets.MEMBERSHIP,
                schema=pa.schema([PLACE_FIELD, pa.field(own, INT64_LIST), pa.field(crowded, pa.bool_())]),
                onto=signs,
            ),
        )

    def _vertex_steps(self, name: str, documents: Documents, sources: tuple[str, ...]) -> tuple[Step, ...]:
        """Return the steps that collapse documents with equal vectors into vertices and rank these."""
        shared, sets, ranks, ranked = (f"{name}.{step}" for step in ("shared", "sets", "ranks", "ranked"))
        own = f"{name}.buckets"
        clustered = ("cluster_size",) if "cluster_size" in documents.schema.names else ()
        columns = ("id", "text_bytes", PLACE, own, *clustered, *priority_columns(self.keep))
        candidates = vertices.Candidates(keep=self.keep, sources=sources, signs=name, buckets=own)
        read = tuple(dict.fromkeys((*columns, *buckets.columns_of(name).names[1:-1])))
        return (
            Exchange(
                name=sets,
                inputs=(Input(shared, through=candidates, columns=read, where=own),),
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
            vertices.placed_step(ranked, vertices=ranks, of=shared, columns={"rank": f"{name}.rank"}),
        )

    def _rounds(self, name: str, vectors: dict[str, Any]) -> Repeat:
        """Return the rounds that decide vertices by the cosines of their vectors."""
        rank = f"{name}.rank"

        def compare(compared: str, listed: str, leaders: str) -> tuple[Exchange, ...]:
            shown = ShowVectors(**vectors, rank=rank, leaders=leaders)
            return (compare_step(compared, shown, of=listed, threshold=self.threshold - BELOW),)

        return rounds_with(
            f"{name}.rounds",
            start=f"{name}.ranks",
            of=f"{name}.crowds",
            signs=f"{name}.crowds",
            rank=rank,
            buckets=(f"{name}.buckets", f"{name}.divided"),
            choose=ChoosePairs(threshold=_jaccard_of_bits(self.threshold, self.bands * self.planes)),
            compare=compare,
            threshold=self.threshold,
        )


def _jaccard_of_bits(threshold: float, bits: int) -> float:
    """Return the Jaccard similarity for which `rounds.ChoosePairs` allows the different bits of *threshold*.

    Two sets of *bits* members each with the similarity J have ``2 bits (1 - J) / (1 + J)`` different members.
    """
    different = planes.max_different_bits(threshold, bits=bits)
    return (2 * bits - different) / (2 * bits + different)


def _star_steps(name: str, threshold: float) -> tuple[Step, ...]:
    """Return the steps that turn decided vertices into decisions about documents."""
    sets, decided, rays, stars_ = (f"{name}.{step}" for step in ("sets", "rounds", "rays", "stars"))
    return (
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
            function=stars.Shine(threshold=threshold, rule=RULE),
            moved=stars.RAY,
            schema=stars.STAR,
        ),
    )
