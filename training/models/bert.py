"""BERT (Devlin et al. 2019, arXiv:1810.04805): every token sees all others, and masked tokens are predicted.

Shapes: B sequences, S tokens, W width.
"""
# ruff: noqa: N803, N806 - names of tensors end in their shape

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from corpusmill.training.config import ModelConfig
from corpusmill.training.models.attention import View, attend, full_view, split_heads
from corpusmill.training.models.base import Cache, LanguageModel

_EPSILON = 1e-12


class BERT(LanguageModel):
    """Predict tokens from those before and after, as BERT does. Equal weights give its logits.

    There are no segments (BERT's token types), which serve its second objective, and no pooled output.

    Attributes:
        mask_token: Id of the token that replaces tokens to predict: the one after those of the tokenizer.
    """

    def __init__(self, config: ModelConfig, *, vocabulary_size: int) -> None:
        super().__init__(config, vocabulary_size=vocabulary_size, extra_tokens=1)
        self.mask_token = vocabulary_size
        self.positions = nn.Embedding(config.sequence_length, config.width)
        self.norm = nn.LayerNorm(config.width, eps=_EPSILON)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(_Block(config, layer) for layer in range(config.layers))
        self.transform = nn.Linear(config.width, config.width)
        self.transform_norm = nn.LayerNorm(config.width, eps=_EPSILON)
        self.output_bias = nn.Parameter(torch.zeros(vocabulary_size))

    def hidden(self, tokens_BS: Tensor, *, documents_BS: Tensor | None, cache: Any) -> Tensor:
        """Return the vector of each token after the last layer, shape (B, S, W)."""
        assert cache is None, "an encoder has no cache"
        view = full_view(tokens_BS, documents_BS)
        hidden_BSW = self.dropout(self.norm(self.embedding(tokens_BS) + self.positions(view.positions)))
        for block in self.blocks:
            hidden_BSW = block(hidden_BSW, view)
        return hidden_BSW  # type: ignore[no-any-return]

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits of vectors of shape (…, W), as shape (…, V)."""
        transformed = self.transform_norm(functional.gelu(self.transform(hidden)))
        return functional.linear(transformed, self.output_matrix(), self.output_bias)

    def new_cache(self, batch: int, length: int) -> Cache:
        """Refuse: each token sees those after it, so none can be kept.

        Raises:
            ValueError: Always.
        """
        raise ValueError("`bert` predicts masked tokens: it cannot continue a text")

    def looked_up(self) -> int:
        """Return the number of weights in matrices from which vectors are only looked up."""
        mask = 0 if self.output is not None else self.config.width
        return super().looked_up() + self.positions.weight.numel() + mask

    def attention_flops(self) -> float:
        """Return the operations that compare a token with all tokens and add their values: 4 W S for each layer."""
        return 4.0 * self.config.layers * self.config.width * self.config.sequence_length

    def activation_numbers(self) -> float:
        """Return how many numbers a training step keeps for each token until the backward pass, without logits.

        A block keeps its input, queries, keys, values, their means, two sums and a norm (8 W), and the feed-forward
        network before and after GELU (2 F).
        """
        block = 8 * self.config.width + 2 * self.config.feed_forward_used
        return self.config.layers * block + self.config.width


class _Block(nn.Module):
    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.heads, self.layer, self.attention_dropout = config.heads, layer, config.dropout
        self.into = nn.Linear(config.width, 3 * config.width)
        self.attention_out = nn.Linear(config.width, config.width)
        self.attention_norm = nn.LayerNorm(config.width, eps=_EPSILON)
        self.feed_forward_into = nn.Linear(config.width, config.feed_forward_used)
        self.feed_forward_out = nn.Linear(config.feed_forward_used, config.width)
        self.feed_forward_norm = nn.LayerNorm(config.width, eps=_EPSILON)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden_BSW: Tensor, view: View) -> Tensor:
        hidden_BSW = self.attention_norm(hidden_BSW + self.dropout(self._attention(hidden_BSW, view)))
        inner_BSF = functional.gelu(self.feed_forward_into(hidden_BSW))
        return self.feed_forward_norm(hidden_BSW + self.dropout(self.feed_forward_out(inner_BSF)))  # type: ignore[no-any-return]

    def _attention(self, hidden_BSW: Tensor, view: View) -> Tensor:
        query, key, value = (split_heads(part, self.heads) for part in self.into(hidden_BSW).chunk(3, dim=-1))
        dropout = self.attention_dropout if self.training else 0.0
        return self.attention_out(attend(query, key, value, view=view, layer=self.layer, dropout=dropout))  # type: ignore[no-any-return]
