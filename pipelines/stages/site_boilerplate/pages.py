"""What of a page is compared: its site, and its pieces as numbers. No text moves while pieces are counted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Function
from corpusmill.pipelines.engines.groups import run_starts, whole_groups
from corpusmill.pipelines.stages.fates import NO_TIME
from corpusmill.pipelines.stages.identity import content_hashes
from corpusmill.pipelines.stages.site_boilerplate.pieces import pieces
from corpusmill.schemas.identity import first_64_bits_column
from corpusmill.schemas.urls import authority, canonical_url

Int64: TypeAlias = npt.NDArray[np.int64]

NO_HOST: Final = 0
"""The number of a document whose site is not known; no site has it."""
WHOLE_PAGE: Final = 0
"""A piece that stands on every page: its pages are those of the site. No other piece has this number."""
PAGE_COLUMNS: Final = ("id", "record_sha256", "url", "fetched_at", "text", "rule")
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
"""A capture: its site and the distinct pieces of its text (`WHOLE_PAGE` among them) as numbers, in order."""


@lru_cache(maxsize=65_536)
def host_of(url: str) -> str | None:
    """Give the site of *url*: host and port of its canonical form, without a leading ``www.``; None where it has none.

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
    """Give 64 bits of the hash of each URL's site, `NO_HOST` where it has none."""
    numbers = [NO_HOST if url is None else _host_number(url) for url in urls.to_pylist()]
    return pa.array(numbers, pa.int64())


def text_hashes(texts: pa.Array) -> pa.Array:
    """Give the first 64 bits of the `content_hash` of each of *texts*; null is an empty text."""
    return pa.array(first_64_bits_column(content_hashes(pc.fill_null(texts, ""))).view(np.int64))


def captured(batch: pa.RecordBatch) -> pa.Array:
    """Give `fetched_at` in microseconds, `NO_TIME` where it is null."""
    return pc.fill_null(batch["fetched_at"].cast(pa.int64()), NO_TIME)


class Pages(Function):
    """Captures to `PAGE` rows: the living ones whose site is known.

    Args:
        min_characters: Shorter pieces are left out.
    """

    version: ClassVar[int] = 1

    min_characters: int

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (self._pages(batch) for batch in batches)

    def _pages(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        host = host_numbers(batch["url"])
        known = pc.and_(pc.is_null(batch["rule"]), pc.not_equal(host, NO_HOST))
        living, host = batch.filter(known), host.filter(known)
        numbers = [self._numbers(text or "") for text in living["text"].to_pylist()]
        columns = [
            living["id"],
            captured(living),
            living["record_sha256"],
            text_hashes(living["text"]),
            host,
            pa.array(numbers, PAGE.field("pieces").type),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PAGE)

    def _numbers(self, text: str) -> list[int]:
        found = {one.key for one in pieces(text) if one.key is not None and one.end - one.start >= self.min_characters}
        return [WHOLE_PAGE, *sorted(found)]


class Latest(Function):
    """Keep one capture of each document, that with the greatest (`captured`, `record_sha256`, `text_hash`)."""

    version: ClassVar[int] = 1

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function over `PAGE` rows sorted so."""
        return lambda batches: map(_latest, whole_groups(batches, by="id"))


def _latest(batch: pa.RecordBatch) -> pa.RecordBatch:
    starts = run_starts(batch["id"])
    return batch.take(pa.array(np.append(starts[1:], batch.num_rows) - 1)) if len(starts) else batch
