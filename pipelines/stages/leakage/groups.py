"""Group similar documents, so that a group is never divided between splits.

Two documents are in one group if a chain of pairs with the wanted similarity connects them. Documents are signed and
share buckets as in `near_dedup`, with bands for this similarity. Those with equal sets of shingles become one vertex,
and verified pairs of vertices (`links`) are connected (`components`). The split of a group is decided by its least id:
it changes only when a lesser id joins, or when a new document connects two groups.

The steps stand alone: they look at the documents that are left after all stages, whatever these did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input, Map, Step
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.runs import with_first_of_run
from corpusmill.pipelines.stages.dedup import buckets
from corpusmill.pipelines.stages.dedup.banding import chosen_bands
from corpusmill.pipelines.stages.dedup.crowds import crowd_steps
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.leakage.components import BothWays, component_steps
from corpusmill.pipelines.stages.leakage.links import link_steps
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

GROUP: Final = ":leakage.group"
"""Column with the least id of a document's group; null for a document that is similar to no other."""
_INT64: Final = pa.int64()
GROUP_SIZE: Final = "group_size/"
"""Prefix of the counters of groups by size: ``group_size/2`` is the number of pairs."""

MAX_MEMBERS: Final = 32
"""Larger buckets are divided by rare shingles (`dedup.crowds`). The bitmaps of `near_dedup` exclude few pairs at low
similarities: at 0.5, 5,000 pages of a template with a similarity of 0.45 are 12 million comparisons without this bound.
"""
SET: Final = pa.schema(
    [*(pa.field(name, pa.int64(), nullable=False) for name in ("set_a", "set_b", "size")), PLACE_FIELD]
)
"""A document with its set of shingles (`size` and 128 bits of hash)."""
MEMBER: Final = pa.schema([PLACE_FIELD, pa.field("vertex", pa.int64(), nullable=False)])
"""A document and the place of its vertex, the first document with the same set."""
GROUPED: Final = pa.schema(
    [pa.field("component", pa.int64(), nullable=False), pa.field("id", pa.string(), nullable=False), PLACE_FIELD]
)
"""A document and the least place of its component."""
KEYED: Final = pa.schema([PLACE_FIELD, pa.field(GROUP, pa.string())])


@dataclass(frozen=True)
class Similar:
    """Which documents are similar.

    Args:
        similarity: Least Jaccard similarity of their shingles, from 0.3 to 1.
        ngram: Words per shingle.
    """

    similarity: float
    ngram: int

    @property
    def bands(self) -> tuple[int, int]:
        """Bands and rows of the signatures. Equal documents share every band: one is enough for a similarity of 1."""
        return chosen_bands(self.similarity) if self.similarity < 1 else (1, 1)


@dataclass(frozen=True)
class GroupSteps:
    """The steps that group documents.

    Args:
        steps: In order. The last one adds the column `GROUP` to the documents.
        pairs: The verified pairs, with the columns that have the places of the two documents.
    """

    steps: tuple[Step, ...]
    pairs: tuple[tuple[str, tuple[str, str]], ...]


def group_steps(name: str, *, of: str, similar: Similar) -> GroupSteps:
    """Return the steps that group the living documents of the step *of*.

    Args:
        name: The last step's name; the others are ``name.<suffix>``.
    """
    signs, shares, shared, sets, vertices, crowds, keys = (
        f"{name}.{step}" for step in ("signatures", "buckets", "shared", "sets", "vertices", "crowds", "keys")
    )
    near, near_components, near_labels, far, components, labels = (
        f"{name}.{step}" for step in ("nearest", "connected", "labeled", "rest", "components", "labels")
    )
    own, crowded, vertex, divided = (f"{name}.{column}" for column in ("own", "crowded", "vertex", "divided"))
    before, component = f"{name}.before", f"{name}.component"
    bands, rows = similar.bands
    sign_columns = buckets.columns_of(name)
    links = partial(
        link_steps,
        signs=name,
        vertex=vertex,
        buckets=(own, divided),
        ngram=similar.ngram,
        similarity=similar.similarity,
    )
    copies = Input(sets, through=BothWays(columns=(PLACE, "vertex")))
    first, rest = (Input(step, through=BothWays(columns=("rank", "leader"))) for step in (near, far))
    steps: tuple[Step, ...] = (
        Map(
            name=signs,
            of=of,
            function=buckets.Sign(ngram=similar.ngram, bands=bands, rows=rows, into=name),
            reads=("text", "rule"),
            writes=sign_columns,
        ),
        Exchange(
            name=shares,
            inputs=(Input(signs, through=buckets.Explode(bands=f"{name}.bands"), columns=(f"{name}.bands", PLACE)),),
            by="band",
            order=(PLACE,),
            function=Share(),
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
            inputs=(
                Input(
                    shared,
                    through=Sets(signs=name, buckets=own),
                    columns=(*(f"{name}.{column}" for column in SET.names[:3]), own, PLACE),
                    where=own,
                ),
            ),
            by="set_a",
            order=("set_b", "size", PLACE),
            function=Collapse(),
            moved=SET,
            schema=MEMBER,
        ),
        _column_step(vertices, Input(sets, through=Vertices(into=vertex)), vertex, onto=shared),
        *crowd_steps(
            crowds,
            of=vertices,
            shared=shared,
            rank=vertex,
            crowded=crowded,
            into=divided,
            ngram=similar.ngram,
            threshold=similar.similarity,
        ),
        *links(near, of=crowds, component=None),
        *component_steps(near_components, links=(copies, first)),
        _column_step(near_labels, Input(near_components, through=Labels(into=before)), before, onto=crowds),
        *links(far, of=near_labels, component=before),
        *component_steps(
            components, links=(Input(near_components, through=BothWays(columns=("vertex", "other"))), rest)
        ),
        _column_step(labels, Input(components, through=Labels(into=component)), component, onto=of),
        Exchange(
            name=keys,
            inputs=(
                Input(labels, through=Grouped(component=component), columns=(component, "id", PLACE), where=component),
            ),
            by="component",
            order=("id", PLACE),
            function=LeastIds(),
            moved=GROUPED,
            schema=KEYED,
        ),
        _column_step(name, Input(keys), GROUP, onto=of, kind=pa.string()),
    )
    return GroupSteps(steps, ((sets, (PLACE, "vertex")), (near, ("rank", "leader")), (far, ("rank", "leader"))))


