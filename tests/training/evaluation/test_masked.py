"""Masked tokens of held-out text: exact for models whose answer is known, and independent of batches and seeds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from corpusmill.training.config import ModelConfig, ObjectiveConfig
from corpusmill.training.data import load_tokenizer
from corpusmill.training.data.tokenizer import end_of_text
from corpusmill.training.evaluation import masked
from corpusmill.training.evaluation.likelihood import Document
from corpusmill.training.evaluation.masked import score_masked
from corpusmill.training.models import build_model
from corpusmill.training.models.base import LanguageModel
from corpusmill.training.objectives import build_objective
from corpusmill.training.objectives.base import IGNORED
from corpusmill.training.objectives.masked import MaskedTokens
from tests.training.corpora import drawn_texts

SIZE = ModelConfig(name="bert", layers=1, heads=1, width=8, sequence_length=8)
TEXTS = [
    Document(text, "site" if number % 3 else "files") for number, text in enumerate(drawn_texts(20, words=30)) if text
]


@pytest.fixture(scope="module")
def tokenizer(tokenizer_dir: Path) -> Any:
    return load_tokenizer(tokenizer_dir)


def model_and_objective(tokenizer: Any, *, seed: int = 0) -> tuple[LanguageModel, MaskedTokens]:
    model = build_model(SIZE, vocabulary_size=tokenizer.get_vocab_size())
    model.reset_parameters(seed=1)
    objective = build_objective(SIZE, ObjectiveConfig(), tokenizer, seed=seed)
    assert isinstance(objective, MaskedTokens)
    return model, objective


def test_a_uniform_model_needs_the_logarithm_of_its_vocabulary(tokenizer: Any) -> None:
    """The definition: ln(V) nats for each masked token, whatever they are."""
    model, objective = model_and_objective(tokenizer)
    size = tokenizer.get_vocab_size()

    def uniform(tokens: Tensor, *, at_N: Tensor, **_: Any) -> Tensor:  # noqa: N803
        return torch.zeros(len(at_N), size)

    figures = score_masked(model, tokenizer, TEXTS, objective=objective, forward=uniform).total.figures()

    assert figures["loss"] == pytest.approx(math.log(size))
    assert figures["bits_per_byte"] is None
    assert figures["tokens"] == sum(len(tokenizer.encode(text.text).ids) for text in TEXTS)
    assert figures["masked_tokens"] == pytest.approx(0.15 * float(figures["tokens"] or 0), rel=0.25)


def test_a_model_that_knows_the_text_is_always_right(tokenizer: Any) -> None:
    """Accuracy counts the likeliest prediction."""
    model, objective = model_and_objective(tokenizer)
    text = Document("the crawl page corpus")
    tokens = torch.tensor([end_of_text(tokenizer), *tokenizer.encode(text.text).ids])

    def knows(seen: Tensor, *, at_N: Tensor, **_: Any) -> Tensor:  # noqa: N803
        rows = [tokens[start : start + 8] for start in range(0, len(tokens), 8)]
        rows.sort(key=len)
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return torch.nn.functional.one_hot(padded.flatten()[at_N], tokenizer.get_vocab_size()).float()

    total = score_masked(model, tokenizer, [text], objective=objective, forward=knows).total

    assert total.correct == total.masked > 0


def test_scores_are_those_of_one_window_after_the_other(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows are sorted, padded and batched, and padding must not be seen by any token."""
    model, objective = model_and_objective(tokenizer)
    end = end_of_text(tokenizer)
    nats = dict.fromkeys(("site", "files"), 0.0)
    for number, text in enumerate(TEXTS):
        tokens = [end, *tokenizer.encode(text.text).ids]
        for index, start in enumerate(range(0, len(tokens), 8)):
            window = torch.tensor([tokens[start : start + 8]])
            examples = objective.examples_of(window, keys=[(number, index)])
            with torch.no_grad():
                chances = model(examples.tokens_BS).log_softmax(-1)[0]
            for place, target in enumerate(examples.targets_BS[0].tolist()):
                nats[text.source] -= chances[place, target].item() if target != IGNORED else 0.0

    monkeypatch.setattr(masked, "_BATCH_TOKENS", 24)
    score = score_masked(model, tokenizer, TEXTS, objective=objective)

    assert {name: tally.nats for name, tally in score.by_source.items()} == pytest.approx(nats, rel=1e-5)


def test_masks_of_an_evaluation_do_not_depend_on_the_seed_of_the_training(tokenizer: Any) -> None:
    """Otherwise two models were measured on different tokens."""
    model, objective = model_and_objective(tokenizer)
    other = model_and_objective(tokenizer, seed=7)[1]

    first, second = (score_masked(model, tokenizer, TEXTS, objective=one).total for one in (objective, other))

    assert first == second
