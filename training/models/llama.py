"""Llama (Touvron et al. 2023, arXiv:2302.13971): rotary positions, RMS norms, SwiGLU, grouped-query attention.

Shapes: B sequences, S tokens, W width, H heads, K heads of keys and values, D = W / H, F width of feed-forward.
"""
# ruff: noqa: N803, N806 - names of tensors end in their shape

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from corpusmill.training.config import ModelConfig
from corpusmill.training.models.attention import KeyValueCache, View, attend, causal_view, split_heads
from corpusmill.training.models.base import LanguageModel

_EPSILON = 1e-5


class Llama(LanguageModel):
    """Predict each next token, as Llama does. Without `qk_norm`, equal weights give its logits.

    Rotary positions (Su et al. 2021, arXiv:2104.09864), RMS norms (Zhang & Sennrich 2019, arXiv:1910.07467), SwiGLU
    (Shazeer 2020, arXiv:2002.05202), groups of heads that share keys and values (Ainslie et al. 2023,
    arXiv:2305.13245), no biases.
    """

    turns: Tensor

    def __init__(self, config: ModelConfig, *, vocabulary_size: int) -> None:
        super().__init__(config, vocabulary_size=vocabulary_size)
        self.blocks = nn.ModuleList(_Block(config, layer) for layer in range(config.layers))
        self.norm = _Norm(config.width, eps=_EPSILON)
        turns = _rotations(config.sequence_length, config.width // config.heads, base=config.rope_base)
        self.register_buffer("turns", turns, persistent=False)

    def hidden(self, tokens_BS: Tensor, *, documents_BS: Tensor | None, cache: Any) -> Tensor:
        """Return the vector of each token after the last layer, shape (B, S, W)."""
        view = causal_view(tokens_BS, documents_BS, cache)
        turns = self.turns[:, view.positions]
        turns = turns if documents_BS is None else turns[:, :, None]  # one for all heads
        hidden_BSW = self.embedding(tokens_BS)
        for block in self.blocks:
            hidden_BSW = block(hidden_BSW, turns, view)
        return self.norm(hidden_BSW)  # type: ignore[no-any-return]

    def new_cache(self, batch: int, length: int) -> KeyValueCache:
        """Return an empty cache for *batch* sequences of at most *length* tokens."""
        return KeyValueCache(self.config, batch=batch, length=length, like=self.embedding.weight)

    def std_of(self, name: str) -> float:
        """Return the standard deviation of the first weights of the matrix *name*.

        The gate and the input of the feed-forward network are multiplied, so with 0.02 their product would be tiny in a
        narrow model, which then learns late: they start with outputs of about 1.
        """
        if name.endswith(("feed_forward.gate.weight", "feed_forward.into.weight")):
            return 1 / math.sqrt(self.config.width)
        return super().std_of(name)

    def attention_flops(self) -> float:
        """Return the operations that compare a token with all tokens and add their values: 4 W S for each layer."""
        return 4.0 * self.config.layers * self.config.width * self.config.sequence_length

    def activation_numbers(self) -> float:
        """Return how many numbers a training step keeps for each token until the backward pass, without logits.

        A block keeps two norms with their input and its quotient, queries, keys, values, and their means in two layouts
        (11 W); and of the feed-forward network the gate, its SiLU, the other input and their product (4 F). Normalized
        queries and keys are kept with their input, once for each group of heads (2 W and 2 W K / H).
        """
        config = self.config
        normalized = 2 * config.width * (1 + config.kv_heads_used / config.heads) if config.qk_norm else 0
        block = 11 * config.width + normalized + 4 * config.feed_forward_used
        return self.config.layers * block + 2 * self.config.width


class _Block(nn.Module):
    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = _Norm(config.width, eps=_EPSILON)
        self.attention = _Attention(config, layer)
        self.feed_forward_norm = _Norm(config.width, eps=_EPSILON)
        self.feed_forward = _FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden_BSW: Tensor, turns: Tensor, view: View) -> Tensor:
        hidden_BSW = hidden_BSW + self.dropout(self.attention(self.attention_norm(hidden_BSW), turns, view))
        return hidden_BSW + self.dropout(self.feed_forward(self.feed_forward_norm(hidden_BSW)))  # type: ignore[no-any-return]


class _Attention(nn.Module):
    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.layer = config.heads, config.kv_heads_used, layer
        size = config.width // config.heads
        self.query = nn.Linear(config.width, config.width, bias=False)
        self.key = nn.Linear(config.width, self.kv_heads * size, bias=False)
        self.value = nn.Linear(config.width, self.kv_heads * size, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.query_norm = _Norm(size, eps=_EPSILON) if config.qk_norm else nn.Identity()
        self.key_norm = _Norm(size, eps=_EPSILON) if config.qk_norm else nn.Identity()

    def forward(self, hidden_BSW: Tensor, turns: Tensor, view: View) -> Tensor:
        query = _turned(self.query_norm(split_heads(self.query(hidden_BSW), self.heads)), turns)
        key = _turned(self.key_norm(split_heads(self.key(hidden_BSW), self.kv_heads)), turns)
        value = split_heads(self.value(hidden_BSW), self.kv_heads)
        return self.out(attend(query, key, value, view=view, layer=self.layer, dropout=0.0))  # type: ignore[no-any-return]


class _FeedForward(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.feed_forward_used, bias=False)
        self.into = nn.Linear(config.width, config.feed_forward_used, bias=False)
        self.out = nn.Linear(config.feed_forward_used, config.width, bias=False)

    def forward(self, hidden_BSW: Tensor) -> Tensor:
        return self.out(functional.silu(self.gate(hidden_BSW)) * self.into(hidden_BSW))  # type: ignore[no-any-return]


class _Norm(nn.RMSNorm):
    def forward(self, hidden: Tensor) -> Tensor:
        # Under autocast the gain is float32 and the input may not be, and torch has no fused kernel for that.
        return functional.rms_norm(hidden, list(self.normalized_shape), self.weight.type_as(hidden), self.eps)


def _rotations(length: int, size: int, *, base: float) -> Tensor:
    """Return cosine and sine of the angle of each position and pair, shape (2, length, size / 2)."""
    rates = base ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), rates)
    return torch.stack((angles.cos(), angles.sin())).float()


def _turned(heads_BHSD: Tensor, turns: Tensor) -> Tensor:
    """Rotate the pairs (first half, second half) of each head by the angle of their position."""
    cos, sin = turns
    first, second = heads_BHSD.chunk(2, dim=-1)
    turned = torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)
    return turned.type_as(heads_BHSD)
