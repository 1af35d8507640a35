"""Batches from a `PackedDataset`, made in this process or in workers, with an exact state in both cases."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from corpusmill.schemas.errors import CorpusmillError
from corpusmill.training.data.packed import PackedDataset, Row


class BatchLoader:
    """Batches of a rank: one row of each of its lanes, in the order of lanes.

    The state describes the batches returned so far, however far workers have read ahead.

    Args:
        dataset: Source of the rows; its state is updated.
        num_workers: Processes that tokenize. 0 uses this process; any other number must divide the rank's lanes.

    Raises:
        UsageError: The lanes cannot be shared equally by the workers.
        CorpusmillError: Reading the data set failed, also in a worker.

    Yields:
        int64 tensors of shape (lanes of the rank, tokens in a row). With bounded epochs, the last may have fewer rows.
    """

    def __init__(self, dataset: PackedDataset, *, num_workers: int = 0) -> None:
        if num_workers:
            dataset.lanes_of_worker(0, workers=num_workers)  # fails before a process is started
        self._dataset = dataset
        self._num_workers = num_workers

    def __iter__(self) -> Iterator[torch.Tensor]:
        rows = iter(self._rows())
        while batch := list(itertools.islice(rows, len(self._dataset.rank_lanes))):
            for row in batch:
                self._dataset.follow(row)
            yield torch.stack([torch.from_numpy(row.tokens) for row in batch])

    def state_dict(self) -> dict[str, Any]:
        """Return the state after the last returned batch."""
        return self._dataset.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume after the batch at which *state* was taken; see `PackedDataset.load_state_dict`."""
        self._dataset.load_state_dict(state)

    def _rows(self) -> Iterator[Row]:
        if not self._num_workers:
            return self._dataset.rows()
        # Worker w of W has every W-th lane from w on, and workers take turns, so rows come in the order of lanes.
        # Workers are spawned, because forking a process with threads (torch, Arrow, the tokenizer) can hang.
        return _raising(
            DataLoader(
                _Rows(self._dataset),
                batch_size=None,
                collate_fn=_as_it_is,
                num_workers=self._num_workers,
                multiprocessing_context="spawn",
            )
        )


class _Rows(IterableDataset[Row | CorpusmillError]):
    """The rows of a data set with their cursors, as sent by a worker, followed by the error that ended them, if any.

    Errors are sent as values, because torch replaces an exception in a worker by one with a traceback as its message,
    without file and hint.
    """

    def __init__(self, dataset: PackedDataset) -> None:
        self._dataset = dataset

    def __iter__(self) -> Iterator[Row | CorpusmillError]:
        try:
            yield from self._dataset.rows()
        except CorpusmillError as error:
            yield error


def _raising(rows: Iterable[Row | CorpusmillError]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, CorpusmillError):
            raise row
        yield row


def _as_it_is(row: Any) -> Any:
    """Keep torch from converting the cursor's numbers to tensors."""
    return row
