"""Captures for tests of stages that look at one document at a time."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from corpusmill.schemas.document import CAPTURE


def captures(texts: Sequence[str]) -> pa.RecordBatch:
    """Return living captures with *texts*, as a stage after extraction sees them."""
    rows = [
        {
            "id": f"{number:032x}",
            "source": "test",
            "source_id": str(number),
            "record_sha256": f"{number:064x}",
            "text": text,
            "text_bytes": len(text.encode()),
        }
        for number, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=CAPTURE)
