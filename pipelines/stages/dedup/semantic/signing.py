"""Compute the vectors of documents: their bits and band keys, and their components where documents are compared."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import ColumnFunction
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.stages.dedup.lists import list_column
from corpusmill.pipelines.stages.dedup.semantic.embeddings import embedding_vectors
from corpusmill.pipelines.stages.dedup.semantic.frequencies import Weighing
from corpusmill.pipelines.stages.dedup.semantic.planes import signed
from corpusmill.pipelines.stages.dedup.semantic.vectors import Int64, Vectors, as_binary, from_binary
from corpusmill.pipelines.stages.dedup.semantic.words import word_vectors

_COMPONENTS: Final = 1 << 19
"""Components to compute at a time: 4 MiB of float64, of which several arrays are held."""
_TEXT_BYTES: Final = 4_000_000


class HasVectors(Weighing):
    """Base of the functions that compute vectors.

    Args:
        column: The column of embeddings; None: vectors are made of the words of the column `text`.
        dimensions: Components of a vector of words.
    """

    column: str | None
    dimensions: int

    @property
    def source(self) -> str:
        """The column of which vectors are made."""
        return self.column or "text"

    def identity(self) -> dict[str, Any]:
        """Add the version of Unicode, which decides which characters are letters and how they are lower-cased."""
        return {**super().identity(), "unicode": unicodedata.unidata_version}

    def vectors(self, column: pa.Array) -> pa.BinaryArray:
        """Return the vectors of the rows of *column*, null where there is none."""
        parts = [self._vectors(part) for part in _parts(column, max(1, _COMPONENTS // self.dimensions))]
        return pa.concat_arrays([as_binary(part) for part in parts]) if parts else pa.nulls(0, pa.binary())

    def _vectors(self, column: pa.Array) -> Vectors:
        if self.column is not None:
            return embedding_vectors(column)
        return word_vectors(pc.fill_null(column, ""), self.rarity(), dimensions=self.dimensions)


def _parts(column: pa.Array, rows: int) -> list[pa.Array]:
    batch = pa.RecordBatch.from_arrays([column], names=["column"])
    return [part["column"] for part in bounded([batch], max_rows=rows, max_bytes=_TEXT_BYTES)]


class Sign(HasVectors, ColumnFunction):
    """Computes columns about living documents with a vector; null for others.

    Args:
        into: Prefix of the columns `buckets.columns_of`. The bitmap has the bits of the vector, and `size` their
            number.
    """

    bands: int
    planes: int
    into: str

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function over the columns `source`, `rule`."""
        return self._columns

    def _columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        from corpusmill.pipelines.stages.dedup.buckets import columns_of

        alive = pc.is_null(batch["rule"])
        column = self.vectors(batch[self.source].filter(alive))
        is_signed = np.zeros(batch.num_rows, np.bool_)
        is_signed[np.flatnonzero(np.asarray(alive))] = np.asarray(column.is_valid())
        some = column.drop_null()
        signs = signed(from_binary(some), bands=self.bands, planes=self.planes)
        hashes_R2 = hashes_of(some)  # noqa: N806 - R rows
        made = [
            list_column(signs.keys_RB.reshape(-1), np.full(len(some), self.bands, np.int64)),
            pa.array(np.full(len(some), self.bands * self.planes, np.int64)),
            pa.array(hashes_R2[:, 0]),
            pa.array(hashes_R2[:, 1]),
            rows_as_binary(signs.words_RW),
        ]
        places = pa.array(np.cumsum(is_signed) - 1, mask=~is_signed)
        return pa.RecordBatch.from_arrays([one.take(places) for one in made], schema=columns_of(self.into))


def hashes_of(column: pa.BinaryArray) -> Int64:
    """Return 128 bits of hash of each vector, shape (rows, 2)."""
    digests = b"".join(hashlib.blake2b(vector.as_buffer(), digest_size=16).digest() for vector in column)
    return np.frombuffer(digests, "<i8").astype(np.int64, copy=False).reshape(-1, 2)


def rows_as_binary(words_RW: npt.NDArray[np.uint64]) -> pa.BinaryArray:  # noqa: N803 - R rows, W words
    """Return each row of *words_RW* as a binary value."""
    rows, words = words_RW.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * (words * 8)
    data = pa.py_buffer(np.ascontiguousarray(words_RW, "<u8"))
    return pa.BinaryArray.from_buffers(pa.binary(), rows, [None, pa.py_buffer(offsets.astype(np.int32)), data])
