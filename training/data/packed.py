"""`PackedDataset`: the texts of a version as rows of tokens, in an order that can be resumed at any point.

The global batch has *batch_size* slots. Each slot is a *lane*: a separate stream through its own windows. Lanes are
independent, so any rank or worker can run any lane, and the state is one position per lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch.utils.data import IterableDataset, get_worker_info

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.training.data.encoding import Encoder
from corpusmill.training.data.mixture import Part, Shares
from corpusmill.training.data.order import WINDOWS_PER_LANE, Cursor, Position
from corpusmill.training.data.packing import Tokens
from corpusmill.training.data.part_reader import Packing, PartReader
from corpusmill.training.data.provenance import Seen, documents_of
from corpusmill.training.data.seeking import parts_of_lane
from corpusmill.training.data.shards import Corpus, Place, open_corpus
from corpusmill.training.data.sources import TextSource, TokenSource
from corpusmill.training.data.token_cache import CacheSource, TokenCache
from corpusmill.training.data.tokenizer import fingerprint, load_tokenizer

STATE_FORMAT: Final = 2


class Row(NamedTuple):
    """A row of tokens, its lane, the part of the mixture that it comes from, and the position of the lane after it."""

    tokens: Tokens
    lane: int
    part: int
    position: Position


class PackedDataset(IterableDataset[torch.Tensor]):
    """Rows of *sequence_length* tokens: concatenated documents, each followed by ``<|endoftext|>``.

    Order: windows (row groups, or parts of them in a small corpus) are shuffled by *seed* and epoch and dealt to the
        lanes. Documents are shuffled within their window. Row i of lane 0 is followed by row i of lane 1, and so on.
        Rank r of R runs the lanes r, r+R, …, and worker w of W runs every W-th of those, so the rows are the same for
        any number of ranks and workers. (torch's own `DataLoader` takes turns between workers, so its order is this one
        only if each worker has the same number of lanes; `BatchLoader` keeps the order with any number.)

    Mixture: *version* may be several parts with weights. Each row comes from one part, chosen by its number alone:
        among the first n rows of the global batch, each part has its share to within a row for each part.

    Memory: from text, one window (8 MB of text in a version's shards) for each lane that runs here and each part. On a
        store, reading a window is one request for a part of the text column. In a corpus with few row groups, whose
        windows are parts of them, a row group is requested again if four others were read since. From a token cache,
        about 1 MB for each lane.

    `state_dict` tracks a dataset that is iterated in this process; `BatchLoader` tracks one in workers.

    Args:
        version: Path or URL of a version, or of a folder or file of Parquet with a text column; or an open corpus; or
            the parts of a mixture.
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
        shares: Shares of the parts over the run; None: their weights throughout.
        caches: The token cache of each part, or None where its texts are encoded; the rows are the same.
        packing: ``concatenate``, or ``best_fit``: a document is cut only if it is longer than a row, and rows are
            filled up with `PADDING` (`best_fit` module). The documents of a window are packed at once, so the first row
            from text takes as long as encoding a window.

    Yields:
        int64 tensors of shape ``(sequence_length + targets,)``.

    Raises:
        UsageError: Invalid or inconsistent numbers, a wrong path, or a cache of other data.
        SourceError: The split has no documents.
        DamagedFileError: A shard is not the one that the token cache was made from.
        UnfinishedError: The store refuses access or does not respond, also while rows are read.
    """

    def __init__(
        self,
        version: Place | Corpus | Sequence[Part],
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
        shares: Shares | None = None,
        caches: Sequence[TokenCache | None] | None = None,
        packing: Packing = "concatenate",
    ) -> None:
        _check(sequence_length=sequence_length, batch_size=batch_size, rank=rank, world_size=world_size)
        loaded = load_tokenizer(tokenizer)
        self.parts = _parts(version, split=split, text_column=text_column)
        self.sequence_length = sequence_length
        self.lanes = batch_size
        self.seed = seed
        self.packing: Packing = packing
        self.rank_lanes = range(rank, batch_size, world_size)
        self.shares = shares or Shares.constant([part.weight for part in self.parts])
        self._tokenizer = fingerprint(loaded)
        sources = _sources(self.parts, Encoder(loaded), caches, tokenizer=self._tokenizer)
        self._readers = [
            PartReader(
                part,
                source,
                windows=part.corpus.windows(at_least=WINDOWS_PER_LANE * batch_size),
                sequence_length=sequence_length,
                targets=targets,
                packing=packing,
                seed=seed,
                lanes=batch_size,
                first_epoch=epoch,
                epochs=epochs if part.epochs is None else part.epochs,
            )
            for part, source in zip(self.parts, sources, strict=True)
        ]
        start = Position(0, (Cursor(epoch=epoch),) * len(self.parts))
        self._positions = dict.fromkeys(self.rank_lanes, start)

    @property
    def corpus(self) -> Corpus:
        """The corpus of the first part."""
        return self.parts[0].corpus

    @property
    def is_cached(self) -> bool:
        """Whether all parts are read from token caches."""
        return all(isinstance(reader.source, CacheSource) for reader in self._readers)

    def __iter__(self) -> Iterator[torch.Tensor]:
        for row in self.rows():
            self.follow(row)
            yield torch.from_numpy(row.tokens.astype(np.int64))

    def rows(self) -> Iterator[Row]:
        """Yield the rows from the current state on, without changing the state; in a worker, only those of its lanes.

        The lane with the fewest returned rows is next, so a state saved within a batch resumes within the batch.
        """
        for turn in self.turns():
            yield from turn

    def turns(self) -> Iterator[list[Row]]:
        """Yield the rows grouped by their number in the lane, one group for each step of the global batch.

        A group is empty if all lanes of this worker are ahead of a lane of another worker.
        """
        worker = get_worker_info()
        lanes = self.rank_lanes if worker is None else self.rank_lanes[worker.id :: worker.num_workers]
        turn = min((position.rows for position in self._positions.values()), default=0)
        waiting = {lane: self._positions[lane].rows for lane in lanes}
        streams = {lane: self._lane(lane) for lane in lanes}
        while streams:
            rows = []
            for lane, stream in list(streams.items()):
                if waiting[lane] > turn:
                    continue
                row = next(stream, None)
                if row is None:
                    del streams[lane]
                else:
                    rows.append(row)
            turn += 1
            if streams:
                yield rows

    def next_documents(self) -> Iterator[tuple[int, int, list[Seen]]]:
        """Yield lane, part and documents of the next row of each lane of this rank, in the order of lanes.

        From a token cache, counts are read; from text, the windows of these rows are encoded. A lane that has ended is
        left out.
        """
        for lane in self.rank_lanes:
            shares: Shares | None = self.shares
            ended: frozenset[int] = frozenset()
            position = self._positions[lane]
            while shares is not None:
                part = shares.part(position.rows * self.lanes + lane) if len(self.parts) > 1 else 0
                seen = documents_of(self._readers[part], lane, position.cursors[part])
                if seen:
                    yield lane, part, seen
                    break
                ended |= {part}
                shares = self.shares.without(ended)

    def state_dict(self) -> dict[str, Any]:
        """Return the state as JSON data: the position of each of this rank's lanes."""
        lanes = {
            str(lane): {"rows": position.rows, "cursors": [list(cursor) for cursor in position.cursors]}
            for lane, position in self._positions.items()
        }
        return {**self._identity(), "lanes": lanes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume at *state*. For another number of ranks, pass the result of `merge_states` over all ranks' states.

        The sequence length may differ, and so may the source of the tokens (texts or a token cache).

        Raises:
            UsageError: *state* comes from other data, another tokenizer, seed, batch size or mixture, or lacks a lane.
        """
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise UsageError(
                    f"the state was saved with {name} {state.get(name)!r}, this data set has {value!r}",
                    hint="resume with the same version, tokenizer, seed, batch size and mixture",
                )
        missing = [lane for lane in self.rank_lanes if str(lane) not in state["lanes"]]
        if missing:
            raise UsageError(
                f"the state lacks the lanes {missing}", hint="merge the states of all ranks: `merge_states`"
            )
        self._positions = {lane: _position(state["lanes"][str(lane)]) for lane in self.rank_lanes}

    def follow(self, row: Row) -> None:
        """Set the state to just after *row*, which another process may have returned."""
        self._positions[row.lane] = row.position

    def seek(self, rows: int) -> None:
        """Set the state to just after the first *rows* rows of each lane, whatever it was; reads counts of tokens only.

        Raises:
            UsageError: A part is read from text, without a token cache.
        """
        for lane in self.rank_lanes:
            counts = [reader.counts(lane) for reader in self._readers]
            limits = [one.rows() for one in counts]
            chosen = parts_of_lane(self.shares, lane=lane, lanes=self.lanes, rows=rows, limits=limits)
            taken = np.bincount(chosen, minlength=len(self.parts)).tolist()
            cursors = tuple(one.cursor(number) for one, number in zip(counts, taken, strict=True))
            self._positions[lane] = Position(len(chosen), cursors)

    def rows_with(self, file: str, row: int, *, rows: int) -> list[tuple[int, int]]:
        """Return lane and number of those of the first *rows* rows of each lane that have tokens of a document.

        Args:
            file: Path or URL of the document's shard.
            row: The document's row in the shard.

        Raises:
            UsageError: A part is read from text, without a token cache.
        """
        found: set[tuple[int, int]] = set()
        places = [reader.place_of(file, row) for reader in self._readers]
        for lane in self.rank_lanes:
            counts = [reader.counts(lane) for reader in self._readers]
            chosen: npt.NDArray[np.int16] | None = None
            for part, (place, one) in enumerate(zip(places, counts, strict=True)):
                numbers = [] if place is None else list(one.rows_with(*place, until=rows))
                if numbers and chosen is None:
                    limits = [other.rows() for other in counts]
                    chosen = parts_of_lane(self.shares, lane=lane, lanes=self.lanes, rows=rows, limits=limits)
                if numbers and chosen is not None:
                    own = np.flatnonzero(chosen == part)
                    found |= {(lane, int(own[number])) for number in numbers if number < len(own)}
        return sorted(found, key=lambda pair: (pair[1], pair[0]))

    def _identity(self) -> dict[str, Any]:
        parts = [
            {
                "version": part.corpus.version,
                "split": part.corpus.split,
                "windows": len(reader.windows),
                "epochs": part.epochs,
                "selection": None if part.selection is None else part.selection.name,
            }
            for part, reader in zip(self.parts, self._readers, strict=True)
        ]
        return {
            "format": STATE_FORMAT,
            "parts": parts,
            "shares": [
                [start, *weights] for start, weights in zip(self.shares.starts, self.shares.weights, strict=True)
            ],
            "tokenizer": self._tokenizer,
            "packing": self.packing,
            "seed": self.seed,
            "batch_size": self.lanes,
        }

    def _lane(self, lane: int) -> Iterator[Row]:
        """Yield the rows of *lane* from its current position on."""
        position = self._positions[lane]
        streams: dict[int, Iterator[tuple[Tokens, Cursor]]] = {}
        shares: Shares | None = self.shares
        ended: frozenset[int] = frozenset()
        while shares is not None:
            part = shares.part(position.rows * self.lanes + lane) if len(self.parts) > 1 else 0
            if part not in streams:
                streams[part] = self._readers[part].rows(lane, position.cursors[part])
            row = next(streams[part], None)
            if row is None:
                ended |= {part}
                shares = self.shares.without(ended)
                continue
            tokens, cursor = row
            position = position.after(part, cursor)
            yield Row(tokens, lane, part, position)


def merge_states(states: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Merge the states of all ranks into one state.

    Raises:
        UsageError: The states come from different runs.
    """
    merged: dict[str, Any] = {}
    for state in states:
        rest = {name: value for name, value in state.items() if name != "lanes"}
        if merged and rest != {name: value for name, value in merged.items() if name != "lanes"}:
            raise UsageError("the states come from different runs")
        merged = {**rest, "lanes": merged.get("lanes", {}) | state["lanes"]}
    return merged


def _parts(version: Place | Corpus | Sequence[Part], *, split: str, text_column: str) -> tuple[Part, ...]:
    if isinstance(version, Sequence) and not isinstance(version, str):
        parts = tuple(version)
    elif isinstance(version, Corpus):
        parts = (Part(version),)
    else:
        parts = (Part(open_corpus(version, split=split, text_column=text_column)),)
    if not parts:
        raise UsageError("a mixture has at least one part")
    for part in parts:
        if not part.corpus.rows:
            raise SourceError(f"the split `{part.corpus.split}` of {part.corpus.path} has no documents")
    return parts


def _sources(
    parts: tuple[Part, ...], encoder: Encoder, caches: Sequence[TokenCache | None] | None, *, tokenizer: str
) -> list[TokenSource]:
    sources: list[TokenSource] = []
    for part, cache in zip(parts, caches or [None] * len(parts), strict=True):
        if cache is None:
            sources.append(TextSource(part.corpus, encoder, part.selection))
        else:
            cache.check(part.corpus, tokenizer=tokenizer)
            sources.append(CacheSource(cache, part.selection))
    return sources


def _position(saved: dict[str, Any]) -> Position:
    return Position(saved["rows"], tuple(Cursor(*cursor) for cursor in saved["cursors"]))


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
