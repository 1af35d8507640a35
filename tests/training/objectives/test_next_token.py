"""Examples of next tokens, and their loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corpusmill.training.data.best_fit import PADDING
from corpusmill.training.objectives.base import loss
from corpusmill.training.objectives.next_token import NextToken
from tests.training.models.small import VOCABULARY, drawn_tokens, small_model

ROWS = drawn_tokens(4, 13)


def test_each_token_is_predicted_from_those_before() -> None:
    """The last token of a row is only predicted, the first only seen."""
    examples = NextToken(end=0).examples(ROWS, step=0, lanes=range(4))

    assert torch.equal(examples.tokens_BS, ROWS[:, :-1])
    assert torch.equal(examples.targets_BS, ROWS[:, 1:])
    assert (examples.documents_BS, examples.predictions) == (None, 48)


def test_the_first_token_of_a_document_is_predicted_from_the_end_of_text_alone() -> None:
    """As in evaluation and generation, which begin a document with the end of text."""
    rows = torch.tensor([[5, 6, 0, 7, 8, 9], [0, 5, 0, 0, 6, 7]])
    examples = NextToken(end=0, separate_documents=True).examples(rows, step=0, lanes=range(2))
    model = small_model("llama")

    assert examples.documents_BS is not None
    assert examples.documents_BS.tolist() == [[0, 0, 1, 1, 1], [1, 1, 2, 3, 3]]
    with torch.no_grad():
        together = model(examples.tokens_BS, documents_BS=examples.documents_BS)
        assert torch.allclose(together[0, 2:], model(torch.tensor([[0, 7, 8]]))[0], atol=1e-6)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_parts_of_a_batch_add_up_to_its_mean(parts: int) -> None:
    """Accumulation must not change the loss, also if parts predict different numbers of tokens."""
    examples = NextToken(end=0, separate_documents=True).examples(ROWS, step=0, lanes=range(4))
    model = small_model("gru")

    def forward(tokens: Tensor, **places: Tensor | None) -> Tensor:
        return model(tokens, **places)  # type: ignore[no-any-return]

    with torch.no_grad():
        losses = [loss(forward, part, predictions=examples.predictions) for part in examples.chunk(parts)]
        logits = model(ROWS[:, :-1], documents_BS=examples.documents_BS)
        expected = functional.cross_entropy(logits.reshape(-1, VOCABULARY), ROWS[:, 1:].flatten())

    assert len(losses) == parts
    assert torch.allclose(torch.stack(losses).sum(), expected)


def test_padding_is_neither_predicted_nor_a_token_of_a_document() -> None:
    """The loss of a padded row is that of its tokens alone."""
    padded = torch.tensor([[5, 6, 0, 7, PADDING, PADDING], [5, 6, 0, 7, 8, 9]])
    model = small_model("llama")

    def total(rows: Tensor) -> Tensor:
        examples = NextToken(end=0, separate_documents=True).examples(rows, step=0, lanes=range(len(rows)))
        return loss(model, examples, predictions=1)

    examples = NextToken(end=0).examples(padded, step=0, lanes=range(2))
    assert examples.predictions == 8
    assert examples.tokens_BS.tolist() == [[5, 6, 0, 7, 0], [5, 6, 0, 7, 8]]
    assert torch.allclose(total(padded), total(padded[:1, :4]) + total(padded[1:]), atol=1e-5)
