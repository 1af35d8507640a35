"""Count the pages of a site on which each piece occurs, and select the pieces of the site's template.

A page is the latest capture of a document. Documents of one site with the same text count as one page, because a page
at ten addresses says no more about its site than a page at one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Function
from corpusmill.pipelines.stages.site_boilerplate.pages import WHOLE_PAGE, Int64

STANDING: Final = pa.schema(
    [
        pa.field("place", pa.int64(), nullable=False),
        pa.field("host", pa.int64(), nullable=False),
        pa.field("text_hash", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
    ]
)
"""A piece on a page. `place` is ``host XOR piece``, so that site and piece are one sort key of two numbers."""
COUNTED: Final = pa.schema(
    [
        pa.field("host", pa.int64(), nullable=False),
        pa.field("piece", pa.int64(), nullable=False),
        pa.field("role", pa.int32(), nullable=False),
        pa.field("pages", pa.int64(), nullable=False),
        pa.field("text_hash", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
    ]
)
"""A piece and its number of pages. Its witness is the first page by (`text_hash`, `id`). `role` is 0 for `WHOLE_PAGE`,
which therefore sorts first in its site, and 1 for all others."""
TEMPLATE: Final = pa.schema([*COUNTED, pa.field("of", pa.int64(), nullable=False)])
"""A piece of a template. `of` is the number of pages of its site."""


class Standings(Function):
    """Turns `PAGE` rows into `STANDING` rows, one for each piece of a page."""

    version: ClassVar[int] = 1

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(_standings, batches)


def _standings(batch: pa.RecordBatch) -> pa.RecordBatch:
    page = pc.list_parent_indices(batch["pieces"])
    host = batch["host"].take(page)
    place = np.bitwise_xor(np.asarray(pc.list_flatten(batch["pieces"])), np.asarray(host))
    columns = [pa.array(place, pa.int64()), host, batch["text_hash"].take(page), batch["id"].take(page)]
    return pa.RecordBatch.from_arrays(columns, schema=STANDING)


class Count(Function):
    """Counts the pages of each piece. Pieces on fewer than *min_pages* pages are dropped.

    The pages of a piece may exceed memory: only the current batch and one open count are held.
    """

    version: ClassVar[int] = 1

    min_pages: int

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `STANDING` rows sorted by (`place`, `host`, `text_hash`, `id`)."""
        return self._counted

    def _counted(self, batches: Batches) -> Batches:
        opened: _Open | None = None
        for batch in batches:
            if batch.num_rows:
                counts, opened = _counts(batch, opened)
                yield self._frequent(counts)
        if opened is not None:
            yield self._frequent([opened])

    def _frequent(self, counts: list[_Open]) -> pa.RecordBatch:
        rows = [one.row() for one in counts if one.pages >= self.min_pages]
        return pa.RecordBatch.from_pylist(rows, schema=COUNTED)


@dataclass(frozen=True, slots=True)
class _Open:
    """A piece that may have more pages in the next batch."""

    place: int
    host: int
    pages: int
    text_hash: int
    id: str
    last: int

    def row(self) -> dict[str, object]:
        piece = self.place ^ self.host
        same = {"host": self.host, "pages": self.pages, "text_hash": self.text_hash, "id": self.id}
        return {**same, "piece": piece, "role": int(piece != WHOLE_PAGE)}


def _counts(batch: pa.RecordBatch, opened: _Open | None) -> tuple[list[_Open], _Open]:
    """Return the counts that are complete in *batch*, and the one that is still open at its end."""
    place, host, text = (np.asarray(batch[name]) for name in ("place", "host", "text_hash"))
    before = (place[0], host[0], text[0]) if opened is None else (opened.place, opened.host, opened.last)
    is_new = _changes(place, before[0]) | _changes(host, before[1])
    is_page = is_new | _changes(text, before[2])
    if opened is None:
        is_new[0] = is_page[0] = True
    starts = np.flatnonzero(is_new)
    seen = np.concatenate([[0], np.cumsum(is_page)])
    ends = np.append(starts, len(place))[1:]
    first = int(starts[0]) if len(starts) else len(place)
    counts = []
    if opened is not None:
        last = int(text[first - 1]) if first else opened.last
        counts.append(
            _Open(opened.place, opened.host, opened.pages + int(seen[first]), opened.text_hash, opened.id, last)
        )
    ids = batch["id"].take(pa.array(starts)).to_pylist()
    for start, end, name in zip(starts.tolist(), ends.tolist(), ids, strict=True):
        pages = int(seen[end] - seen[start])
        counts.append(_Open(int(place[start]), int(host[start]), pages, int(text[start]), name, int(text[end - 1])))
    return counts[:-1], counts[-1]


def _changes(values: Int64, before: int) -> npt.NDArray[np.bool_]:
    changed = np.empty(len(values), np.bool_)
    changed[0] = values[0] != before
    np.not_equal(values[1:], values[:-1], out=changed[1:])
    return changed


class Choose(Function):
    """Keeps the pieces that are on at least *share* of the pages of their site."""

    version: ClassVar[int] = 1

    share: float

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `COUNTED` rows sorted by (`host`, `role`, `piece`)."""
        return self._chosen

    def _chosen(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        total = 0
        for batch in batches:
            if not batch.num_rows:
                continue
            is_piece, pages = np.asarray(batch["role"]) == 1, np.asarray(batch["pages"])
            at = np.maximum.accumulate(np.where(is_piece, -1, np.arange(len(pages))))
            of = np.where(at < 0, total, pages[at])
            total = int(of[-1])
            chosen = batch.append_column(TEMPLATE.field("of"), pa.array(of, pa.int64()))
            yield chosen.filter(pa.array(is_piece & (pages / of >= self.share)))
