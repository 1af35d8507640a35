"""Which of several alike documents is kept: the order in which they claim their place."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa

from corpusmill.pipelines.stages.fates import NO_TIME

Keep: TypeAlias = Literal["oldest"]

_LAST: Final = np.iinfo(np.int64).max


def priorities(fates: pa.RecordBatch, *, keep: Keep) -> pa.Int64Array:
    """Give the first part of the order (priority, `id`) in which documents are kept, least first.

    ``oldest``: `first_seen`, that is the published `fetched_at`, and those without one last.
    """
    match keep:
        case "oldest":
            seen = np.asarray(fates["first_seen"])
            return pa.array(np.where(seen == NO_TIME, _LAST, seen), pa.int64())
