"""`PackedDataset`: the texts of a version as rows of tokens, in an order that can be left and entered at any point.

The global batch has *batch_size* slots, and each slot is a *lane*: a stream of its own through its own windows. A lane
depends on no other, so any rank or worker can run any lane, and the state is one cursor for each lane.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from tokenizers import Tokenizer
from torch.utils.data import IterableDataset, get_worker_info

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.training.data.order import WINDOWS_PER_LANE, Cursor, lane_windows, permutation
from corpusmill.training.data.packing import Tokens, pack
from corpusmill.training.data.shards import Corpus, Place, open_corpus
from corpusmill.training.data.tokenizer import end_of_text, fingerprint, load_tokenizer

STATE_FORMAT: Final = 1
_BULK_CHARACTERS: Final = 1 << 18
"""Text that is tokenized in one call: enough to keep the call cheap, little enough for a quick first row."""
_FRUITLESS_EPOCHS: Final = 100
"""Epochs times lanes without one document after which a split is taken for empty."""


class Row(NamedTuple):
    """A row of tokens, the lane that gave it, and where the lane stands after it."""

    tokens: Tokens
    lane: int
    cursor: Cursor


class PackedDataset(IterableDataset[torch.Tensor]):
    """Rows of *sequence_length* tokens: documents end to end, each followed by ``<|endoftext|>``.

    Order: the windows (row groups; parts of them in a small corpus) are shuffled by *seed* and epoch and dealt to the
    lanes; documents are shuffled inside their window. Row i of lane 0, row i of lane 1, … follow each other. Rank r of
    R runs the lanes r, r+R, …, and worker w of W every W-th of those, so that the rows are the same for every
    number of ranks and workers. (In the last rows of a bounded number of epochs, when some lanes have
    run dry, workers may give the same rows in another order.)

    Memory: one window (8 MB of text in a version's shards) for each lane that runs here. On a store, a window is one
    request for a part of the text column; a corpus of few row groups, whose windows are parts of them, asks for a row
    group again when the last four were others.

    `state_dict` follows a dataset that is iterated in this process; `BatchLoader` follows one in workers.

    Args:
        version: Path or URL of a version, or of a folder or file of Parquet with a text column; or what was opened.
        tokenizer: Path of a `tokenizer.json` (or its folder), or the tokenizer.
        sequence_length: Tokens in a row.
        split: Which documents.
        batch_size: Sequences in the global batch, over all ranks: the number of lanes.
        seed: Decides the order.
        rank: Which of *world_size* processes this is.
        world_size: Processes that share the batch; divides *batch_size*.
        epoch: Where to begin.
        epochs: Passes over the data; None goes on for ever. In each lane, the last row that is not full is dropped.
        targets: Give rows of *sequence_length* + 1 tokens, the last of which is the first of the lane's next row.

    Yields:
        int64 tensors of shape ``(sequence_length + targets,)``.

    Raises:
        UsageError: Numbers that do not fit together, or a wrong path.
        SourceError: The split has no documents.
        UnfinishedError: The store refuses, or does not answer; also while rows are made.
    """

    def __init__(
        self,
        version: Place | Corpus,
        tokenizer: Path | str | Tokenizer,
        sequence_length: int,
        *,
        split: str = "train",
        batch_size: int = 1,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        epoch: int = 0,
        epochs: int | None = 1,
        targets: bool = False,
        text_column: str = "text",
    ) -> None:
        _check(sequence_length=sequence_length, batch_size=batch_size, rank=rank, world_size=world_size)
        self.corpus = (
            version if isinstance(version, Corpus) else open_corpus(version, split=split, text_column=text_column)
        )
        if not self.corpus.rows:
            raise SourceError(f"the split `{self.corpus.split}` of {self.corpus.path} has no documents")
        self.sequence_length = sequence_length
        self.lanes = batch_size
        self.seed = seed
        self.rank_lanes = range(rank, batch_size, world_size)
        self._tokenizer = load_tokenizer(tokenizer)
        self._end = end_of_text(self._tokenizer)
        self._windows = self.corpus.windows(at_least=WINDOWS_PER_LANE * batch_size)
        self._last_epoch = None if epochs is None else epoch + epochs
        self._targets = targets
        self._cursors = {lane: Cursor(epoch=epoch) for lane in self.rank_lanes}

    def __iter__(self) -> Iterator[torch.Tensor]:
        for row in self.rows():
            self._cursors[row.lane] = row.cursor
            yield torch.from_numpy(row.tokens)

    def rows(self) -> Iterator[Row]:
        """Give the rows from the present state on, without moving it; in a worker, those of the worker's lanes.

        The lane that has given the fewest rows is next: so a state saved in the middle of a batch goes on there.
        """
        streams = {lane: self._lane(lane, self._cursors[lane]) for lane in self._own_lanes()}
        turns = [(self._cursors[lane].rows, lane) for lane in streams]
        heapq.heapify(turns)
        while turns:
            rows, lane = turns[0]
            found = next(streams[lane], None)
            if found is None:
                heapq.heappop(turns)
                continue
            heapq.heapreplace(turns, (rows + 1, lane))
            yield Row(found[0], lane, found[1])

    def state_dict(self) -> dict[str, Any]:
        """Give the state as plain data for JSON: one cursor for each of this rank's lanes."""
        return {**self._identity(), "cursors": {str(lane): list(cursor) for lane, cursor in self._cursors.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where *state* was taken; with other ranks, pass what `merge_states` makes of all ranks' states.

        The sequence length may be another one.

        Raises:
            UsageError: *state* comes from other data, another tokenizer, seed or batch size, or lacks a lane.
        """
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise UsageError(
                    f"the state was saved with {name} {state.get(name)!r}, this data set has {value!r}",
                    hint="resume with the same version, tokenizer, seed and batch size",
                )
        missing = [lane for lane in self.rank_lanes if str(lane) not in state["cursors"]]
        if missing:
            raise UsageError(
                f"the state lacks the lanes {missing}", hint="merge the states of all ranks: `merge_states`"
            )
        self._cursors = {lane: Cursor(*state["cursors"][str(lane)]) for lane in self.rank_lanes}

    def follow(self, row: Row) -> None:
        """Move the state to just after *row*, which another process made."""
        self._cursors[row.lane] = row.cursor

    def _identity(self) -> dict[str, Any]:
        return {
            "format": STATE_FORMAT,
            "version": self.corpus.version,
            "split": self.corpus.split,
            "windows": len(self._windows),
            "tokenizer": fingerprint(self._tokenizer),
            "seed": self.seed,
            "lanes": self.lanes,
        }

    def lanes_of_worker(self, worker: int, *, workers: int) -> range:
        """Give the lanes of this rank that the worker *worker* of *workers* runs.

        Raises:
            UsageError: The lanes cannot be shared equally, which would change the order of rows.
        """
        if len(self.rank_lanes) % workers:
            raise UsageError(
                f"{len(self.rank_lanes)} lanes cannot be shared equally by {workers} workers",
                hint="use a number of workers that divides the batch size of a rank",
            )
        return self.rank_lanes[worker::workers]

    def _own_lanes(self) -> range:
        worker = get_worker_info()
        if worker is None:
            return self.rank_lanes
        return self.lanes_of_worker(worker.id, workers=worker.num_workers)

    def _lane(self, lane: int, cursor: Cursor) -> Iterator[tuple[Tokens, Cursor]]:
        documents = self._documents(lane, cursor)
        return pack(documents, sequence_length=self.sequence_length, skip=cursor.token, targets=self._targets)

    def _documents(self, lane: int, cursor: Cursor) -> Iterator[tuple[Cursor, Tokens]]:
        """Give the documents of *lane* from *cursor* on, each with the place of its first token."""
        fruitless = 0
        for epoch in itertools.count(cursor.epoch):
            if self._last_epoch is not None and epoch >= self._last_epoch:
                return
            fruitless += 1
            dealt = lane_windows(len(self._windows), lanes=self.lanes, lane=lane, seed=self.seed, epoch=epoch)
            for index in range(cursor.window, len(dealt)):
                for row, tokens in self._shuffled(int(dealt[index]), epoch=epoch, first=cursor.row):
                    fruitless = 0
                    yield Cursor(epoch, index, row, 0, cursor.rows), tokens
                cursor = cursor._replace(row=0)
            cursor = cursor._replace(window=0)
            if fruitless > _FRUITLESS_EPOCHS * self.lanes:
                raise SourceError(f"the split `{self.corpus.split}` of {self.corpus.path} has no text")

    def _shuffled(self, window: int, *, epoch: int, first: int) -> Iterator[tuple[int, Tokens]]:
        """Give the documents of *window* from the place *first* of its shuffled order on."""
        texts = self.corpus.texts(self._windows[window])
        order = permutation(len(texts), self.seed, epoch, window)[first:]
        return enumerate(self._tokenized(texts.take(pa.array(order))), start=first)

    def _tokenized(self, texts: pa.ChunkedArray) -> Iterator[Tokens]:
        for bulk in _bulks(texts):
            # At once, because an encoding holds far more than its numbers, and every open lane holds a bulk.
            yield from [
                np.array([*encoding.ids, self._end], dtype=np.int64)
                for encoding in self._tokenizer.encode_batch_fast(bulk, add_special_tokens=False)
            ]


def merge_states(states: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Make one state of the states of all ranks.

    Raises:
        UsageError: They do not belong together.
    """
    merged: dict[str, Any] = {}
    for state in states:
        rest = {name: value for name, value in state.items() if name != "cursors"}
        if merged and rest != {name: value for name, value in merged.items() if name != "cursors"}:
            raise UsageError("the states come from different runs")
        merged = {**rest, "cursors": merged.get("cursors", {}) | state["cursors"]}
    return merged


def _bulks(texts: pa.ChunkedArray) -> Iterator[list[str]]:
    """Give *texts* in lists of about `_BULK_CHARACTERS`."""
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


def _check(*, sequence_length: int, batch_size: int, rank: int, world_size: int) -> None:
    if sequence_length < 1 or batch_size < 1:
        raise UsageError(f"sequence_length {sequence_length} and batch_size {batch_size} have to be at least 1")
    if not 0 <= rank < world_size:
        raise UsageError(f"rank {rank} is not one of {world_size}", hint="ranks count from 0")
    if batch_size % world_size:
        raise UsageError(
            f"a batch of {batch_size} sequences cannot be shared equally by {world_size} ranks",
            hint="use a batch size that the number of ranks divides",
        )
