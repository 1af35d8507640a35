"""Examples for a model, made from rows of tokens, and their loss.

Shapes: B rows, S tokens, N predictions, V vocabulary.
"""
# ruff: noqa: N803, N806, N815 - names of tensors end in their shape

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional

IGNORED: Final = -100
"""The target of a token at which nothing is predicted."""


@dataclass(frozen=True)
class Examples:
    """What a model sees, and what it predicts.

    Attributes:
        tokens_BS: The tokens that the model sees.
        targets_BS: The token to predict at each place, or `IGNORED`.
        documents_BS: The number of the document of each token; None: all see each other.
        is_sparse: Whether most targets are `IGNORED`, so that logits are computed only where they are needed.
    """

    tokens_BS: Tensor
    targets_BS: Tensor
    documents_BS: Tensor | None = None
    is_sparse: bool = False

    @property
    def predictions(self) -> int:
        """Number of tokens to predict."""
        return int((self.targets_BS != IGNORED).sum()) if self.is_sparse else self.targets_BS.numel()

    def to(self, device: torch.device) -> Examples:
        """Return the examples on *device*."""
        documents_BS = None if self.documents_BS is None else self.documents_BS.to(device)
        return Examples(self.tokens_BS.to(device), self.targets_BS.to(device), documents_BS, self.is_sparse)

    def chunk(self, parts: int) -> Iterator[Examples]:
        """Yield the examples in *parts* parts of equal size."""
        documents = [None] * parts if self.documents_BS is None else self.documents_BS.chunk(parts)
        for tokens, targets, numbers in zip(
            self.tokens_BS.chunk(parts), self.targets_BS.chunk(parts), documents, strict=True
        ):
            yield Examples(tokens, targets, numbers, self.is_sparse)


class Objective(Protocol):
    """Makes examples from rows.

    Attributes:
        needs_targets: Whether a row has the token after its last one.
    """

    needs_targets: ClassVar[bool]

    def examples(self, rows_BS: Tensor, *, step: int, lanes: Sequence[int]) -> Examples:
        """Return the examples of *rows_BS*, on the CPU. Random choices depend on seed, *step* and lane of a row alone.

        Args:
            step: Steps before.
            lanes: The lane of each row.
        """


def loss(forward: Callable[..., Tensor], examples: Examples, *, predictions: int) -> Tensor:
    """Return the negative log likelihood of *examples*, divided by *predictions*, those of the whole batch.

    Args:
        forward: Calls the model; its logits are float32.
    """
    targets = examples.targets_BS.flatten()
    at_N = (targets != IGNORED).nonzero().squeeze(1) if examples.is_sparse else None
    logits = forward(examples.tokens_BS, documents_BS=examples.documents_BS, at_N=at_N)
    total = functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), targets if at_N is None else targets[at_N], reduction="sum"
    )
    return total / max(1, predictions)
