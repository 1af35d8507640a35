"""Remove near duplicates: documents that share most of their shingles with a kept document.

MinHash signatures (Broder 1997) are cut into bands, and documents with an equal band are candidates (Leskovec,
Rajaraman, Ullman, Mining of Massive Datasets, §3.4). Candidates are compared exactly and decided in rounds
(`corpusmill.pipelines.stages.dedup.rounds`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, Self

import pyarrow as pa
from pydantic import Field, PrivateAttr, model_validator

from corpusmill.pipelines.engines.base import PLACE, Exchange, Input, Map, Step
from corpusmill.pipelines.stages.base import Documents, SideTable, Stage, TableInput
from corpusmill.pipelines.stages.dedup import buckets, parent, pool, stars, vertices
from corpusmill.pipelines.stages.dedup.banding import MAX_PERMUTATIONS, MIN_FOUND, chosen_bands, found_share
from corpusmill.pipelines.stages.dedup.below import sample_steps
from corpusmill.pipelines.stages.dedup.crowds import crowd_steps
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.dedup.priority import KEEP_HELP, Keep, Order, priority_columns
from corpusmill.pipelines.stages.dedup.rounds import rounds
from corpusmill.pipelines.stages.dedup.unsettled import open_keys, unsettled_steps
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD, verdict_step
from corpusmill.schemas.problems import HintedValueError

RULE: Final = "near_dedup.duplicate"
MIN_THRESHOLD: Final = 0.3
"""Below this threshold, nearly all texts are candidates of each other."""
DEFAULT_BANDS: Final = 20
DEFAULT_ROWS: Final = 6
_INDEX: Final = "index"
_PARENT: Final = "parent"


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
        default=DEFAULT_BANDS,
        ge=1,
        description="Bands per signature: more bands detect more pairs and take longer. Where the defaults of `bands` "
        "and `rows` would miss pairs at the threshold, as at 0.7, both are chosen by it, unless one is set.",
    )
    rows: int = Field(
        default=DEFAULT_ROWS, ge=1, description="Rows (permutations) per band: more rows, fewer comparisons."
    )
    keep: Keep = Field(default="oldest", description=KEEP_HELP)
    index: bool = Field(
        default=False,
        description="Publish the table `near_dedup.index` (200 bytes a document), which `incremental: true` and "
        "`explain --like` read. With `incremental: true` it is always published.",
    )

    _is_incremental: bool = PrivateAttr(default=False)

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

    def shingle_words(self) -> int | None:
        """Return the length of a shingle."""
        return self.ngram

    def for_incremental(self) -> Stage:
        """Return the stage that carries the decisions of the parent version over."""
        stage = self.model_copy()
        stage._is_incremental = True
        return stage

    def inputs(self) -> tuple[TableInput, ...]:
        """Return the index of the parent version, in an incremental run."""
        index = TableInput(_PARENT, None, f".{_INDEX}", parent.PARENT, is_optional=True)
        return (index,) if self._is_incremental else ()

    def table_problem(self, name: str, first: Mapping[str, Any]) -> tuple[str, str] | None:
        """Refuse an index that was made with other parameters."""
        differences = parent.differences(str(first["parameters"]), self._parameters())
        if not differences:
            return None
        hint = "use the parameters of the index, or publish one version with `incremental: false`"
        return f"its index was made with other parameters: {', '.join(differences)}", hint

    def sides(self) -> Mapping[str, SideTable]:
        """Return the index."""
        return {_INDEX: parent.INDEX_TABLE}

    def _parameters(self) -> dict[str, Any]:
        """Return what the index and the decisions depend on, besides texts."""
        names = ("threshold", "ngram", "bands", "rows", "keep")
        unicode = unicodedata.unidata_version
        return {**{name: getattr(self, name) for name in names}, "unicode": unicode, "version": self.version}

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps: sign documents, share buckets, collapse equal sets, rank, decide in rounds, make stars."""
        has_index = self.index or self._is_incremental
        steps = _Steps(self, name, documents).all(onto=f"{name}.signatures" if has_index else documents.state)
        index = parent.index_step(f"{name}.{_INDEX}", of=name, signs=name, rule=RULE, parameters=self._parameters())
        return (*steps, index) if has_index else steps


