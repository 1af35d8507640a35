"""How well a model predicts masked tokens of held-out text.

Shapes: B windows, S tokens, N masked tokens.
"""
# ruff: noqa: N806 - names of tensors end in their shape

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from corpusmill.training.data.packing import Tokens
from corpusmill.training.data.tokenizer import end_of_text
from corpusmill.training.evaluation.likelihood import Document, Score, Tally, bulks, finite
from corpusmill.training.models.base import LanguageModel
from corpusmill.training.objectives.base import IGNORED
from corpusmill.training.objectives.masked import MaskedTokens

_BATCH_TOKENS: Final = 8192
_SEED: Final = 0
"""Masks of an evaluation are the same for all models with a tokenizer, whatever the seed of their training."""


@dataclass
class MaskedTally(Tally):
    """The negative log likelihood of masked tokens, and how many of them the model predicts.

    Attributes:
        masked: Masked tokens.
        correct: Masked tokens of which the likeliest prediction is right.
    """

    masked: int = 0
    correct: int = 0

    @property
    def loss(self) -> float:
        """Nats per masked token; nan without any."""
        return self.nats / self.masked if self.masked else math.nan

    @property
    def bits_per_byte(self) -> float:
        """No number: the masked tokens do not determine the text."""
        return math.nan

    def figures(self) -> dict[str, float | int | None]:
        """Return the figures as JSON data; non-finite numbers are None."""
        accuracy = self.correct / self.masked if self.masked else math.nan
        return super().figures() | {"masked_tokens": self.masked, "masked_accuracy": finite(accuracy)}


class _Window(NamedTuple):
    tokens: Tokens
    source: str
    document: int
    place: int


def score_masked(
    model: LanguageModel,
    tokenizer: Tokenizer,
    texts: Iterable[Document],
    *,
    objective: MaskedTokens,
    forward: Callable[..., Tensor] | None = None,
) -> Score[MaskedTally]:
    """Score *texts* with *model*, which predicts masked tokens.

    Documents are scored independently, in windows of the model's sequence length that do not overlap; the first begins
    with ``<|endoftext|>``. Masks are chosen by *objective*, and depend on the number of the document and the window.

    Args:
        forward: Function that calls the model (for mixed precision); None: the model itself.
    """
    score = Score(MaskedTally)
    objective = dataclasses.replace(objective, seed=_SEED)
    training = model.training
    model.eval()
    with torch.inference_mode():
        for batch in _batches(tokenizer, texts, score, length=model.config.sequence_length):
            _score_batch(batch, score, model=model, objective=objective, forward=forward or model)
    model.train(training)
    return score


def _batches(
    tokenizer: Tokenizer, texts: Iterable[Document], score: Score[MaskedTally], *, length: int
) -> Iterator[list[_Window]]:
    """Yield windows in batches, and count documents, tokens and bytes in *score*."""
    end, number = end_of_text(tokenizer), 0
    for bulk in bulks(texts):
        windows = []
        encodings = tokenizer.encode_batch_fast([document.text for document in bulk], add_special_tokens=False)
        for document, encoding in zip(bulk, encodings, strict=True):
            tokens = np.array([end, *encoding.ids], dtype=np.int64)
            score.add(document.source, documents=1, tokens=len(tokens) - 1, bytes=len(document.text.encode()))
            windows += [
                _Window(tokens[start : start + length], document.source, number, start // length)
                for start in range(0, len(tokens), length)
            ]
            number += 1
        windows.sort(key=lambda window: len(window.tokens))  # stable sort: little padding
        per_batch = max(1, _BATCH_TOKENS // length)
        for start in range(0, len(windows), per_batch):
            yield windows[start : start + per_batch]


def _score_batch(
    windows: list[_Window],
    score: Score[MaskedTally],
    *,
    model: LanguageModel,
    objective: MaskedTokens,
    forward: Callable[..., Tensor],
) -> None:
    """Add nats, masked and correct tokens of *windows*, which are sorted by length, to *score*."""
    padded_BS = np.full((len(windows), len(windows[-1].tokens)), objective.end, dtype=np.int64)
    is_padding_BS = np.ones_like(padded_BS)
    for row, window in enumerate(windows):
        padded_BS[row, : len(window.tokens)] = window.tokens
        is_padding_BS[row, : len(window.tokens)] = 0
    # The end of text is never masked, so padding with it adds no predictions; it is a document of its own.
    keys = [(window.document, window.place) for window in windows]
    examples = objective.examples_of(torch.from_numpy(padded_BS), keys=keys)
    examples = dataclasses.replace(examples, documents_BS=torch.from_numpy(is_padding_BS))
    examples = examples.to(next(model.parameters()).device)
    rows_N, places_N = (examples.targets_BS != IGNORED).nonzero(as_tuple=True)
    targets_N = examples.targets_BS[rows_N, places_N]
    at_N = rows_N * examples.targets_BS.shape[1] + places_N
    logits_NV = forward(examples.tokens_BS, documents_BS=examples.documents_BS, at_N=at_N).float()
    nats_N = functional.cross_entropy(logits_NV, targets_N, reduction="none").double().tolist()
    correct_N = (logits_NV.argmax(dim=-1) == targets_N).tolist()
    for row, nats, correct in zip(rows_N.tolist(), nats_N, correct_N, strict=True):
        score.add(windows[row].source, nats=nats, masked=1, correct=int(correct))
