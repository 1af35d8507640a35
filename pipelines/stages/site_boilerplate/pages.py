"""Represent pages for comparison: their site and pieces as numbers, so that counting moves no text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, ColumnFunction, Function
from corpusmill.pipelines.engines.groups import run_starts, whole_groups
from corpusmill.pipelines.stages.identity import captured_us, content_hashes
from corpusmill.pipelines.stages.site_boilerplate.pieces import pieces
from corpusmill.schemas.identity import first_64_bits_column
from corpusmill.schemas.urls import authority, canonical_url

Int64: TypeAlias = npt.NDArray[np.int64]

NO_HOST: Final = 0
"""The number for an unknown site; no site has it."""
WHOLE_PAGE: Final = 0
"""A pseudo-piece on every page, which counts the pages of a site. No other piece has this number."""
PAGE: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("captured", pa.int64(), nullable=False),
        pa.field("record_sha256", pa.string(), nullable=False),
        pa.field("text_hash", pa.int64(), nullable=False),
        pa.field("host", pa.int64(), nullable=False),
        pa.field("pieces", pa.list_(pa.int64())),
    ]
)
"""A capture: its site and the distinct pieces of its text (including `WHOLE_PAGE`) as numbers, in order."""


@lru_cache(maxsize=65_536)
def host_of(url: str) -> str | None:
    """Return the site of *url*: host and port of its canonical form, without a leading ``www.``; None without a host.

    >>> host_of("http://www.Example.org:80/a"), host_of("https://example.org:8443/"), host_of("notes/a.md")
    ('example.org', 'example.org:8443', None)
    """
    try:
        return authority(canonical_url(url)).removeprefix("www.")
    except ValueError:
        return None


@lru_cache(maxsize=65_536)
def _host_number(url: str) -> int:
    host = host_of(url)
    if host is None:
        return NO_HOST
    return int.from_bytes(hashlib.blake2b(host.encode(), digest_size=8).digest(), "big", signed=True) or 1


def host_numbers(urls: pa.Array) -> pa.Array:
    """Return 64 bits of the hash of each URL's site, or `NO_HOST`."""
    numbers = [NO_HOST if url is None else _host_number(url) for url in urls.to_pylist()]
    return pa.array(numbers, pa.int64())


def text_hashes(texts: pa.Array) -> pa.Array:
    """Return the first 64 bits of the `content_hash` of each of *texts*. Null counts as an empty text."""
    return pa.array(first_64_bits_column(content_hashes(pc.fill_null(texts, ""))).view(np.int64))


HOST, TEXT_HASH, KEYS, COUNTED = "host", "text_hash", "keys", "counted"
"""Columns added by `PageColumns`, prefixed with the stage's name and a dot: the site's number, 64 bits of the text's
hash, the distinct keys of all pieces, and the distinct keys of the counted pieces."""
PAGE_COLUMNS: Final = pa.schema(
    [(HOST, pa.int64()), (TEXT_HASH, pa.int64()), (KEYS, pa.list_(pa.int64())), (COUNTED, pa.list_(pa.int64()))]
)


def named(stage: str) -> dict[str, str]:
    """Return the names of the columns of `PAGE_COLUMNS` for the stage *stage*."""
    return {name: f"{stage}.{name}" for name in PAGE_COLUMNS.names}


class PageColumns(ColumnFunction):
    """Adds site and pieces as columns of living documents with a known site; null for all other documents.

    Args:
        stage: The stage's name.
        min_characters: Shorter pieces are not counted.
    """

    version: ClassVar[int] = 2

    stage: str
    min_characters: int

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function over the columns `url`, `text`, `rule`."""
        return self._columns

    def _columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        host = host_numbers(batch["url"])
        known = np.asarray(pc.and_(pc.is_null(batch["rule"]), pc.not_equal(host, NO_HOST)))
        texts = batch["text"].to_pylist()
        keys: list[list[int] | None] = [None] * batch.num_rows
        counted: list[list[int] | None] = [None] * batch.num_rows
        for row in np.flatnonzero(known).tolist():
            keys[row], counted[row] = self._numbers(texts[row] or "")
        columns = {
            HOST: pa.array(np.asarray(host), mask=~known),
            TEXT_HASH: text_hashes(batch["text"]),
            KEYS: pa.array(keys, PAGE_COLUMNS.field(KEYS).type),
            COUNTED: pa.array(counted, PAGE_COLUMNS.field(COUNTED).type),
        }
        return pa.record_batch({name: columns[short] for short, name in named(self.stage).items()})

    def _numbers(self, text: str) -> tuple[list[int], list[int]]:
        keyed = [(piece.key, piece.end - piece.start) for piece in pieces(text) if piece.key is not None]
        long = {key for key, length in keyed if length >= self.min_characters}
        return sorted({key for key, _ in keyed}), [WHOLE_PAGE, *sorted(long)]


class Pages(Function):
    """Turns documents with the columns of `PageColumns` and a known site into `PAGE` rows."""

    version: ClassVar[int] = 2

    stage: str

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (self._pages(batch) for batch in batches)

    def _pages(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = named(self.stage)
        known = batch.filter(pc.is_valid(batch[names[HOST]]))
        columns = [
            known["id"],
            captured_us(known["fetched_at"]),
            known["record_sha256"],
            known[names[TEXT_HASH]],
            known[names[HOST]],
            known[names[COUNTED]],
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PAGE)


class Latest(Function):
    """Keeps one capture of each document: the one with the greatest (`captured`, `record_sha256`, `text_hash`)."""

    version: ClassVar[int] = 1

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `PAGE` rows in this order."""
        return lambda batches: map(_latest, whole_groups(batches, by="id"))


def _latest(batch: pa.RecordBatch) -> pa.RecordBatch:
    starts = run_starts(batch["id"])
    return batch.take(pa.array(np.append(starts[1:], batch.num_rows) - 1)) if len(starts) else batch
