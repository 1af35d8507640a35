"""The order in which documents are considered: the first of several similar ones is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias, assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Keep: TypeAlias = Literal["oldest", "newest", "longest", "first_source"]
KEEP_HELP: Final = (
    "Document to keep: `oldest` or `newest` (by `fetched_at`; documents without it come last), `longest` (UTF-8 bytes "
    "of text), or `first_source` (the order of `sources:`). Among equals, the least `id` is kept."
)
"""Description of the parameter `keep` of a stage."""

_LAST: Final = int(np.iinfo(np.int64).max)


class Order(NamedTuple):
    """How documents are ordered: `keep` and the sources that it may need."""

    keep: Keep
    sources: tuple[str, ...]


def priorities(documents: pa.RecordBatch, *, keep: Keep, sources: Sequence[str] = ()) -> pa.Int64Array:
    """Return the priority of each document. Documents are kept in the order (priority, `id`), least first.

    ``oldest`` and ``newest`` order by `fetched_at` in microseconds since 1970; documents without it come last.
    ``longest`` orders by `text_bytes`, and ``first_source`` by the position of the document's source in *sources*;
    documents of other sources come last.

    Args:
        documents: Documents with the columns `priority_columns` of *keep*.
        sources: Names of the recipe's sources, in order. Only ``first_source`` uses them.

    >>> documents = pa.record_batch({"text_bytes": [5, 9], "source": ["wiki", "books"]})
    >>> priorities(documents, keep="first_source", sources=("books", "wiki")).to_pylist()
    [1, 0]
    """
    match keep:
        case "oldest":
            return pc.fill_null(documents["fetched_at"].cast(pa.int64()), _LAST)
        case "newest":
            return pc.fill_null(_descending(documents["fetched_at"].cast(pa.int64())), _LAST)
        case "longest":
            return _descending(documents["text_bytes"])
        case "first_source":
            positions = pc.index_in(documents["source"], pa.array(sources, pa.string()))
            return pc.fill_null(positions.cast(pa.int64()), _LAST)
    assert_never(keep)


def priority_columns(keep: Keep) -> tuple[str, ...]:
    """Return the columns that `priorities` reads for *keep*."""
    match keep:
        case "oldest" | "newest":
            return ("fetched_at",)
        case "longest":
            return ("text_bytes",)
        case "first_source":
            return ("source",)
    assert_never(keep)


def _descending(values: pa.Int64Array) -> pa.Int64Array:
    """Return numbers that sort in the opposite order of *values*. Negation would overflow for the least one."""
    return pc.bit_wise_not(values)
