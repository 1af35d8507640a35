"""The order in which documents are considered: the first of several similar ones is kept."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Keep: TypeAlias = Literal["oldest"]

_LAST: Final = np.iinfo(np.int64).max


def priorities(documents: pa.RecordBatch, *, keep: Keep) -> pa.Int64Array:
    """Return the priority of each document. Documents are kept in the order (priority, `id`), least first.

    ``oldest``: `fetched_at` in microseconds since 1970; documents without it come last.
    """
    match keep:
        case "oldest":
            return pc.fill_null(documents["fetched_at"].cast(pa.int64()), int(_LAST))
