"""Objectives: what a model predicts in a row of tokens, and its loss.

Importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from corpusmill.training.config import ModelConfig, ObjectiveConfig
    from corpusmill.training.objectives.base import Objective


def build_objective(model: ModelConfig, objective: ObjectiveConfig, tokenizer: Tokenizer, *, seed: int) -> Objective:
    """Return the objective of *model*, with the choices in *objective*.

    Raises:
        UsageError: The objective needs words, and *tokenizer* does not say where they begin.
    """
    from corpusmill.training.data.tokenizer import end_of_text
    from corpusmill.training.objectives.masked import MaskedTokens
    from corpusmill.training.objectives.next_token import NextToken
    from corpusmill.training.objectives.words import Words

    end, separate = end_of_text(tokenizer), model.separate_documents
    if model.objective == "next_token":
        return NextToken(end=end, separate_documents=separate)
    return MaskedTokens(
        vocabulary_size=tokenizer.get_vocab_size(),
        end=end,
        fraction=objective.fraction,
        words=Words.of(tokenizer) if objective.whole_words else None,
        seed=seed,
        separate_documents=separate,
    )
