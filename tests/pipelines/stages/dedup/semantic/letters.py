"""A stage of a user that adds an embedding: a list of float32."""

from __future__ import annotations

import string
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.base import Stage, Transform

VECTOR = pa.list_(pa.float32())


class LetterVectors(Stage):
    """Add how often each letter from a to z is in the text, per character."""

    version: ClassVar[int] = 1

    into: Literal["letters", "letters.vector"] = "letters"

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the column with the vectors: a view of the shards, or a signal."""
        return (pa.field(self.into, VECTOR),)

    def build(self) -> Transform:
        """Return the function."""
        return self._apply

    def _apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = pc.utf8_lower(batch["text"])
        counts = np.stack([np.asarray(pc.count_substring(text, letter)) for letter in string.ascii_lowercase], axis=1)
        vectors = (counts / np.maximum(np.asarray(pc.utf8_length(text)), 1)[:, None]).astype(np.float32)
        offsets = pa.array(np.arange(len(vectors) + 1) * vectors.shape[1], pa.int32())
        return batch.append_column(self.into, pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel())))