class _Steps:
    """The steps of a stage *name* over *documents*."""

    def __init__(self, stage: NearDedup, name: str, documents: Documents) -> None:
        self._stage = stage
        self._name = name
        self._documents = documents
        self._parent = documents.tables.get(_PARENT)
        self._clustered = ("cluster_size",) if "cluster_size" in documents.schema.names else ()

    def _step(self, suffix: str) -> str:
        return f"{self._name}.{suffix}"

    def all(self, *, onto: str) -> tuple[Step, ...]:
        """Return all steps; the last one writes the verdicts onto the state *onto* of the documents."""
        verdicts = verdict_step(self._name, decisions=self._step("stars"), of=onto, also=stars.CLUSTER)
        decided = (*self._decide(), *self._stars(), *self._sample())
        return (self._sign(), *self._carry(), *self._share(), *self._rank(), *decided, verdicts)

    def _sign(self) -> Map:
        stage = self._stage
        return Map(
            name=self._step("signatures"),
            of=self._documents.state,
            function=buckets.Sign(ngram=stage.ngram, bands=stage.bands, rows=stage.rows, into=self._name),
            reads=("text", "rule"),
            writes=buckets.columns_of(self._name),
        )

    @property
    def _compared(self) -> str:
        """The table of the documents to compare: all, or the pool in an incremental run."""
        return self._step("signatures" if self._parent is None else "pool")

    @property
    def _keeper(self) -> str | None:
        return None if self._parent is None else self._step("carried.keeper")

    def _carry(self) -> tuple[Step, ...]:
        """Return the steps that carry decisions of the parent over, and collect the documents to compare."""
        if self._parent is None or self._keeper is None:
            return ()
        carried, signatures = self._step("carried"), self._step("signatures")
        schema = pa.schema([*self._documents.schema, *buckets.columns_of(self._name), *parent.carried_columns(carried)])
        names = dict.fromkeys(("text", *self._described, *buckets.columns_of(self._name).names, self._keeper))
        columns = pa.schema([schema.field(name) for name in names])
        bands, settled = self._step("bands"), self._settled
        return (
            *parent.carry_steps(carried, of=signatures, parent=self._parent, signs=self._name),
            *unsettled_steps(
                settled, of=carried, bands=bands, columns=parent.carried_columns(carried), order=self._order
            ),
            *pool.pool_steps(
                self._compared, of=settled, new=open_keys(settled), columns=columns, bands=bands, keeper=self._keeper
            ),
        )

    @property
    def _settled(self) -> str:
        """The state of the documents with the decisions of the parent that stay."""
        return self._step("settled")

    @property
    def _order(self) -> Order:
        sources = self._documents.sources if self._stage.keep == "first_source" else ()
        return Order(self._stage.keep, sources)

    @property
    def _described(self) -> tuple[str, ...]:
        """The columns by which documents are ordered and counted."""
        return ("id", "text_bytes", *self._clustered, *priority_columns(self._stage.keep))

    def _share(self) -> tuple[Step, ...]:
        """Return the steps that list the buckets of each document."""
        bands, own, crowded = self._step("bands"), self._step("buckets"), self._step("crowded")
        return (
            Exchange(
                name=own,
                inputs=(Input(self._compared, through=buckets.Explode(bands=bands), columns=(bands, PLACE)),),
                by="band",
                order=(PLACE,),
                function=buckets.Share(),
                moved=buckets.BAND,
                schema=buckets.MEMBERSHIP,
            ),
            Exchange(
                name=self._step("shared"),
                inputs=(Input(own),),
                by=PLACE,
                order=("number",),
                function=buckets.Listed(into=own, crowded=crowded),
                moved=buckets.MEMBERSHIP,
                schema=pa.schema([PLACE_FIELD, pa.field(own, INT64_LIST), pa.field(crowded, pa.bool_())]),
                onto=self._compared,
            ),
        )

    def _rank(self) -> tuple[Step, ...]:
        """Return the steps that make vertices of candidates and number them."""
        name, own = self._name, self._step("buckets")
        shared, sets, ranks = (self._step(step) for step in ("shared", "sets", "ranks"))
        home = PLACE if self._keeper is None else pool.HOME
        through = vertices.Candidates(**self._order._asdict(), signs=name, buckets=own, keeper=self._keeper, home=home)
        numbers = (f"{name}.{column}" for column in ("size", "set_a", "set_b"))
        keeper = () if self._keeper is None else (self._keeper,)
        wanted = (*self._described, PLACE, home, own, *keeper, *numbers)
        return (
            Exchange(
                name=sets,
                inputs=(Input(shared, through=through, columns=tuple(dict.fromkeys(wanted)), where=own),),
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
            vertices.placed_step(self._step("ranked"), vertices=ranks, of=shared, columns={"rank": self._step("rank")}),
        )

    def _decide(self) -> tuple[Step, ...]:
        rank, divided = self._step("rank"), self._step("divided")
        ngram, threshold = self._stage.ngram, self._stage.threshold
        return (
            *crowd_steps(
                self._step("crowds"),
                of=self._step("ranked"),
                shared=self._step("shared"),
                rank=rank,
                crowded=self._step("crowded"),
                into=divided,
                ngram=ngram,
                threshold=threshold,
                marks_late=True,
            ),
            rounds(
                self._step("rounds"),
                start=self._step("ranks"),
                of=self._step("crowds"),
                signs=self._name,
                rank=rank,
                buckets=self._step("buckets"),
                divided=divided,
                ngram=ngram,
                threshold=threshold,
            ),
        )

    def _stars(self) -> tuple[Step, ...]:
        """Return the steps that make decisions about documents of decisions about vertices."""
        rays = self._step("rays")
        join = Exchange(
            name=rays,
            inputs=(
                Input(self._step("rounds"), through=stars.VertexRows()),
                Input(self._step("sets"), through=stars.DocumentRows()),
            ),
            by="vertex",
            order=("kind", PLACE),
            function=stars.Join(),
            moved=stars.ABOUT,
            schema=stars.RAY,
        )
        if self._parent is None:
            return (join, self._star(Input(rays)))
        placed, carried = self._step("placed"), self._step("carried")
        by_place = Exchange(
            name=placed,
            inputs=(Input(rays),),
            by="kept",
            order=("is_removed", PLACE),
            function=parent.ByPlace(),
            moved=stars.RAY,
            schema=stars.RAY,
        )
        wanted = ("id", "text_bytes", PLACE, *parent.carried_columns(carried).names, *self._clustered)
        through = parent.CarriedRays(prefix=carried)
        return (join, by_place, self._star(Input(placed), Input(self._settled, through=through, columns=wanted)))

    def _sample(self) -> tuple[Step, ...]:
        """Return the steps that record pairs of kept documents below the threshold."""
        vertices, rays, threshold = self._step("rounds"), self._step("rays"), self._stage.threshold
        return sample_steps(self._step("below"), stage=self._name, vertices=vertices, rays=rays, threshold=threshold)

    def _star(self, *inputs: Input) -> Exchange:
        return Exchange(
            name=self._step("stars"),
            inputs=inputs,
            by="kept",
            order=("is_removed", PLACE),
            function=stars.Shine(threshold=self._stage.threshold, rule=RULE),
            moved=stars.RAY,
            schema=stars.STAR,
        )
