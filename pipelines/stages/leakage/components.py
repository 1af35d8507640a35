"""Connected components of a graph that no task holds whole, as stars: each vertex is linked to the least it reaches.

Two operations alternate (Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii 2014, doi:10.1145/2670979.2670997). The
large star of a vertex links its greater neighbors to the least vertex of its neighborhood, the small star its lesser
neighbors. Both keep what is connected, and after O(log² n) rounds only stars remain. A chain takes O(log n) rounds.

Most graphs take one or two rounds, because `Contract` first replaces blocks of `BLOCK_ROWS` links by the stars of their
components. Apart from such a block, a task holds one batch of rows, however many neighbors a vertex has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Exchange, Function, Input, Repeat
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.runs import with_first_of_run

Int64: TypeAlias = npt.NDArray[np.int64]

LINK: Final = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("vertex", "other")])
"""Two vertices of one component."""
UNFINISHED: Final = "unfinished"
"""Counter of the links that are not part of a star."""
BLOCK_ROWS: Final = 1 << 18
"""Links that `Contract` holds. They take about 40 MB with all intermediate results."""


def component_steps(name: str, *, links: tuple[Input, ...]) -> tuple[Exchange, Repeat]:
    """Return the steps that find the components of the graph of *links*, inputs with the columns of `LINK`.

    Args:
        name: Name of the last step, whose table has one row for each `vertex` that is not the least of its component;
            `other` is the least one. The other steps are ``name.<suffix>``.
    """
    start, small, large = (f"{name}.{step}" for step in ("links", "small", "large"))
    return (
        _star_step(start, links, LargeStar()),
        Repeat(
            name=name,
            start=start,
            until=UNFINISHED,
            steps=(
                _star_step(small, (Input(name, through=Contract()),), SmallStar()),
                _star_step(large, (Input(small, through=BothWays(columns=("vertex", "other"))),), LargeStar()),
            ),
        ),
    )


def _star_step(name: str, inputs: tuple[Input, ...], function: Function) -> Exchange:
    return Exchange(name=name, inputs=inputs, by="vertex", order=("other",), function=function, moved=LINK, schema=LINK)


class BothWays(Function):
    """Turns the pairs in two *columns* into `LINK` rows in both directions. A pair of equal values is no link."""

    columns: tuple[str, str]

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (both_ways(*(batch[name] for name in self.columns)) for batch in batches)


def both_ways(one: pa.Int64Array, other: pa.Int64Array) -> pa.RecordBatch:
    """Return two `LINK` rows for each pair of different values."""
    is_link = pc.not_equal(one, other)
    one, other = one.filter(is_link), other.filter(is_link)
    columns = [pa.concat_arrays([one, other]), pa.concat_arrays([other, one])]
    return pa.RecordBatch.from_arrays(columns, schema=LINK)


class LargeStar(Function):
    """Links the greater neighbors of each vertex to the least vertex of its neighborhood; counts `UNFINISHED` links."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `LINK` rows in both directions, sorted by (`vertex`, `other`)."""
        return large_stars


def large_stars(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Yield the large stars of all vertices."""
    for rows in with_first_of_run(_distinct(batches), by=("vertex",), of=("other",)):
        vertex, other, first = (
            np.asarray(column) for column in (rows.batch["vertex"], rows.batch["other"], rows.first["other"])
        )
        is_greater = other > vertex
        is_unfinished = np.where(is_greater, first < vertex, ~rows.is_first)
        task().count(UNFINISHED, int(is_unfinished.sum()))
        yield _links(other[is_greater], np.minimum(vertex, first)[is_greater])


class SmallStar(Function):
    """Links each vertex and its lesser neighbors to the least of them."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `LINK` rows with ``vertex > other``, sorted by (`vertex`, `other`)."""
        return small_stars


def small_stars(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Yield the small stars of all vertices."""
    for rows in with_first_of_run(_distinct(batches), by=("vertex",), of=("other",)):
        linked = np.where(rows.is_first, np.asarray(rows.batch["vertex"]), np.asarray(rows.batch["other"]))
        yield _links(linked, np.asarray(rows.first["other"]))


def _distinct(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Drop repeated rows of a stream sorted by (`vertex`, `other`)."""
    for rows in with_first_of_run(batches, by=("vertex", "other"), of=("vertex",)):
        yield rows.batch.filter(pa.array(rows.is_first))


class Contract(Function):
    """Replaces blocks of `LINK` rows by the stars of their components."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function. Its rows have ``vertex > other``."""
        return lambda batches: (_links(*contracted(*block)) for block in _blocks(batches, rows=BLOCK_ROWS))


def _blocks(batches: Iterable[pa.RecordBatch], *, rows: int) -> Iterator[tuple[Int64, Int64]]:
    """Cut a stream of `LINK` rows into blocks of *rows* rows, wherever its batches are cut."""
    held: list[pa.RecordBatch] = []
    missing = rows
    for batch in batches:
        while batch.num_rows >= missing:
            yield _columns([*held, batch.slice(0, missing)])
            held, batch, missing = [], batch.slice(missing), rows
        held.append(batch)
        missing -= batch.num_rows
    if missing < rows:
        yield _columns(held)


def _columns(batches: list[pa.RecordBatch]) -> tuple[Int64, Int64]:
    block = pa.concat_batches(batches)
    return np.asarray(block["vertex"]), np.asarray(block["other"])


def contracted(one: Int64, other: Int64) -> tuple[Int64, Int64]:
    """Return each vertex of the links between *one* and *other*, with the least vertex of its component if it differs.

    >>> [column.tolist() for column in contracted(np.array([5, 3, 9]), np.array([4, 5, 8]))]
    [[4, 5, 9], [3, 3, 8]]
    """
    vertices, codes = np.unique(np.concatenate([one, other]), return_inverse=True)
    left, right = codes[: len(one)], codes[len(one) :]
    roots = np.arange(len(vertices))
    while True:
        low, high = np.minimum(roots[left], roots[right]), np.maximum(roots[left], roots[right])
        if (low == high).all():
            break
        np.minimum.at(roots, high, low)
        while not (roots == (above := roots[roots])).all():
            roots = above
    is_linked = roots != np.arange(len(vertices))
    return vertices[is_linked], vertices[roots[is_linked]]


def _links(vertex: Int64, other: Int64) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(vertex), pa.array(other)], schema=LINK)
