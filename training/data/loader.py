"""Batches from a `PackedDataset`, made in this process or in workers, with an exact state in both cases."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from corpusmill.schemas.errors import CorpusmillError
from corpusmill.training.data.packed import PackedDataset, Row


class BatchLoader:
    """Batches of a rank: one row of each of its lanes, in the order of lanes.

    The state describes the batches returned so far, however far workers have read ahead. Any number of workers gives
    the same batches.

    Args:
        dataset: Source of the rows; its state is updated.
        num_workers: Processes that read and tokenize; 0 uses this process. Lanes are dealt to them in turn.

    Raises:
        CorpusmillError: Reading the data set failed, also in a worker.

    Yields:
        int64 tensors of shape (lanes of the rank, tokens in a row). With bounded epochs, batches become smaller when
        lanes end.
    """

    def __init__(self, dataset: PackedDataset, *, num_workers: int = 0) -> None:
        self._dataset = dataset
        self._num_workers = min(num_workers, len(dataset.rank_lanes))

    def __iter__(self) -> Iterator[torch.Tensor]:
        for rows in self._turns():
            if not rows:
                continue
            for row in rows:
                self._dataset.follow(row)
            yield torch.from_numpy(np.stack([row.tokens for row in rows]).astype(np.int64, copy=False))

    def state_dict(self) -> dict[str, Any]:
        """Return the state after the last returned batch."""
        return self._dataset.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume after the batch at which *state* was taken; see `PackedDataset.load_state_dict`."""
        self._dataset.load_state_dict(state)

    def _turns(self) -> Iterator[list[Row]]:
        """Yield the rows of each step, in the order of lanes."""
        if not self._num_workers:
            yield from self._dataset.turns()
            return
        # Workers take turns, and each gives its lanes' rows of a step at a time.
        # Workers are spawned, because forking a process with threads (torch, Arrow, the tokenizer) can hang.
        groups = DataLoader(
            _Turns(self._dataset),
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=self._num_workers,
            multiprocessing_context="spawn",
        )
        for _, step in itertools.groupby(_raising(groups), key=lambda group: group[0]):
            yield sorted((row for _, rows in step for row in rows), key=lambda row: row.lane)


_Group = tuple[int, list[Row]]
"""The number of a step, counted from the resumed state, and the rows of a worker's lanes in it."""


class _Turns(IterableDataset[_Group | CorpusmillError]):
    """The rows of a worker's lanes by step, followed by the error that ended them, if any.

    Errors are sent as values, because torch replaces an exception in a worker by one with a traceback as its message,
    without file and hint.
    """

    def __init__(self, dataset: PackedDataset) -> None:
        self._dataset = dataset

    def __iter__(self) -> Iterator[_Group | CorpusmillError]:
        try:
            yield from enumerate(self._dataset.turns())
        except CorpusmillError as error:
            yield error


def _raising(groups: Iterable[_Group | CorpusmillError]) -> Iterator[_Group]:
    for group in groups:
        if isinstance(group, CorpusmillError):
            raise group
        yield group


def _as_it_is(group: Any) -> Any:
    """Keep torch from converting the cursors' numbers to tensors."""
    return group
