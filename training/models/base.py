"""The interface of all language models.

Shapes: B sequences, S tokens, W width, V vocabulary, N chosen tokens.
"""
# ruff: noqa: N803, N806 - names of tensors end in their shape

from __future__ import annotations

import abc
import math
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from corpusmill.training.config import ModelConfig

_FIRST_STD: Final = 0.02


class Cache:
    """What a model keeps of the tokens that it has seen, to continue a text without reading it again.

    Attributes:
        length: Tokens that it can keep; None: any number.
        filled: Tokens seen.
    """

    def __init__(self, length: int | None) -> None:
        self.length = length
        self.filled = 0


class LanguageModel(nn.Module, abc.ABC):
    """Give the logits of tokens.

    A model has a module for each of its layers, named *blocks* or *layers*, whose last matrices in a residual branch
    are named *out*.

    Args:
        config: Architecture and size.
        vocabulary_size: Tokens of the tokenizer.
        embedding_width: Numbers in the vector of a token; None: the width of the model.
        extra_tokens: Tokens of the model that the tokenizer does not have.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        vocabulary_size: int,
        embedding_width: int | None = None,
        extra_tokens: int = 0,
    ) -> None:
        super().__init__()
        self.config = config
        self.vocabulary_size = vocabulary_size
        width = embedding_width or config.width
        self.embedding = nn.Embedding(vocabulary_size + extra_tokens, width)
        self.output = None if config.tie_weights else nn.Linear(width, vocabulary_size, bias=False)

    def forward(
        self,
        tokens_BS: Tensor,
        *,
        documents_BS: Tensor | None = None,
        cache: Cache | None = None,
        at_N: Tensor | None = None,
    ) -> Tensor:
        """Return the logits at each token, shape (B, S, V), for at most `sequence_length` tokens.

        Args:
            documents_BS: The number of the document of each token, ascending in each sequence. Documents do not see
                each other, and positions restart. None: each sequence is one document.
            cache: The tokens before, from `new_cache`; it is updated. Not together with *documents_BS*.
            at_N: Places in the flattened batch, to return only their logits, shape (N, V).
        """
        assert cache is None or documents_BS is None, "a cache continues one document in each sequence"
        hidden_BSW = self.hidden(tokens_BS, documents_BS=documents_BS, cache=cache)
        if cache is not None:
            cache.filled += tokens_BS.shape[1]
        return self.logits(hidden_BSW if at_N is None else hidden_BSW.flatten(0, 1)[at_N])

    @abc.abstractmethod
    def hidden(self, tokens_BS: Tensor, *, documents_BS: Tensor | None, cache: Any) -> Tensor:
        """Return the vector of each token after the last layer, shape (B, S, W)."""

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits of vectors of shape (…, W), as shape (…, V)."""
        return functional.linear(hidden, self.output_matrix())

    def output_matrix(self) -> Tensor:
        """Return the matrix that gives the logits, shape (V, W)."""
        matrix = self.embedding.weight if self.output is None else self.output.weight
        return matrix[: self.vocabulary_size]

    @abc.abstractmethod
    def new_cache(self, batch: int, length: int) -> Cache:
        """Return an empty cache for *batch* sequences of at most *length* tokens.

        Raises:
            ValueError: *length* is more than the model can see.
        """

    def reset_parameters(self, *, seed: int) -> None:
        """Draw normal first weights; gains are 1, biases 0."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() < 2:
                nn.init.ones_(parameter)
            else:
                nn.init.normal_(parameter, std=self.std_of(name), generator=generator)

    def std_of(self, name: str) -> float:
        """Return the standard deviation of the first weights of the matrix *name*.

        0.02, and less for matrices that write to the residual stream (GPT-2, section 2.3).
        """
        return _FIRST_STD / math.sqrt(2 * self.config.layers) if name.endswith("out.weight") else _FIRST_STD

    def parameter_groups(self, *, weight_decay: float) -> list[dict[str, Any]]:
        """Return the parameter groups of the optimizer: matrices decay, biases and gains of norms do not."""
        parameters = list(self.parameters())
        return [
            {"params": [one for one in parameters if one.dim() >= 2], "weight_decay": weight_decay},
            {"params": [one for one in parameters if one.dim() < 2], "weight_decay": 0.0},
        ]

    def parameter_count(self) -> int:
        """Return the number of weights, counting a shared matrix once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def flops_per_token(self) -> float:
        """Return the floating-point operations of a training step for each token of the batch.

        Forward, each weight of a matrix takes one multiplication and one addition; backward takes twice as many (Kaplan
        et al. 2020, arXiv:2001.08361, section 2.1). Looking up a vector takes none.
        """
        matrices = sum(parameter.numel() for parameter in self.parameters() if parameter.dim() >= 2)
        return 6.0 * (matrices - self.looked_up()) + 3.0 * self.attention_flops()

    def looked_up(self) -> int:
        """Return the number of weights in matrices from which vectors are only looked up."""
        return 0 if self.output is None else self.embedding.weight.numel()

    def attention_flops(self) -> float:
        """Return the operations that compare a token with all tokens of its sequence and add their values."""
        return 0.0

    @abc.abstractmethod
    def activation_numbers(self) -> float:
        """Return how many numbers a training step keeps for each token until the backward pass, without logits."""
