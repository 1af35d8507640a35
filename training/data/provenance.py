"""Which documents a row of tokens comes from, computed from counts of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.training.data.best_fit import best_fit
from corpusmill.training.data.order import ROWS, Cursor, permutation
from corpusmill.training.data.part_reader import PartReader
from corpusmill.training.data.shards import Window


@dataclass(frozen=True)
class Seen:
    """A document, or a part of one, in a row.

    Attributes:
        id: Its id; None if the shard has no column `id`.
        file: Path or URL of the shard.
        row: Its row in the shard.
        first: Its first token that is in the row, counted in the document; the end of text is the last one.
        tokens: Number of its tokens in the row.
    """

    id: str | None
    file: str
    row: int
    first: int
    tokens: int


def documents_of(reader: PartReader, lane: int, cursor: Cursor) -> list[Seen]:
    """Return the documents of the row that *reader* gives to *lane* from *cursor* on, in the order of their tokens.

    A token that is only the target of the last one counts too. Empty if the part has no whole row left. From text, the
    windows of the row are encoded for this.
    """
    length = reader.sequence_length + reader.targets
    if reader.packing == "best_fit":
        return _of_best_fit(reader, lane, cursor)
    seen: list[Seen] = []
    for place, window in reader.places(lane, cursor):
        opened = _Opened(reader, place.epoch, window)
        start = place.token + (opened.ends[place.row - 1] if place.row else 0)
        seen += opened.between(int(start), int(start) + length)
        length -= min(length, max(0, opened.size - int(start)))
        if not length:
            return seen
    return []


def _of_best_fit(reader: PartReader, lane: int, cursor: Cursor) -> list[Seen]:
    for place, window in reader.places(lane, cursor):
        opened = _Opened(reader, place.epoch, window)
        rows = best_fit(opened.lengths, reader.sequence_length, reader.targets)
        if place.row < len(rows):
            order = permutation(len(rows), reader.seed, place.epoch, window, ROWS)
            return [one for piece in rows[int(order[place.row])] for one in opened.between(*piece)]
    return []


class _Opened:
    """The documents of a window in the order of an epoch, by their counts of tokens."""

    def __init__(self, reader: PartReader, epoch: int, number: int) -> None:
        self._reader = reader
        self._window: Window = reader.windows[number]
        lengths = reader.source.lengths(self._window)
        self._order = permutation(len(lengths), reader.seed, epoch, number)
        self.lengths: npt.NDArray[np.int64] = lengths[self._order]
        self.ends: npt.NDArray[np.int64] = np.cumsum(self.lengths)

    @property
    def size(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def between(self, start: int, stop: int) -> Iterator[Seen]:
        """Yield the documents of the tokens *start* to *stop*, counted in the window."""
        rows = self._reader.source.rows(self._window)
        ids = self._ids()
        first = int(np.searchsorted(self.ends, start, side="right"))
        for place in range(first, len(self.ends)):
            begin = int(self.ends[place] - self.lengths[place])
            if begin >= stop:
                return
            row = int(rows[self._order[place]])
            inner = max(0, start - begin)
            tokens = min(int(self.ends[place]), stop) - begin - inner
            id = None if ids is None else ids[row - self._window.first].as_py()
            yield Seen(id, self._window.file.address, row, inner, tokens)

    def _ids(self) -> pa.ChunkedArray | None:
        corpus = self._reader.part.corpus
        return corpus.column(self._window, "id") if "id" in corpus.columns(self._window.file) else None
