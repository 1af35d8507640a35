"""Which tokens are masked: the right number, by the right rules, in the same way after every resume."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from corpusmill.schemas.errors import UsageError
from corpusmill.training.config import ModelConfig, ObjectiveConfig
from corpusmill.training.data import load_tokenizer
from corpusmill.training.objectives import build_objective
from corpusmill.training.objectives.base import IGNORED, loss
from corpusmill.training.objectives.masked import MaskedTokens
from corpusmill.training.objectives.words import Words
from tests.training.models.small import small_model

END, MASK = 7, 1000
OBJECTIVE = MaskedTokens(vocabulary_size=MASK, end=END)


def drawn_rows(rows: int, length: int = 200) -> Tensor:
    """Return random tokens, one in ten of them the end of text."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, MASK, (rows, length), generator=generator)
    return torch.where(torch.rand(rows, length, generator=generator) < 0.1, END, tokens)


def test_of_the_chosen_tokens_most_are_masked_some_replaced_and_some_kept() -> None:
    """15 % are chosen; of those 80, 10 and 10 % (within three standard deviations)."""
    rows = drawn_rows(200)

    examples = OBJECTIVE.examples(rows, step=3, lanes=range(200))

    chosen = examples.targets_BS != IGNORED
    candidates = (rows != END).sum(dim=1)
    assert torch.equal(chosen.sum(dim=1), (0.15 * candidates).round().long())
    assert examples.predictions == int(chosen.sum())
    assert torch.equal(examples.targets_BS[chosen], rows[chosen])
    assert torch.equal(examples.tokens_BS[~chosen], rows[~chosen])
    assert not (chosen & (rows == END)).any()
    seen = examples.tokens_BS[chosen]
    masked, kept = (seen == MASK), (seen == rows[chosen])
    number = len(seen)
    assert masked.sum().item() == pytest.approx(0.8 * number, abs=3 * (0.16 * number) ** 0.5)
    assert kept.sum().item() == pytest.approx(0.1 * number, abs=3 * (0.09 * number) ** 0.5)
    replaced = seen[~masked & ~kept]
    assert (replaced < MASK).all()
    assert not (replaced == END).any()
    assert replaced.unique().numel() > 0.7 * min(MASK, len(replaced))


def test_choices_depend_on_seed_step_and_lane_alone() -> None:
    """A resumed run, and one with other ranks or parts, has to mask the same tokens."""
    rows = drawn_rows(1).repeat(4, 1)

    whole = OBJECTIVE.examples(rows, step=5, lanes=[0, 1, 2, 3])
    other_rank = OBJECTIVE.examples(rows[2:], step=5, lanes=[2, 3])

    assert torch.equal(whole.tokens_BS[2:], other_rank.tokens_BS)
    assert torch.equal(whole.targets_BS[2:], other_rank.targets_BS)
    assert len({tuple(row.tolist()) for row in whole.targets_BS}) == 4
    for step, seed in ((6, 0), (5, 1)):
        other = MaskedTokens(vocabulary_size=MASK, end=END, seed=seed).examples(rows, step=step, lanes=[0, 1, 2, 3])
        assert not torch.equal(other.targets_BS, whole.targets_BS)


def test_a_row_without_text_has_nothing_to_predict() -> None:
    """An empty document is no reason to stop, and the loss is 0 instead of no number."""
    rows = torch.full((2, 12), END)
    model = small_model("bert")

    examples = MaskedTokens(vocabulary_size=50, end=END).examples(rows, step=0, lanes=range(2))

    assert examples.predictions == 0
    assert loss(model, examples, predictions=0).item() == 0


def test_a_short_row_has_at_least_one_prediction() -> None:
    """15 % of three tokens would be none."""
    examples = OBJECTIVE.examples(torch.tensor([[END, 1, 2, 3]]), step=0, lanes=[0])

    assert examples.predictions == 1


@pytest.fixture(scope="module")
def tokenizer(tokenizer_dir: Path) -> Any:
    return load_tokenizer(tokenizer_dir)


def texts() -> list[str]:
    """Return text with words, numbers, signs, line ends and characters outside ASCII."""
    random_ = random.Random(0)
    pieces = [
        "the crawl",
        " page",
        " naïve café",
        "\n\n    return",
        " 1234",
        "x1",
        "...",
        " ('a')",
        "\n",
        "  ",
        " 東京",
    ]
    return ["".join(random_.choices(pieces, k=30)) for _ in range(20)]


def test_words_are_the_pieces_of_the_tokenizer(tokenizer: Any) -> None:
    """The pre-tokenizer cuts the text into words before it merges bytes: its cuts, seen from the tokens."""
    words = Words.of(tokenizer)
    for text in texts():
        encoding = tokenizer.encode(text)
        pieces = [start for _, (start, _) in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
        # A token is the first of a piece if it starts where the piece does; bytes of one character start together.
        starts = [start for start, _ in encoding.offsets]
        first_of_piece = [start in pieces and start not in starts[:place] for place, start in enumerate(starts)]
        tokens = np.array([encoding.ids])

        assert words.starts(tokens, np.ones_like(tokens, dtype=bool))[0].tolist() == first_of_piece


def test_whole_words_are_chosen_whole(tokenizer: Any) -> None:
    """The rest of a word would give it away."""
    config, objective = ModelConfig(name="bert"), ObjectiveConfig(whole_words=True)
    masked = build_objective(config, objective, tokenizer, seed=0)
    encodings = [tokenizer.encode(text).ids[:100] for text in texts()]
    rows = torch.tensor([ids for ids in encodings if len(ids) == 100])
    starts = Words.of(tokenizer).starts(rows.numpy(), np.ones(rows.shape, dtype=bool))

    chosen = (masked.examples(rows, step=0, lanes=range(len(rows))).targets_BS != IGNORED).numpy()

    word_of_token = starts.cumsum(axis=1)
    for row, numbers in enumerate(word_of_token):
        sizes = [set(chosen[row, numbers == number].tolist()) for number in range(1, numbers[-1] + 1)]
        assert all(len(states) == 1 for states in sizes)
        assert sum(states == {True} for states in sizes) == round(0.15 * numbers[-1])


def test_whole_words_need_a_tokenizer_of_bytes() -> None:
    """Others mark words in other ways, and a wrong guess would mask parts of words."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "a—b": 1, "<|endoftext|>": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()

    with pytest.raises(UsageError, match=r"`objective\.whole_words: true`") as caught:
        build_objective(ModelConfig(name="bert"), ObjectiveConfig(whole_words=True), tokenizer, seed=0)

    assert "`whole_words: false`" in (caught.value.hint or "")
