"""Predict chosen tokens from all others (Devlin et al. 2019, arXiv:1810.04805, section 3.1).

Shapes: B rows, S tokens.
"""
# ruff: noqa: N803, N806 - names of arrays end in their shape

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from corpusmill.training.data.best_fit import PADDING
from corpusmill.training.data.order import draws
from corpusmill.training.objectives.base import IGNORED, Examples
from corpusmill.training.objectives.next_token import documents
from corpusmill.training.objectives.words import Words

_MASKED: Final = 0.8
_RANDOM: Final = 0.1
_CHOICE, _ACTION, _TOKEN = range(3)
"""What a random number decides: whether a token is chosen, what happens to it, and which token replaces it."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class MaskedTokens:
    """Choose tokens, and predict them from all others.

    The same number of tokens (or words) is chosen in each row with as many of them. 80 % are replaced by the mask, 10 %
    by a random token, and 10 % stay. The end of text is never chosen.

    Attributes:
        vocabulary_size: Tokens of the tokenizer; the mask is the token after them.
        fraction: Part of the tokens that is chosen; with *words*, part of the words.
        words: Tells where words begin, to choose whole words; None: choose tokens.
        seed: Determines the choices, with step and lane.
    """

    needs_targets: ClassVar[bool] = False

    vocabulary_size: int
    end: int
    fraction: float = 0.15
    words: Words | None = None
    seed: int = 0
    separate_documents: bool = False

    def examples(self, rows_BS: Tensor, *, step: int, lanes: Sequence[int]) -> Examples:
        """Return the examples of rows of S tokens. Random choices depend on seed, *step* and lane of a row alone."""
        return self.examples_of(rows_BS, keys=[(step, lane) for lane in lanes])

    def examples_of(self, rows_BS: Tensor, *, keys: Sequence[tuple[int, int]]) -> Examples:
        """Return the examples of rows, whose random choices depend on their *keys* alone.

        Padding is seen as ends of texts, which are never chosen.
        """
        rows_BS = rows_BS.masked_fill(rows_BS == PADDING, self.end)
        tokens_BS = rows_BS.numpy()
        chosen_BS = self._chosen(tokens_BS, self._draws(tokens_BS, keys, _CHOICE))
        seen_BS = self._replaced(tokens_BS, chosen_BS, keys)
        documents_BS = documents(rows_BS, end=self.end) if self.separate_documents else None
        targets_BS = np.where(chosen_BS, tokens_BS, IGNORED)
        return Examples(torch.from_numpy(seen_BS), torch.from_numpy(targets_BS), documents_BS, is_sparse=True)

    def _draws(
        self, tokens_BS: npt.NDArray[Any], keys: Sequence[tuple[int, int]], decision: int
    ) -> npt.NDArray[np.uint64]:
        return np.stack([draws(tokens_BS.shape[1], self.seed, *key, decision) for key in keys])

    def _chosen(self, tokens_BS: npt.NDArray[Any], draws_BS: npt.NDArray[np.uint64]) -> Bools:
        """Return which tokens are chosen: those of the units (tokens or words) with the least draws of their row."""
        candidates_BS = tokens_BS != self.end
        starts_BS = candidates_BS if self.words is None else self.words.starts(tokens_BS, candidates_BS)
        keys_BS = np.where(starts_BS, draws_BS, np.iinfo(np.uint64).max)
        ranks_BS = keys_BS.argsort(axis=1, kind="stable").argsort(axis=1)
        counts_B = np.maximum(1, np.rint(self.fraction * starts_BS.sum(axis=1)).astype(np.int64))
        firsts_BS = starts_BS & (ranks_BS < counts_B[:, None])
        last_start_BS = np.maximum.accumulate(np.where(starts_BS, np.arange(tokens_BS.shape[1]), 0), axis=1)
        chosen_BS: Bools = np.take_along_axis(firsts_BS, last_start_BS, axis=1) & candidates_BS
        return chosen_BS

    def _replaced(
        self, tokens_BS: npt.NDArray[Any], chosen_BS: Bools, keys: Sequence[tuple[int, int]]
    ) -> npt.NDArray[Any]:
        action_BS = self._draws(tokens_BS, keys, _ACTION) / 2**64
        random_BS = (self._draws(tokens_BS, keys, _TOKEN) % np.uint64(self.vocabulary_size - 1)).astype(np.int64)
        random_BS += random_BS >= self.end  # any token but the end of text
        is_masked_BS = chosen_BS & (action_BS < _MASKED)
        is_random_BS = chosen_BS & ~is_masked_BS & (action_BS < _MASKED + _RANDOM)
        return np.where(is_masked_BS, self.vocabulary_size, np.where(is_random_BS, random_BS, tokens_BS))
