"""Score texts with any model, by its objective."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor

from corpusmill.training.evaluation.likelihood import Document, Score, score_documents
from corpusmill.training.evaluation.masked import score_masked
from corpusmill.training.models.base import LanguageModel
from corpusmill.training.objectives.base import Objective
from corpusmill.training.objectives.masked import MaskedTokens


def score_texts(
    model: LanguageModel,
    tokenizer: Tokenizer,
    texts: Iterable[Document],
    *,
    objective: Objective,
    forward: Callable[..., Tensor] | None = None,
) -> Score[Any]:
    """Score *texts* with *model*, which was trained for *objective*.

    Args:
        forward: Function that calls the model (for mixed precision); None: the model itself.
    """
    if isinstance(objective, MaskedTokens):
        return score_masked(model, tokenizer, texts, objective=objective, forward=forward)
    return score_documents(model, tokenizer, texts, forward=forward)
