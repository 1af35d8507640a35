"""The side table of text that a stage cut out of documents, and the cutting itself.

A stage that cuts spans, or masks them, declares a published side table called `CUTS` with the columns of `CUT`, so
`explain` can show what was cut from a document, whatever the stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.pipelines.stages.base import SideTable

Int64 = npt.NDArray[np.int64]

CUTS: Final = "cuts"
"""Name of the side table; in a version, it is ``<stage>.cuts``."""
CUT: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("first_id", pa.string()),
        pa.field("sample_text", pa.string()),
    ]
)
"""A span that was cut: bytes ``[start, end)`` of the UTF-8 text before the stage. Spans of a document do not overlap.

`first_id` is the document that keeps the text, null if none does. `sample_text` is the beginning of the text that was
cut, without white space around it."""
MESSAGE: Final = pa.field("message", pa.string())
"""A column that a table may have in addition: why a span was cut, if no document keeps its text."""
SAMPLE_CHARACTERS: Final = 200
"""Greatest length of `sample_text`."""
_CHARACTER_BYTES: Final = 4


def cut_table() -> Mapping[str, SideTable]:
    """Return the declaration of the side table. Its samples are masked like those of the ledger."""
    table = SideTable(
        CUT, order=("start",), may_be_null=("first_id", "sample_text"), is_published=True, samples=("sample_text",)
    )
    return {CUTS: table}


def without(texts: pa.StringArray, *, rows: Int64, starts: Int64, ends: Int64) -> pa.StringArray:
    """Return *texts* (no nulls) without the bytes ``[starts, ends)`` of the texts at *rows*.

    Spans begin and end at characters and do not overlap.

    >>> texts, span = pa.array(["one two", "three"]), {"rows": [0], "starts": [0], "ends": [4]}
    >>> without(texts, **{name: np.array(values) for name, values in span.items()}).to_pylist()
    ['two', 'three']
    """
    _, offset_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    data = np.frombuffer(data_buffer or b"", np.uint8)[offsets[0] : offsets[-1]]
    offsets -= offsets[0]
    depth = np.zeros(len(data) + 1, np.int8)
    depth[offsets[rows] + starts] += 1  # starts are distinct, and so are ends, so no index occurs twice
    depth[offsets[rows] + ends] -= 1
    kept = data[np.cumsum(depth[:-1], dtype=np.int8) == 0]
    cut = np.bincount(rows, weights=ends - starts, minlength=len(texts)).astype(np.int64)
    lengths = np.diff(offsets) - cut
    after = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(after), pa.py_buffer(kept)])


def sample(text: bytes) -> str:
    """Return the beginning of a piece of UTF-8 text, without white space around it.

    >>> sample(b"  a text\\n"), len(sample(b"abc " * 1000))
    ('a text', 199)
    """
    beginning = text.strip()[: _CHARACTER_BYTES * SAMPLE_CHARACTERS].decode(errors="ignore")
    return beginning[:SAMPLE_CHARACTERS].strip()
