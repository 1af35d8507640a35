"""Where the tokens of a window come from: its texts, encoded now, or a token cache (`token_cache`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.training.data.encoding import Encoder
from corpusmill.training.data.packing import Tokens
from corpusmill.training.data.selection import Selection, rows_with_content, with_content
from corpusmill.training.data.shards import Corpus, Window

_BULK_CHARACTERS: Final = 1 << 18
"""Characters encoded per call: enough to make the call efficient, little enough for a quick first row."""

Encoded = tuple[Tokens, npt.NDArray[np.int64]]
"""Tokens of documents, and the number of tokens up to the end of each: shapes (tokens,) and (documents,)."""


class Documents(Protocol):
    """The documents with text of one window."""

    def __len__(self) -> int: ...

    def encoded(self, order: npt.NDArray[np.int64]) -> Iterator[Encoded]:
        """Yield the documents at the places *order*, in this order, in groups of at least one."""


class TokenSource(Protocol):
    """Gives the documents of the windows of a part as tokens."""

    def opened(self, window: Window) -> Documents:
        """Read *window*."""

    def lengths(self, window: Window) -> npt.NDArray[np.int64]:
        """Return the number of tokens of each document of *window*; shape (documents,)."""

    def rows(self, window: Window) -> npt.NDArray[np.int64]:
        """Return the row of the file of each document of *window*; shape (documents,)."""


@dataclass(frozen=True)
class TextSource:
    """Encodes the texts of *corpus* that *selection* takes."""

    corpus: Corpus
    encoder: Encoder
    selection: Selection | None = None

    def opened(self, window: Window) -> Documents:
        return _Texts(with_content(self._texts(window), window, self.selection), self.encoder)

    def lengths(self, window: Window) -> npt.NDArray[np.int64]:
        """Return the number of tokens of each document of *window*, which are encoded for it; shape (documents,)."""
        documents = self.opened(window)
        encoded = documents.encoded(np.arange(len(documents)))
        return np.concatenate([np.zeros(0, dtype=np.int64), *(np.diff(ends, prepend=0) for _, ends in encoded)])

    def rows(self, window: Window) -> npt.NDArray[np.int64]:
        return rows_with_content(self._texts(window), window, self.selection)

    def _texts(self, window: Window) -> pa.ChunkedArray:
        return self.corpus.column(window, self.corpus.text_column)


@dataclass(frozen=True)
class _Texts:
    texts: pa.ChunkedArray
    encoder: Encoder

    def __len__(self) -> int:
        return len(self.texts)

    def encoded(self, order: npt.NDArray[np.int64]) -> Iterator[Encoded]:
        for bulk in _bulks(self.texts.take(pa.array(order))):
            yield self.encoder.encode(bulk)


def _bulks(texts: pa.ChunkedArray) -> Iterator[list[str]]:
    """Yield *texts* in lists of about `_BULK_CHARACTERS` characters."""
    bulk: list[str] = []
    size = 0
    for text in texts:
        bulk.append(text.as_py())
        size += len(bulk[-1])
        if size >= _BULK_CHARACTERS:
            yield bulk
            bulk, size = [], 0
    if bulk:
        yield bulk
