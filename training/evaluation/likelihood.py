"""How well a model predicts held-out text, in nats per token and bits per byte.

Shapes: B windows, S tokens, V vocabulary.
"""
# ruff: noqa: N806 - names of tensors end in their shape

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from corpusmill.training.data.packing import Tokens
from corpusmill.training.data.shards import Corpus
from corpusmill.training.data.tokenizer import end_of_text

_BATCH_TOKENS: Final = 8192
_BULK_CHARACTERS: Final = 1 << 20
_NO_SOURCE: Final = ""


class Document(NamedTuple):
    """A text to score, and the source to count it under."""

    text: str
    source: str = _NO_SOURCE


@dataclass
class Tally:
    """The negative log likelihood of documents, and the numbers of tokens and bytes to divide it by."""

    nats: float = 0.0
    documents: int = 0
    tokens: int = 0
    bytes: int = 0

    @property
    def loss(self) -> float:
        """Nats per token; nan without tokens."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def perplexity(self) -> float:
        """The exponential of the loss; infinite if it exceeds a float."""
        return math.exp(self.loss) if not self.loss > 700 else math.inf

    @property
    def bits_per_byte(self) -> float:
        """Bits per UTF-8 byte. They do not depend on the tokenizer, so models can be compared."""
        return self.nats / math.log(2) / self.bytes if self.bytes else math.nan

    def figures(self) -> dict[str, float | int | None]:
        """Return the figures as JSON data; non-finite numbers are None."""
        return {
            "loss": finite(self.loss),
            "perplexity": finite(self.perplexity),
            "bits_per_byte": finite(self.bits_per_byte),
            "documents": self.documents,
            "tokens": self.tokens,
            "bytes": self.bytes,
        }


def finite(value: float) -> float | None:
    """Return *value*, or None if it is not finite."""
    return value if math.isfinite(value) else None


OfTally = TypeVar("OfTally", bound=Tally)


class Score(Generic[OfTally]):
    """The tally of all documents and of each source."""

    def __init__(self, kind: type[OfTally]) -> None:
        self.total = kind()
        self.by_source: dict[str, OfTally] = defaultdict(kind)

    def add(self, source: str, **amounts: float) -> None:
        """Add *amounts* to the total and to *source*."""
        for tally in (self.total, self.by_source[source]):
            for name, amount in amounts.items():
                setattr(tally, name, getattr(tally, name) + amount)


def documents(corpus: Corpus, *, max_bytes: int | None = None) -> Iterator[Document]:
    """Yield the documents of *corpus* in file order, until they contain at least *max_bytes* bytes of UTF-8."""
    size = 0
    for batch in corpus.batches((corpus.text_column, "source")):
        texts = batch.column(corpus.text_column).to_pylist()
        named = "source" in batch.schema.names
        sources = batch.column("source").to_pylist() if named else [_NO_SOURCE] * len(texts)
        for text, source in zip(texts, sources, strict=True):
            if text:
                yield Document(text, source or _NO_SOURCE)
                size += len(text.encode())
                if max_bytes is not None and size >= max_bytes:
                    return


def score_documents(
    model: nn.Module,
    tokenizer: Tokenizer,
    texts: Iterable[Document],
    *,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Score[Tally]:
    """Score *texts* with *model*, which predicts next tokens.

    Documents are scored independently: tokens are predicted from ``<|endoftext|>`` and the tokens before, in windows of
    the model's sequence length that do not overlap. The end of a document is not predicted, so the bits are those of
    its bytes, as with the trigram baseline.

    Args:
        forward: Function that calls the model (for mixed precision); None: the model itself.
    """
    score = Score(Tally)
    training = model.training
    model.eval()
    with torch.inference_mode():
        for bulk in bulks(texts):
            _score_bulk(model, tokenizer, bulk, score, forward=forward or model)
    model.train(training)
    return score


def _score_bulk(
    model: Any, tokenizer: Tokenizer, bulk: list[Document], score: Score[Tally], *, forward: Callable[[Tensor], Tensor]
) -> None:
    end = end_of_text(tokenizer)
    windows: list[tuple[int, Tokens]] = []
    encodings = tokenizer.encode_batch_fast([document.text for document in bulk], add_special_tokens=False)
    for number, (document, encoding) in enumerate(zip(bulk, encodings, strict=True)):
        tokens = np.array([end, *encoding.ids], dtype=np.int64)
        score.add(document.source, documents=1, tokens=len(tokens) - 1, bytes=len(document.text.encode()))
        windows += [(number, window) for window in _windows(tokens, length=model.config.sequence_length)]
    windows.sort(key=lambda window: len(window[1]))  # stable sort: windows of equal length are batched without padding
    per_batch = max(1, _BATCH_TOKENS // model.config.sequence_length)
    device = next(model.parameters()).device
    for start in range(0, len(windows), per_batch):
        batch = windows[start : start + per_batch]
        for (number, _), nats in zip(batch, _nats([window for _, window in batch], forward, device), strict=True):
            score.add(bulk[number].source, nats=nats)


def _windows(tokens: Tokens, *, length: int) -> Iterator[Tokens]:
    """Cut *tokens* into windows that overlap by one token, so that each token but the first is predicted once."""
    for start in range(0, len(tokens) - 1, length):
        yield tokens[start : start + length + 1]


def _nats(windows: list[Tokens], forward: Callable[[Tensor], Tensor], device: torch.device) -> list[float]:
    """Return the negative log likelihood of each of *windows*, which are sorted by length."""
    padded = np.zeros((len(windows), len(windows[-1])), dtype=np.int64)
    targets = np.full_like(padded, -100)  # ignored by cross entropy
    for row, window in enumerate(windows):
        padded[row, : len(window)] = targets[row, : len(window)] = window
    tokens_BS = torch.from_numpy(padded).to(device)
    targets_BS = torch.from_numpy(targets).to(device)
    logits_BSV = forward(tokens_BS[:, :-1]).float()
    nats_BS = functional.cross_entropy(logits_BSV.transpose(1, 2), targets_BS[:, 1:], reduction="none")
    return nats_BS.double().sum(dim=1).tolist()


def bulks(texts: Iterable[Document]) -> Iterator[list[Document]]:
    """Yield *texts* in lists of about a million characters."""
    bulk: list[Document] = []
    size = 0
    for document in texts:
        bulk.append(document)
        size += len(document.text)
        if size >= _BULK_CHARACTERS:
            yield bulk
            bulk, size = [], 0
    if bulk:
        yield bulk
