"""The narrow table on which documents are compared: one row for each capture that lived so far, without its text.

A stage that compares gives the same rows with more verdicts. `assemble` joins them with the documents again.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from corpusmill.schemas.document import VERDICT

NO_TIME: Final = -(2**63)
"""`captured` of a capture without `fetched_at`."""

FATE: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("record_sha256", pa.string(), nullable=False),
        pa.field("captured", pa.int64(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("first_seen", pa.int64(), nullable=False),
        pa.field("cluster_id", pa.string()),
        pa.field("cluster_size", pa.int64()),
        *(VERDICT.field(name) for name in ("stage", "rule", "value", "threshold", "message", "duplicate_of")),
    ]
)
"""`captured`: `fetched_at` of this capture in microseconds; `first_seen`: the least `captured` among the captures of
this document with this text, or `NO_TIME` when one has none; `bytes`: UTF-8 bytes of the text."""
