"""The columns of a record between stages, and of a document in a shard.

A record enters as a *capture* (bytes or text, with its origin) and keeps its row until the end: a rejected record
carries its verdict in the columns of `VERDICT`. Columns with a dot in their name are signals (`gopher.word_count`).
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from corpusmill.schemas.optout_columns import SIGNALS
from corpusmill.schemas.selectors import SELECTORS
from corpusmill.schemas.vectors import VECTOR

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
METADATA: Final = pa.list_(pa.struct([pa.field("key", pa.string()), pa.field("value", pa.string())]))
"""Sorted by key, with distinct keys; `schemas.metadata` builds it. Hugging Face `datasets` cannot read a map."""
SPLITS: Final = ("train", "validation", "test")
MAX_TEXT_BYTES: Final = 32_000_000
"""A larger text is set aside as `error.too_large`, because it does not fit in a batch."""
MAX_BATCH_BYTES: Final = 32_000_000
MAX_BATCH_ROWS: Final = 65_536


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


DOCUMENT: Final = pa.schema(
    [
        _required("id", pa.string()),
        _required("text", pa.string()),
        _required("source", pa.string()),
        _required("source_id", pa.string()),
        _required("content_hash", pa.string()),
        _required("record_sha256", pa.string()),
        _required("split", pa.string()),
        pa.field("title", pa.string()),
        pa.field("url", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("language", pa.string()),
        pa.field("license", pa.string()),
        pa.field("license_source", pa.string()),
        pa.field("language_score", pa.float32()),
        pa.field("published_at", TIMESTAMP),
        pa.field("fetched_at", TIMESTAMP),
        pa.field("char_count", pa.int64()),
        pa.field("word_count", pa.int64()),
        pa.field("cluster_size", pa.int64()),
        pa.field("cluster_id", pa.string()),
        pa.field("metadata", METADATA),
    ]
)
"""A document in a shard. Views made by linguistic stages are added as further columns."""

OFFER: Final = pa.schema(
    [
        pa.field("source_id", pa.string()),
        pa.field("record_sha256", pa.string()),
        pa.field("url", pa.string()),
        pa.field("title", pa.string()),
        pa.field("license", pa.string()),
        pa.field("license_source", pa.string()),
        pa.field("published_at", TIMESTAMP),
        pa.field("fetched_at", TIMESTAMP),
        pa.field("metadata", METADATA),
        pa.field("media_type", pa.string()),
        pa.field("content", pa.binary()),
        pa.field("text", pa.string()),
        pa.field(VECTOR, pa.list_(pa.float32())),
        pa.field("offset", pa.int64()),
        pa.field("length", pa.int64()),
        pa.field("optouts", SIGNALS),
        pa.field("rule", pa.string()),
        pa.field("message", pa.string()),
    ]
)
"""A record from a loader. It has `content` (bytes with a `media_type`, to be extracted), or `text`, or the rule
`error.<kind>` under which it is set aside. `offset` and `length` are in bytes of the decompressed file. `optouts` has
the signals by which a page reserves its content (`schemas.optouts`), and `vector` an embedding (`schemas.vectors`)."""

VERDICT: Final = pa.schema(
    [
        pa.field("stage", pa.string()),
        pa.field("rule", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("message", pa.string()),
        pa.field("duplicate_of", pa.string()),
    ]
)
"""Why a record is not published; all columns are null if it was not rejected."""

CAPTURE: Final = pa.schema(
    [
        _required("id", pa.string()),
        _required("source", pa.string()),
        _required("source_id", pa.string()),
        _required("record_sha256", pa.string()),
        *(OFFER.field(name) for name in ("url", "title", "license", "license_source", "published_at", "fetched_at")),
        pa.field("language", pa.string()),
        pa.field("language_score", pa.float32()),
        *(OFFER.field(name) for name in ("metadata", "media_type", "content", "text", VECTOR)),
        pa.field(SELECTORS, pa.string()),
        pa.field("text_bytes", pa.int64()),
        pa.field("file", pa.string()),
        *(OFFER.field(name) for name in ("offset", "length", "optouts")),
        *VERDICT,
    ]
)
"""A record between two stages; stages add signals and views after these columns. `text_bytes` is the size of `text` in
UTF-8, and `selectors` the selectors of its source (`schemas.selectors`). A rejected record keeps the text that it had
when it was rejected."""

LEDGER: Final = pa.schema(
    [
        _required("id", pa.string()),
        _required("record_sha256", pa.string()),
        pa.field("url", pa.string()),
        _required("source", pa.string()),
        _required("stage", pa.string()),
        _required("rule", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("duplicate_of", pa.string()),
        pa.field("sample_text", pa.string()),
        pa.field("message", pa.string()),
        pa.field("source_id", pa.string()),
        pa.field("text_bytes", pa.int64()),
    ]
)
"""One row per capture that is not published, and rows that a stage *created*, such as text that it cut out of many
documents. Created rows were never records, so they have no row in `ORIGIN`. Sorted by (`id`, `record_sha256`)."""

ORIGIN: Final = pa.schema(
    [
        _required("id", pa.string()),
        _required("record_sha256", pa.string()),
        pa.field("file", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("length", pa.int64()),
    ]
)
"""Where a capture was read from; not part of a version's identity."""

RAW_LEDGER: Final = pa.schema(
    [
        _required("url", pa.string()),
        _required("source", pa.string()),
        _required("stage", pa.string()),
        _required("rule", pa.string()),
        pa.field("message", pa.string()),
        pa.field("referrer", pa.string()),
        pa.field("depth", pa.int64()),
        pa.field("at", TIMESTAMP),
    ]
)
"""Pages that a crawl refused or failed to fetch: `stage` is ``crawl``, `rule` is for example ``robots.disallowed``."""


def type_name(kind: pa.DataType) -> str:
    """Return the name of an Arrow type, without the names of list items, because they differ between libraries.

    >>> type_name(METADATA), type_name(pa.list_(pa.field("element", pa.int64())))
    ('list<struct<key: string, value: string>>', 'list<int64>')
    """
    if pa.types.is_list(kind):
        return f"list<{type_name(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{', '.join(map(_field_name, kind))}>"
    if pa.types.is_map(kind):
        return f"map<{type_name(kind.key_type)}, {type_name(kind.item_type)}>"
    return str(kind)


def _field_name(field: pa.Field) -> str:
    return f"{field.name}: {type_name(field.type)}" + ("" if field.nullable else " not null")


def is_signal(name: str) -> bool:
    """Return whether the column *name* is a signal."""
    return "." in name
