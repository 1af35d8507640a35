"""The rows of one part of a mixture, lane by lane."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.training.data.best_fit import best_fit, row_of
from corpusmill.training.data.mixture import Part
from corpusmill.training.data.order import ROWS, Cursor, lane_windows, permutation
from corpusmill.training.data.packing import Bulk, Tokens, pack
from corpusmill.training.data.seeking import LaneCounts
from corpusmill.training.data.shards import Window
from corpusmill.training.data.sources import Documents, TokenSource
from corpusmill.training.data.token_cache import CacheSource

_FRUITLESS_EPOCHS: Final = 100
"""Number of epochs times lanes without a document after which a part is considered empty."""

Packing = Literal["concatenate", "best_fit"]


@dataclass(frozen=True)
class PartReader:
    """Reads a part.

    Attributes:
        windows: The windows of the part's corpus.
        epochs: Passes over the part; None: no bound.
        packing: ``concatenate`` (documents follow one another through rows) or ``best_fit`` (rows of whole documents).
    """

    part: Part
    source: TokenSource
    windows: tuple[Window, ...]
    sequence_length: int
    targets: bool
    packing: Packing
    seed: int
    lanes: int
    first_epoch: int
    epochs: int | None

    def rows(self, lane: int, cursor: Cursor) -> Iterator[tuple[Tokens, Cursor]]:
        """Yield the rows that the part gives to *lane* from *cursor* on, each with the cursor after it.

        Raises:
            SourceError: The part has no text.
        """
        if self.packing == "best_fit":
            return self._best_fit(lane, cursor)
        bulks = (bulk for opened in self._opened(lane, cursor) for bulk in self._shuffled(*opened))
        return pack(bulks, sequence_length=self.sequence_length, skip=cursor.token, targets=self.targets)

    def _best_fit(self, lane: int, cursor: Cursor) -> Iterator[tuple[Tokens, Cursor]]:
        taken = cursor.rows
        for place, window, documents in self._opened(lane, cursor):
            bulks = list(self._shuffled(place._replace(row=0), window, documents))
            if not bulks:
                continue
            tokens = np.concatenate([bulk.tokens for bulk in bulks])
            rows = best_fit(np.concatenate([bulk.lengths for bulk in bulks]), self.sequence_length, self.targets)
            order = permutation(len(rows), self.seed, place.epoch, window, ROWS)
            for number in range(place.row, len(rows)):
                taken += 1
                row = row_of(tokens, rows[int(order[number])], length=self.sequence_length + self.targets)
                yield row, place._replace(row=number + 1, rows=taken)

    def places(self, lane: int, cursor: Cursor) -> Iterator[tuple[Cursor, int]]:
        """Yield the windows of *lane* from *cursor* on, by number, each with the cursor of what is left of it."""
        row, token, window = cursor.row, cursor.token, cursor.window
        for epoch in itertools.count(cursor.epoch):
            if self.epochs is not None and epoch >= self.first_epoch + self.epochs:
                return
            dealt = lane_windows(len(self.windows), lanes=self.lanes, lane=lane, seed=self.seed, epoch=epoch)
            for index in range(window, len(dealt)):
                yield Cursor(epoch, index, row, token, cursor.rows), int(dealt[index])
                row = token = 0
            window = 0

    def _opened(self, lane: int, cursor: Cursor) -> Iterator[tuple[Cursor, int, Documents]]:
        """Yield the windows of `places` with their documents; a part without any is an error."""
        last = cursor.epoch
        for place, window in self.places(lane, cursor):
            documents = self.source.opened(self.windows[window])
            last = place.epoch if len(documents) else last
            if place.epoch - last > _FRUITLESS_EPOCHS * self.lanes:
                raise SourceError(f"the split `{self.part.corpus.split}` of {self.part.corpus.path} has no text")
            yield place, window, documents

    def _shuffled(self, place: Cursor, window: int, documents: Documents) -> Iterator[Bulk]:
        """Yield *documents* of the window *window* from *place* on."""
        order = permutation(len(documents), self.seed, place.epoch, window)[place.row :]
        for tokens, ends in documents.encoded(order):
            yield Bulk(place, tokens, ends)
            place = place._replace(row=place.row + len(ends))

    def place_of(self, file: str, row: int) -> tuple[int, int] | None:
        """Return the window of a row of a shard, and its place among the documents there; None if it is not read."""
        for number, window in enumerate(self.windows):
            if window.file.address == file and window.first <= row < window.first + window.rows:
                found = np.flatnonzero(self.source.rows(window) == row)
                return (number, int(found[0])) if len(found) else None
        return None

    def counts(self, lane: int) -> LaneCounts:
        """Return the counts of tokens of *lane*.

        Raises:
            UsageError: The part is read from text, without a token cache.
        """
        if not isinstance(self.source, CacheSource):
            raise UsageError("seeking needs a token cache", hint="make it with `corpusmill tokenize VERSION`")
        return LaneCounts(self, self.source, lane)
