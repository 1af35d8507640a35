"""What the Transformers share: which tokens see each other, their positions, and the cache of keys and values.

Shapes: B sequences, S tokens, W width, H heads, K heads of keys and values, D numbers in a head, C cached tokens.
"""
# ruff: noqa: N803, N806 - names of tensors end in their shape

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from corpusmill.training.config import ModelConfig
from corpusmill.training.models.base import Cache


class KeyValueCache(Cache):
    """Keys and values of the tokens seen, by layer: shape (2, B, K, C, D).

    Raises:
        ValueError: *length* is more than the `sequence_length` of *config*.
    """

    def __init__(self, config: ModelConfig, *, batch: int, length: int, like: Tensor) -> None:
        if length > config.sequence_length:
            raise ValueError(f"a cache of {length} tokens, but the model sees {config.sequence_length}")
        super().__init__(length)
        shape = (2, batch, config.kv_heads_used, length, config.width // config.heads)
        self._layers = [like.new_zeros(shape) for _ in range(config.layers)]

    def extended(self, layer: int, key_BKSD: Tensor, value_BKSD: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and values of new tokens to *layer*, and return those of all tokens."""
        stop = self.filled + key_BKSD.shape[2]
        kept = self._layers[layer]
        kept[0, :, :, self.filled : stop] = key_BKSD
        kept[1, :, :, self.filled : stop] = value_BKSD
        return kept[0, :, :, :stop].type_as(key_BKSD), kept[1, :, :, :stop].type_as(value_BKSD)


@dataclass(frozen=True)
class View:
    """Which tokens each token sees.

    Attributes:
        positions: Position of each token in its document, shape (S,), or (B, S) if sequences differ.
        mask: Whether a token (row) sees another (column), shape (B, 1, S, S) or (S, C); None: as *is_causal* says.
        is_causal: Whether tokens see only those before; False without *mask*: all tokens see each other.
        cache: Keys and values of earlier tokens.
    """

    positions: Tensor
    mask: Tensor | None
    is_causal: bool
    cache: KeyValueCache | None = None


def causal_view(tokens_BS: Tensor, documents_BS: Tensor | None, cache: KeyValueCache | None) -> View:
    """Return the view in which tokens see themselves and those before, in their document."""
    length, device = tokens_BS.shape[1], tokens_BS.device
    if documents_BS is not None:
        before_SS = torch.ones(length, length, dtype=torch.bool, device=device).tril()
        return View(positions_in_documents(documents_BS), _same(documents_BS) & before_SS, is_causal=False)
    first = 0 if cache is None else cache.filled
    positions_S = torch.arange(first, first + length, device=device)
    if first == 0 or length == 1:  # a single token sees all that is cached
        return View(positions_S, None, is_causal=length > 1, cache=cache)
    seen_SC = torch.ones(length, first + length, dtype=torch.bool, device=device).tril(diagonal=first)
    return View(positions_S, seen_SC, is_causal=False, cache=cache)


def full_view(tokens_BS: Tensor, documents_BS: Tensor | None) -> View:
    """Return the view in which tokens see all tokens of their document."""
    if documents_BS is not None:
        return View(positions_in_documents(documents_BS), _same(documents_BS), is_causal=False)
    return View(torch.arange(tokens_BS.shape[1], device=tokens_BS.device), None, is_causal=False)


def attend(
    query_BHSD: Tensor, key_BKSD: Tensor, value_BKSD: Tensor, *, view: View, layer: int, dropout: float
) -> Tensor:
    """Return for each token the mean of the values that it sees, weighted by how its query fits their keys.

    The only place that calls an attention kernel. Groups of H / K heads share keys and values (Ainslie et al. 2023,
    arXiv:2305.13245).

    Returns:
        Shape (B, S, W).
    """
    if view.cache is not None:
        key_BKSD, value_BKSD = view.cache.extended(layer, key_BKSD, value_BKSD)
    groups = query_BHSD.shape[1] // key_BKSD.shape[1]
    seen_BHSD = functional.scaled_dot_product_attention(
        query_BHSD,
        _repeated(key_BKSD, groups),
        _repeated(value_BKSD, groups),
        attn_mask=view.mask,
        is_causal=view.is_causal,
        dropout_p=dropout,
    )
    return seen_BHSD.transpose(1, 2).flatten(-2)


def split_heads(numbers_BSW: Tensor, heads: int) -> Tensor:
    """Return the numbers of each head, shape (B, H, S, D)."""
    return numbers_BSW.reshape(*numbers_BSW.shape[:2], heads, -1).transpose(1, 2)


def positions_in_documents(documents_BS: Tensor) -> Tensor:
    """Return the position of each token in its document.

    >>> positions_in_documents(torch.tensor([[0, 0, 1, 1, 1, 2]]))
    tensor([[0, 1, 0, 1, 2, 0]])
    """
    numbers_S = torch.arange(documents_BS.shape[1], device=documents_BS.device)
    is_first_BS = torch.ones_like(documents_BS, dtype=torch.bool)
    is_first_BS[:, 1:] = documents_BS[:, 1:] != documents_BS[:, :-1]
    firsts_BS = (numbers_S * is_first_BS).cummax(dim=1).values
    return numbers_S - firsts_BS


def _same(documents_BS: Tensor) -> Tensor:
    return (documents_BS[:, :, None] == documents_BS[:, None, :])[:, None]


def _repeated(heads_BKSD: Tensor, groups: int) -> Tensor:
    """Return each head *groups* times in a row, shape (B, K * groups, S, D)."""
    if groups == 1:
        return heads_BKSD
    return heads_BKSD[:, :, None].expand(-1, -1, groups, -1, -1).flatten(1, 2)
