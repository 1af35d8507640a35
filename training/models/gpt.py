"""A GPT: a stack of pre-norm blocks of causal attention and a feed-forward network (Radford et al. 2019).

Shapes: B sequences, S tokens, W width, H heads, D = W / H, V vocabulary.
"""
# ruff: noqa: N803, N806 - names of tensors end in their shape

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from corpusmill.training.config import ModelConfig

_ROTARY_BASE = 10_000.0
_FIRST_STD = 0.02


class GPT(nn.Module):
    """Predict each next token.

    Rotary positions (Su et al. 2021, arXiv:2104.09864), normalized queries and keys (Henry et al. 2020,
    arXiv:2010.04245), squared ReLU (So et al. 2021, arXiv:2109.08668), RMS norms (Zhang & Sennrich 2019,
    arXiv:1910.07467), no biases, one matrix for embedding and output (Press & Wolf 2017, arXiv:1608.05859).

    Args:
        config: Size of the model.
        vocabulary_size: Number of tokens.
    """

    turns: Tensor

    def __init__(self, config: ModelConfig, *, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocabulary_size, config.width)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.norm = _Norm(config.width)
        turns = torch.stack(_rotations(config.sequence_length, config.width // config.heads))
        self.register_buffer("turns", turns, persistent=False)

    def forward(self, tokens_BS: Tensor) -> Tensor:
        """Return the logits of each next token, shape (B, S, V), for at most `sequence_length` tokens."""
        length = tokens_BS.shape[1]
        cos, sin = self.turns[:, :length]
        hidden_BSW = self.embedding(tokens_BS)
        for block in self.blocks:
            hidden_BSW = block(hidden_BSW, cos, sin)
        return functional.linear(self.norm(hidden_BSW), self.embedding.weight)

    def reset_parameters(self, *, seed: int) -> None:
        """Draw normal initial weights, narrower for matrices that write to the residual stream (GPT-2, section 2.3)."""
        generator = torch.Generator().manual_seed(seed)
        residual_std = _FIRST_STD / math.sqrt(2 * self.config.layers)
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                nn.init.ones_(parameter)
            else:
                std = residual_std if name.endswith("out.weight") else _FIRST_STD
                nn.init.normal_(parameter, std=std, generator=generator)

    def parameter_groups(self, *, weight_decay: float) -> list[dict[str, Any]]:
        """Return the parameter groups of the optimizer: matrices decay, gains of norms do not."""
        parameters = list(self.parameters())
        return [
            {"params": [one for one in parameters if one.dim() >= 2], "weight_decay": weight_decay},
            {"params": [one for one in parameters if one.dim() < 2], "weight_decay": 0.0},
        ]

    def parameter_count(self) -> int:
        """Return the number of weights, counting the shared matrix once."""
        return sum(parameter.numel() for parameter in self.parameters())


class _Block(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = _Norm(config.width)
        self.attention = _Attention(config)
        self.feed_forward_norm = _Norm(config.width)
        self.feed_forward = _FeedForward(config.width)

    def forward(self, hidden_BSW: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        hidden_BSW = hidden_BSW + self.attention(self.attention_norm(hidden_BSW), cos, sin)
        return hidden_BSW + self.feed_forward(self.feed_forward_norm(hidden_BSW))  # type: ignore[no-any-return]


class _Attention(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.into = nn.Linear(config.width, 3 * config.width, bias=False)
        self.query_norm = _Norm(config.width // config.heads)
        self.key_norm = _Norm(config.width // config.heads)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def forward(self, hidden_BSW: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        parts = self.into(hidden_BSW).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)  # (B, H, S, D)
        query = _turned(self.query_norm(query), cos, sin)
        key = _turned(self.key_norm(key), cos, sin)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(seen.transpose(1, 2).flatten(-2))  # type: ignore[no-any-return]


class _FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.into = nn.Linear(width, 4 * width, bias=False)
        self.out = nn.Linear(4 * width, width, bias=False)

    def forward(self, hidden_BSW: Tensor) -> Tensor:
        return self.out(functional.relu(self.into(hidden_BSW)).square())  # type: ignore[no-any-return]


class _Norm(nn.RMSNorm):
    def forward(self, hidden: Tensor) -> Tensor:
        # Under autocast the gain is float32 and the input may not be, and torch has no fused kernel for that.
        return functional.rms_norm(hidden, list(self.normalized_shape), self.weight.type_as(hidden), self.eps)


def _rotations(length: int, size: int) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of the angle of each position and pair, both of shape (length, size / 2)."""
    rates = _ROTARY_BASE ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), rates)
    return angles.cos().float(), angles.sin().float()


def _turned(heads_BHSD: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs (first half, second half) of each head by the angle of their position."""
    first, second = heads_BHSD.chunk(2, dim=-1)
    turned = torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)
    return turned.type_as(heads_BHSD)
