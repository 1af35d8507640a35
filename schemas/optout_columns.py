"""Columns with the signals of `optouts`, apart from these because recipes are read without Arrow."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

SIGNALS: Final = pa.list_(
    pa.struct(
        [
            pa.field("kind", pa.string()),
            pa.field("place", pa.string()),
            pa.field("value", pa.string()),
            pa.field("applies", pa.bool_()),
        ]
    )
)
"""A column with the signals of a page; null where there are none."""

SITE_FILE: Final = pa.schema(
    [
        pa.field("host", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("fetched_at", pa.timestamp("us", tz="UTC")),
        pa.field("record_sha256", pa.string(), nullable=False),
        pa.field("body", pa.string()),
    ]
)
"""A captured file of `optouts.SITE_PATHS`. `body` is null if the site had no such file when it was asked."""
