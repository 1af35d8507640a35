"""The tables of a finished crawl: what is known about each of its addresses, and the pages that are gone.

`raw/<source>/pages-NNNNN.parquet` is what the next recrawl starts from. `gone-NNNNN.parquet` is what a run reads: the
documents of these pages are set aside. It has no times of the recrawl, so it is equal when no further page is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.schemas.crawled_page import CrawledPage
from corpusmill.schemas.document import TIMESTAMP
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.storage import Store, appearing

GONE_STAGE: Final = "crawl"
"""Stage of the ledger's rows for documents whose page is gone."""
GONE_RULES: Final = MappingProxyType(
    {
        "gone.404": "In two recrawls in a row, the server answered 404: the page does not exist.",
        "gone.410": "In two recrawls in a row, the page was missing, the last time with 410: it was removed.",
        "gone.redirected": "The page redirects to another one: permanently (301, 308), or in two recrawls in a row.",
        "gone.disallowed": "The site's robots.txt now disallows the page.",
        "gone.noindex": "The page now says `noindex`.",
    }
)
"""Why the documents of a page leave the next version, by rule."""
_ROWS: Final = 16_384


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


CRAWLED_PAGES: Final = pa.schema(
    [
        _required("url", pa.string()),
        _required("kind", pa.string()),
        _required("address", pa.string()),
        _required("status", pa.int32()),
        pa.field("etag", pa.string()),
        pa.field("last_modified", pa.string()),
        pa.field("location", pa.string()),
        pa.field("payload_digest", pa.string()),
        pa.field("text_digest", pa.string()),
        pa.field("reservations", pa.string()),
        pa.field("file", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("captured_at", TIMESTAMP),
        pa.field("first_fetched_at", TIMESTAMP),
        pa.field("asked_at", TIMESTAMP),
        _required("interval_s", pa.int64()),
        _required("misses", pa.int32()),
        pa.field("gone", pa.string()),
        pa.field("gone_message", pa.string()),
        pa.field("gone_at", TIMESTAMP),
        _required("depth", pa.int32()),
        pa.field("referrer", pa.string()),
    ]
)
"""One row for each address, sorted by `url`, its canonical form. `file` and `offset` are those of the response that has
the current body, and `captured_at` is its time."""

GONE_PAGES: Final = pa.schema([_required("url", pa.string()), _required("rule", pa.string()), ("message", pa.string())])
"""The pages that are gone, sorted by `url`."""


def write_tables(pages: Iterator[CrawledPage], *, known: Path, gone: Path) -> int:
    """Write *pages*, which are sorted by `url`, to *known*, and those that are gone also to *gone*, if there are any.

    Returns:
        The number of pages that are gone.
    """
    number = 0
    gone_pages: pq.ParquetWriter | None = None
    with ExitStack() as stack:
        all_pages = stack.enter_context(_writer(stack.enter_context(appearing(known)), CRAWLED_PAGES))
        while part := list(islice(pages, _ROWS)):
            all_pages.write_table(pa.Table.from_pylist(list(map(asdict, part)), schema=CRAWLED_PAGES))
            rows = [{"url": page.url, "rule": page.gone, "message": page.gone_message} for page in part if page.gone]
            if rows and gone_pages is None:
                gone_pages = stack.enter_context(_writer(stack.enter_context(appearing(gone)), GONE_PAGES))
            if rows and gone_pages is not None:
                gone_pages.write_table(pa.Table.from_pylist(rows, schema=GONE_PAGES))
            number += len(rows)
    return number


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd")


def read_crawled_pages(raw: Store, name: str) -> Iterator[CrawledPage]:
    """Yield the rows of the table *name* in the folder *raw*.

    Raises:
        DamagedFileError: The table is missing or unreadable.
    """
    numbers = pa.schema([field.with_type(pa.int64()) if field.type == TIMESTAMP else field for field in CRAWLED_PAGES])
    for batch in crawled_page_batches(raw, name):
        for row in batch.cast(numbers).to_pylist():
            yield CrawledPage(**row)


def crawled_page_batches(raw: Store, name: str) -> Iterator[pa.RecordBatch]:
    """Yield the table *name* in the folder *raw*, in batches with the columns of `CRAWLED_PAGES`.

    Raises:
        DamagedFileError: The table is missing or unreadable.
    """
    try:
        with raw.open(name) as opened, pq.ParquetFile(opened) as file:
            yield from file.iter_batches(batch_size=_ROWS)
    except (pa.ArrowException, OSError) as error:
        hint = "crawl the site again without `--recrawl`"
        raise DamagedFileError(f"the table of crawled pages: {error}", file=raw.address(name), hint=hint) from error
