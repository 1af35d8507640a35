"""Which of several alike documents is kept: the order in which they claim their place."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Keep: TypeAlias = Literal["oldest"]

_LAST: Final = np.iinfo(np.int64).max


def priorities(documents: pa.RecordBatch, *, keep: Keep) -> pa.Int64Array:
    """Return the first part of the order (priority, `id`) in which documents are kept, least first.

    ``oldest``: `fetched_at` in microseconds since 1970; those without one last.
    """
    match keep:
        case "oldest":
            return pc.fill_null(documents["fetched_at"].cast(pa.int64()), int(_LAST))
