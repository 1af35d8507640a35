"""Predict each token from those before it."""
# ruff: noqa: N803, N806 - names of tensors end in their shape

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from corpusmill.training.data.best_fit import PADDING
from corpusmill.training.objectives.base import IGNORED, Examples


@dataclass(frozen=True)
class NextToken:
    """Predict each token from those before it.

    Attributes:
        end: The end of text, with which documents are separated.
        separate_documents: Predict only from tokens of the same document.
    """

    needs_targets: ClassVar[bool] = True

    end: int
    separate_documents: bool = False

    def examples(self, rows_BS: Tensor, *, step: int, lanes: Sequence[int]) -> Examples:
        """Return the examples of rows of S + 1 tokens. Padding is seen as ends of texts, and is never a target."""
        is_padding_BS = rows_BS == PADDING
        is_padded = bool(is_padding_BS.any())
        tokens_BS = rows_BS.masked_fill(is_padding_BS, self.end)[:, :-1] if is_padded else rows_BS[:, :-1]
        targets_BS = rows_BS.masked_fill(is_padding_BS, IGNORED)[:, 1:] if is_padded else rows_BS[:, 1:]
        documents_BS = documents(tokens_BS, end=self.end) if self.separate_documents else None
        return Examples(tokens_BS, targets_BS, documents_BS, is_sparse=is_padded)


def documents(tokens_BS: Tensor, *, end: int) -> Tensor:
    """Return the number of the document of each token, from 0 in each row.

    The end of a text is the first token of the next document, from which its first token is predicted, as when texts
    are evaluated and generated.

    >>> import torch
    >>> documents(torch.tensor([[5, 7, 0, 8, 0]]), end=0)
    tensor([[0, 0, 1, 1, 2]])
    """
    return (tokens_BS == end).cumsum(dim=1)
