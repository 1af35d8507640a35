"""Cells of vectors: only documents with a nearest center in common are compared.

The centers are vectors of the crowd itself, chosen at random, so that there are many where vectors lie close together.
Each of `RUNS` runs has centers of its own, and a vector is in the cells of its `NEAREST` nearest centers of each run.
This is k-means without its iterations, several times over; `docs/decisions/0020-cells-in-crowds.md` compares it with
other divisions.

All products are sums of integers that float32 represents exactly (`vectors.LENGTH`), so that the nearest center is the
same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from corpusmill.pipelines.stages.dedup.semantic.vectors import Int64, Vectors, rows_by_length
from corpusmill.schemas.splitmix import splitmix64_column

RUNS: Final = 12
NEAREST: Final = 2
"""Cells of a vector in each run."""
_NO_CENTER: Final = -1


class Run(NamedTuple):
    """The C centers of a run that have one length: their numbers and vectors."""

    numbers_C: Int64  # noqa: N815
    vectors_CD: npt.NDArray[np.float32]  # noqa: N815 - D dimensions


Centers: TypeAlias = Mapping[int, list[Run]]
"""The runs by the length of the vectors."""


class Cells(NamedTuple):
    """Rows of vectors, and the number of a cell for each of them."""

    rows: Int64
    numbers: Int64


def centers_of(vectors: Vectors) -> Centers:
    """Return the centers: those of a run are every `RUNS`-th of *vectors*."""
    runs: dict[int, list[Run]] = {}
    for run in range(RUNS):
        for rows, vectors_RD in rows_by_length(vectors, width=0, first=run, step=RUNS):  # noqa: N806 - R rows
            runs.setdefault(vectors_RD.shape[1], []).append(Run(rows, vectors_RD.astype(np.float32)))
    return runs


def cells(vectors: Vectors, centers: Centers) -> Iterator[Cells]:
    """Yield the cells of all rows that have a vector. Vectors of a length without centers share one cell."""
    width = max((len(run.numbers_C) for runs in centers.values() for run in runs), default=0)
    for rows, vectors_RD in rows_by_length(vectors, width=width):  # noqa: N806
        length = vectors_RD.shape[1]
        if length not in centers:
            yield Cells(rows, _numbers(np.full(len(rows), _NO_CENTER), length))
        for run in centers.get(length, ()):
            for numbers in _nearest(vectors_RD.astype(np.float32) @ run.vectors_CD.T):
                yield Cells(rows, _numbers(run.numbers_C[numbers], length))


def _nearest(products_RC: npt.NDArray[np.float32]) -> Iterator[Int64]:  # noqa: N803
    """Yield the column of the greatest product of each row, then that of the next one; the first of equal ones."""
    rows, columns = np.arange(len(products_RC)), products_RC.shape[1]
    for _ in range(min(NEAREST, columns)):
        nearest = products_RC.argmax(axis=1)
        yield nearest
        products_RC[rows, nearest] = -np.inf


def _numbers(centers: Int64, length: int) -> Int64:
    """Return the numbers of the cells around *centers*, for vectors of a *length*."""
    mixed = splitmix64_column(centers.astype(np.int64).view(np.uint64)) + np.uint64(length)
    return splitmix64_column(mixed).view(np.int64)