def _column_step(name: str, input_: Input, column: str, *, onto: str, kind: pa.DataType = _INT64) -> Exchange:
    """Return the step that writes one *column* onto the documents. Rows for one document are equal."""
    schema = pa.schema([PLACE_FIELD, pa.field(column, kind)])
    return Exchange(
        name=name, inputs=(input_,), by=PLACE, order=(), function=First(), moved=schema, schema=schema, onto=onto
    )


class First(Function):
    """Keeps the first of the rows for each document."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by `PLACE`."""
        return lambda batches: (
            rows.batch.filter(pa.array(rows.is_first)) for rows in with_first_of_run(batches, by=(PLACE,), of=(PLACE,))
        )


class Share(Function):
    """Turns `buckets.BAND` rows into the `buckets.MEMBERSHIP` of buckets that contain at least two documents."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`band`, `PLACE`)."""
        return lambda batches: map(buckets.shared_buckets, buckets.parts_of_groups(batches, max_members=MAX_MEMBERS))


class Sets(Function):
    """Selects the documents that share a bucket, as `SET` rows.

    Args:
        signs: Prefix of the columns of `buckets.Sign`.
        buckets: The column with the buckets of a document; null: it shares none.
    """

    signs: str
    buckets: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        names = [*(f"{self.signs}.{column}" for column in SET.names[:3]), PLACE]

        def run(batches: Batches) -> Batches:
            for batch in batches:
                chosen = batch.filter(pc.is_valid(batch[self.buckets]))
                yield pa.RecordBatch.from_arrays([chosen[name] for name in names], schema=SET)

        return run


class Collapse(Function):
    """Turns `SET` rows into `MEMBER` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`set_a`, `set_b`, `size`, `PLACE`)."""
        return lambda batches: (
            pa.RecordBatch.from_arrays([rows.batch[PLACE], rows.first[PLACE]], schema=MEMBER)
            for rows in with_first_of_run(batches, by=SET.names[:3], of=(PLACE,))
        )


class Vertices(Function):
    """Selects the documents that are vertices. *into* is the name of the column with their place."""

    into: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `MEMBER` rows."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                chosen = batch.filter(pc.equal(batch[PLACE], batch["vertex"]))
                yield pa.record_batch({PLACE: chosen[PLACE], self.into: chosen["vertex"]})

        return run


class Labels(Function):
    """Turns stars (`components.LINK` rows) into the least place of the component of each document in one, its center
    too. *into* is the name of the column."""

    into: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                centers = pc.unique(batch["other"])
                places, labels = ([batch[name], centers] for name in ("vertex", "other"))
                yield pa.record_batch({PLACE: pa.concat_arrays(places), self.into: pa.concat_arrays(labels)})

        return run


class Grouped(Function):
    """Selects the documents with a component, as `GROUPED` rows. *component* is the name of its column."""

    component: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                chosen = batch.filter(pc.is_valid(batch[self.component]))
                columns = [chosen[name] for name in (self.component, "id", PLACE)]
                yield pa.RecordBatch.from_arrays(columns, schema=GROUPED)

        return run


class LeastIds(Function):
    """Names each component by its least id and counts the groups by size (`GROUP_SIZE`)."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `GROUPED` rows sorted by (`component`, `id`, `PLACE`)."""
        return least_ids


def least_ids(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Yield `KEYED` rows. Holds one batch, however large a group is."""
    size = 0
    for rows in with_first_of_run(batches, by=("component",), of=("id",)):
        bounds = np.append(np.flatnonzero(rows.is_first), rows.batch.num_rows)
        if len(bounds) > 1:
            _count_groups(np.array([size + bounds[0], *np.diff(bounds)[:-1]]))
            size = 0
        size += int(bounds[-1] - (bounds[-2] if len(bounds) > 1 else 0))
        yield pa.RecordBatch.from_arrays([rows.batch[PLACE], rows.first["id"]], schema=KEYED)
    _count_groups(np.array([size]))


def _count_groups(sizes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    for size, groups in zip(*(column.tolist() for column in np.unique(sizes, return_counts=True)), strict=True):
        if size:
            task().count(f"{GROUP_SIZE}{size}", groups)
