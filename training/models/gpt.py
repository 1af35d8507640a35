"""GPT-2 (Radford et al. 2019): learned positions, layer norms before each part, GELU, biases.

Shapes: B sequences, S tokens, W width.
"""
# ruff: noqa: N803, N806 - names of tensors end in their shape

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from corpusmill.training.config import ModelConfig
from corpusmill.training.models.attention import KeyValueCache, View, attend, causal_view, split_heads
from corpusmill.training.models.base import LanguageModel

_EPSILON = 1e-5


class GPT(LanguageModel):
    """Predict each next token, as GPT-2 does. Equal weights give its logits."""

    def __init__(self, config: ModelConfig, *, vocabulary_size: int) -> None:
        super().__init__(config, vocabulary_size=vocabulary_size)
        self.positions = nn.Embedding(config.sequence_length, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(_Block(config, layer) for layer in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=_EPSILON)

    def hidden(self, tokens_BS: Tensor, *, documents_BS: Tensor | None, cache: Any) -> Tensor:
        """Return the vector of each token after the last layer, shape (B, S, W)."""
        view = causal_view(tokens_BS, documents_BS, cache)
        hidden_BSW = self.dropout(self.embedding(tokens_BS) + self.positions(view.positions))
        for block in self.blocks:
            hidden_BSW = block(hidden_BSW, view)
        return self.norm(hidden_BSW)  # type: ignore[no-any-return]

    def new_cache(self, batch: int, length: int) -> KeyValueCache:
        """Return an empty cache for *batch* sequences of at most *length* tokens."""
        return KeyValueCache(self.config, batch=batch, length=length, like=self.embedding.weight)

    def looked_up(self) -> int:
        """Return the number of weights in matrices from which vectors are only looked up."""
        return super().looked_up() + self.positions.weight.numel()

    def attention_flops(self) -> float:
        """Return the operations that compare a token with all tokens and add their values: 4 W S for each layer."""
        return 4.0 * self.config.layers * self.config.width * self.config.sequence_length

    def activation_numbers(self) -> float:
        """Return how many numbers a training step keeps for each token until the backward pass, without logits.

        A block keeps its input, a norm, queries, keys, values, their means, the sum after attention, a norm (8 W), and
        the feed-forward network before and after GELU (2 F).
        """
        block = 8 * self.config.width + 2 * self.config.feed_forward_used
        return self.config.layers * block + self.config.width


class _Block(nn.Module):
    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width, eps=_EPSILON)
        self.attention = _Attention(config, layer)
        self.feed_forward_norm = nn.LayerNorm(config.width, eps=_EPSILON)
        self.feed_forward = _FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden_BSW: Tensor, view: View) -> Tensor:
        hidden_BSW = hidden_BSW + self.dropout(self.attention(self.attention_norm(hidden_BSW), view))
        return hidden_BSW + self.dropout(self.feed_forward(self.feed_forward_norm(hidden_BSW)))  # type: ignore[no-any-return]


class _Attention(nn.Module):
    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.heads, self.layer, self.dropout = config.heads, layer, config.dropout
        self.into = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, hidden_BSW: Tensor, view: View) -> Tensor:
        query, key, value = (split_heads(part, self.heads) for part in self.into(hidden_BSW).chunk(3, dim=-1))
        dropout = self.dropout if self.training else 0.0
        return self.out(attend(query, key, value, view=view, layer=self.layer, dropout=dropout))  # type: ignore[no-any-return]


class _FeedForward(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.into = nn.Linear(config.width, config.feed_forward_used)
        self.out = nn.Linear(config.feed_forward_used, config.width)

    def forward(self, hidden_BSW: Tensor) -> Tensor:
        return self.out(functional.gelu(self.into(hidden_BSW), approximate="tanh"))  # type: ignore[no-any-return]
