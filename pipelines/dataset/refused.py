"""Count the pages that a crawl refused or failed to fetch, by rule and with examples, from the crawl's ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.manifest import RefusedPage, RefusedPages
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import Store

EXAMPLES: Final = 5
"""Examples of each rule, spread evenly over the ledger, which is sorted by URL."""
_SHOWN_CHARACTERS: Final = 300
_COLUMNS: Final = ("rule", "url", "message", "referrer")

Mask = Callable[[pa.Array], pa.Array]
"""Masks personal data in a column of texts."""


def ledger_batches(
    raw: Store, manifest: RawManifest, columns: tuple[str, ...] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the ledger of the crawl with the folder *raw* and the manifest *manifest*.

    Raises:
        DamagedFileError: A file of the ledger is missing or unreadable.
    """
    for name in manifest.ledger:
        try:
            with raw.open(name) as opened, pq.ParquetFile(opened) as file:
                yield from file.iter_batches(columns=None if columns is None else list(columns))
        except (pa.ArrowInvalid, OSError) as error:
            raise DamagedFileError(
                f"the ledger of the crawl cannot be read: {error}", file=raw.address(name)
            ) from error


def refused_pages(raw: Store, manifest: RawManifest, *, mask: Mask) -> tuple[RefusedPages, ...]:
    """Return the refused pages of a crawl by rule, the most frequent rule first; reads its ledger twice.

    Args:
        mask: Masks personal data in examples, as the recipe does.

    Raises:
        DamagedFileError: A file of the ledger is missing or unreadable.
    """
    pages: Counter[str] = Counter()
    for batch in ledger_batches(raw, manifest, ("rule",)):
        pages.update({row["values"]: row["counts"] for row in pc.value_counts(batch["rule"]).to_pylist()})
    examples = _examples(raw, manifest, pages, mask)
    ordered = sorted(pages, key=lambda rule: (-pages[rule], rule))
    return tuple(RefusedPages(rule=rule, pages=pages[rule], examples=tuple(examples[rule])) for rule in ordered)


def _examples(raw: Store, manifest: RawManifest, pages: Counter[str], mask: Mask) -> dict[str, list[RefusedPage]]:
    seen: Counter[str] = Counter()
    examples: dict[str, list[RefusedPage]] = {rule: [] for rule in pages}
    for batch in ledger_batches(raw, manifest, _COLUMNS) if pages else ():
        for rule in pc.unique(batch["rule"]).to_pylist():
            rows = np.flatnonzero(pc.equal(batch["rule"], rule).to_numpy(zero_copy_only=False))
            chosen = [place - seen[rule] for place in _places(pages[rule]) if 0 <= place - seen[rule] < len(rows)]
            examples[rule] += _masked(batch.take(pa.array(rows[chosen], pa.int64())), mask)
            seen[rule] += len(rows)
    return examples


def _places(rows: int) -> list[int]:
    """Return the places of the examples among *rows*.

    >>> _places(3), _places(100)
    ([0, 1, 2], [0, 20, 40, 60, 80])
    """
    count = min(rows, EXAMPLES)
    return [place * rows // count for place in range(count)]


def _masked(rows: pa.RecordBatch, mask: Mask) -> list[RefusedPage]:
    columns = {name: pc.utf8_slice_codeunits(mask(rows[name]), 0, _SHOWN_CHARACTERS) for name in _COLUMNS[1:]}
    return [RefusedPage(**row) for row in pa.RecordBatch.from_pydict(columns).to_pylist()]
