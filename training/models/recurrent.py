"""Recurrent networks: RNN (Elman 1990), LSTM (Hochreiter & Schmidhuber 1997) and GRU (Cho et al. 2014).

Shapes: B sequences, S tokens, T = B S tokens, W width, E width of the embedding, D documents.
"""
# ruff: noqa: N803, N806 - names of tensors end in their shape

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from corpusmill.training.config import ModelConfig
from corpusmill.training.models.attention import positions_in_documents
from corpusmill.training.models.base import Cache, LanguageModel

_CELLS: Final[dict[str, Callable[..., nn.RNNBase]]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
_EMBEDDING_STD: Final = 0.1
_GATES: Final = {"rnn": 1, "lstm": 4, "gru": 3}
_KEPT: Final = {"rnn": 2, "lstm": 8, "gru": 8}
"""Vectors that a layer keeps for each token until the backward pass: its input, gates and states."""


class StateCache(Cache):
    """The state of each layer after the tokens seen; None before the first."""

    def __init__(self) -> None:
        super().__init__(None)
        self.state: Any = None


class Recurrent(LanguageModel):
    """Predict each next token from a state that is carried from token to token.

    Dropout acts between layers, not in time (Zaremba et al. 2014, arXiv:1409.2329). One matrix may serve embedding and
    output (Press & Wolf 2017, arXiv:1608.05859); the output of the last layer is projected if their widths differ.
    """

    def __init__(self, config: ModelConfig, *, vocabulary_size: int) -> None:
        size = config.embedding_width_used
        super().__init__(config, vocabulary_size=vocabulary_size, embedding_width=size)
        between = config.dropout if config.layers > 1 else 0.0  # torch warns if there is no layer to drop between
        self.layers = _CELLS[config.name](size, config.width, config.layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.projection = nn.Linear(config.width, size, bias=False) if size != config.width else nn.Identity()

    def hidden(self, tokens_BS: Tensor, *, documents_BS: Tensor | None, cache: Any) -> Tensor:
        """Return the vector of each token after the projection, shape (B, S, E)."""
        vectors_BSE = self.dropout(self.embedding(tokens_BS))
        if documents_BS is not None:
            states_BSW = self._of_documents(vectors_BSE, documents_BS)
        elif cache is None:
            states_BSW = self.layers(vectors_BSE)[0]
        else:
            states_BSW, cache.state = self.layers(vectors_BSE, cache.state)
        return self.projection(self.dropout(states_BSW))  # type: ignore[no-any-return]

    def _of_documents(self, vectors_BSE: Tensor, documents_BS: Tensor) -> Tensor:
        """Return the states when each document starts from zero: documents are sequences of their own.

        They are laid out as torch packs sequences: the first tokens of all documents, longest document first, then the
        second tokens, and so on. Nothing is padded.
        """
        positions_T = positions_in_documents(documents_BS).flatten()
        document_T = (positions_T == 0).cumsum(dim=0) - 1
        lengths_D = document_T.bincount()
        rank_D = lengths_D.argsort(descending=True, stable=True).argsort()
        order_T = (positions_T * len(lengths_D) + rank_D[document_T]).argsort()
        packed = PackedSequence(vectors_BSE.flatten(0, 1)[order_T], positions_T.bincount().cpu())
        states_TW: Tensor = self.layers(packed)[0].data
        return states_TW[order_T.argsort()].reshape(*documents_BS.shape, -1)

    def new_cache(self, batch: int, length: int) -> StateCache:
        """Return an empty cache; it takes any number of sequences and tokens."""
        return StateCache()

    def reset_parameters(self, *, seed: int) -> None:
        """Draw first weights: uniform for inputs (Glorot & Bengio 2010), orthogonal for states (Saxe et al. 2013).

        The forget gate of an LSTM starts open, with a bias of 1 (Jozefowicz et al. 2015).
        """
        super().reset_parameters(seed=seed)
        generator = torch.Generator().manual_seed(seed)
        gates = _GATES[self.config.name]
        for name, parameter in self.layers.named_parameters():
            if name.startswith("weight"):
                for gate in parameter.detach().chunk(gates):
                    if name.startswith("weight_hh"):
                        nn.init.orthogonal_(gate, generator=generator)
                    else:
                        nn.init.xavier_uniform_(gate, generator=generator)
            else:
                nn.init.zeros_(parameter)
                if self.config.name == "lstm" and name.startswith("bias_ih"):
                    nn.init.ones_(parameter.detach().chunk(gates)[1])
        if isinstance(self.projection, nn.Linear):
            nn.init.xavier_uniform_(self.projection.weight, generator=generator)

    def std_of(self, name: str) -> float:
        """Return the standard deviation of the first weights of the matrix *name*.

        No norm amplifies the embedding, so it is wider than that of a Transformer.
        """
        return _EMBEDDING_STD if name == "embedding.weight" else super().std_of(name)

    def activation_numbers(self) -> float:
        """Return how many numbers a training step keeps for each token until the backward pass, without logits.

        The input of the first layer has the width of the embedding; a projection keeps its input.
        """
        vectors = _KEPT[self.config.name] * self.config.layers - isinstance(self.projection, nn.Identity)
        return vectors * self.config.width + self.config.embedding_width_used
