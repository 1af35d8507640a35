"""`PackedDataset`: the texts of a version as rows of tokens, in an order that can be resumed at any point.

The global batch has *batch_size* slots. Each slot is a *lane*: a separate stream through its own windows. Lanes are
independent, so any rank or worker can run any lane, and the state is one cursor per lane.
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
"""Characters tokenized per call: enough to make the call efficient, little enough for a quick first row."""
_FRUITLESS_EPOCHS: Final = 100
"""Number of epochs times lanes without a document after which a split is considered empty."""


class Row(NamedTuple):
    """A row of tokens, its lane, and the position of the lane after it."""

    tokens: Tokens
    lane: int
    cursor: Cursor


class PackedDataset(IterableDataset[torch.Tensor]):
    """Rows of *sequence_length* tokens: concatenated documents, each followed by ``<|endoftext|>``.

    Order: windows (row groups, or parts of them in a small corpus) are shuffled by *seed* and epoch and dealt to the
        lanes. Documents are shuffled within their window. Row i of lane 0 is followed by row i of lane 1, and so on.
        Rank r of R runs the lanes r, r+R, …, and worker w of W runs every W-th of those, so the rows are the same for
        any number of ranks and workers. (At the end of a bounded number of epochs, when some lanes have no more rows,
        workers may return the last rows in another order.)

    Memory: one window (8 MB of text in a version's shards) for each lane that runs here. On a store, reading a window
        is one request for a part of the text column. In a corpus with few row groups, whose windows are parts of them,
        a row group is requested again if four others were read since.

    `state_dict` tracks a dataset that is iterated in this process; `BatchLoader` tracks one in workers.

    Args:
        version: Path or URL of a version, or of a folder or file of Parquet with a text column; or an open corpus.
        tokenizer: Path of a `tokenizer.json` (or its folder), or the tokenizer.
        sequence_length: Tokens per row.
        split: The split to read.
        batch_size: Sequences in the global batch, over all ranks: the number of lanes.
        seed: Determines the order.
        rank: Index of this process among *world_size* processes.
        world_size: Processes that share the batch; must divide *batch_size*.
        epoch: First epoch.
        epochs: Passes over the data; None: no bound. The last incomplete row of each lane is dropped.
        targets: Return rows of *sequence_length* + 1 tokens, the last of which is the first of the lane's next row.

    Yields:
        int64 tensors of shape ``(sequence_length + targets,)``.

    Raises:
        UsageError: Invalid or inconsistent numbers, or a wrong path.
        SourceError: The split has no documents.
        UnfinishedError: The store refuses access or does not respond, also while rows are read.
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
        """Yield the rows from the current state on, without changing the state; in a worker, only those of its lanes.

        The lane with the fewest returned rows is next, so a state saved within a batch resumes within the batch.
        """
        streams = {lane: self._lane(lane, self._cursors[lane]) for lane in self._own_lanes()}
        turns = [(self._cursors[lane].rows, lane) for lane in streams]
        heapq.heapify(turns)
        while turns:
            rows, lane = turns[0]
            row = next(streams[lane], None)
            if row is None:
                heapq.heappop(turns)
                continue
            heapq.heapreplace(turns, (rows + 1, lane))
            yield Row(row[0], lane, row[1])

    def state_dict(self) -> dict[str, Any]:
        """Return the state as JSON data: one cursor for each of this rank's lanes."""
        return {**self._identity(), "cursors": {str(lane): list(cursor) for lane, cursor in self._cursors.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume at *state*. For another number of ranks, pass the result of `merge_states` over all ranks' states.

        The sequence length may differ.

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
        """Set the state to just after *row*, which another process returned."""
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
        """Return the lanes of this rank that the worker *worker* of *workers* runs.

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
        """Yield the documents of *lane* from *cursor* on, each with the position of its first token."""
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
        """Yield the documents of *window* from position *first* of its shuffled order on."""
        texts = self.corpus.texts(self._windows[window])
        order = permutation(len(texts), self.seed, epoch, window)[first:]
        return enumerate(self._tokenized(texts.take(pa.array(order))), start=first)

    def _tokenized(self, texts: pa.ChunkedArray) -> Iterator[Tokens]:
        for bulk in _bulks(texts):
            # Convert to ids at once: an encoding takes far more memory, and every open lane holds a bulk.
            yield from [
                np.array([*encoding.ids, self._end], dtype=np.int64)
                for encoding in self._tokenizer.encode_batch_fast(bulk, add_special_tokens=False)
            ]


def merge_states(states: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Merge the states of all ranks into one state.

    Raises:
        UsageError: The states come from different runs.
    """
    merged: dict[str, Any] = {}
    for state in states:
        rest = {name: value for name, value in state.items() if name != "cursors"}
        if merged and rest != {name: value for name, value in merged.items() if name != "cursors"}:
            raise UsageError("the states come from different runs")
        merged = {**rest, "cursors": merged.get("cursors", {}) | state["cursors"]}
    return merged


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


def _check(*, sequence_length: int, batch_size: int, rank: int, world_size: int) -> None:
    if sequence_length < 1 or batch_size < 1:
        raise UsageError(f"sequence_length {sequence_length} and batch_size {batch_size} must be at least 1")
    if not 0 <= rank < world_size:
        raise UsageError(f"rank {rank} is not one of {world_size}", hint="ranks count from 0")
    if batch_size % world_size:
        raise UsageError(
            f"a batch of {batch_size} sequences cannot be shared equally by {world_size} ranks",
            hint="use a batch size that is a multiple of the number of ranks",
        )
