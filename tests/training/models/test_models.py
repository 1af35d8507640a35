"""What all models promise: no view of the future, separate documents, equal logits from a cache, exact counts."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from corpusmill.training.config import ModelConfig
from corpusmill.training.config.model import ModelName
from corpusmill.training.models import MODELS, build_model
from tests.training.models.small import LENGTH, VOCABULARY, drawn_tokens, small_model

CAUSAL = [name for name in MODELS if name != "bert"]


def test_the_table_has_a_class_for_each_name() -> None:
    """A name that the configuration accepts must not fail later."""
    assert list(MODELS) == list(get_args(ModelName))
    assert [type(small_model(name)).__name__ for name in MODELS] == ["Llama", "GPT", *["Recurrent"] * 3, "BERT"]


@pytest.mark.parametrize("name", CAUSAL)
def test_no_token_sees_what_comes_after_it(name: str) -> None:
    """A leak from the future gives low losses and a useless model."""
    model, tokens = small_model(name), drawn_tokens(1)
    changed = tokens.clone()
    changed[0, 7] = (tokens[0, 7] + 1) % VOCABULARY

    with torch.inference_mode():
        difference = (model(tokens) - model(changed)).abs().amax(dim=(0, 2))

    assert torch.equal(difference[:7], torch.zeros(7))
    assert (difference[7:] > 0).all()


def test_bert_sees_both_sides() -> None:
    """Masked tokens are predicted from the tokens after them, too."""
    model, tokens = small_model("bert"), drawn_tokens(1)
    changed = tokens.clone()
    changed[0, 7] = (tokens[0, 7] + 1) % VOCABULARY

    with torch.inference_mode():
        assert ((model(tokens) - model(changed)).abs().amax(dim=(0, 2)) > 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_positions_matter(name: str) -> None:
    """Without them, the same words in another order would be the same context."""
    model = small_model(name)

    with torch.inference_mode():
        one, other = (model(torch.tensor([order]))[0, -1] for order in ([1, 2, 3, 9], [3, 1, 2, 9]))

    assert not torch.allclose(one, other, atol=1e-7, rtol=0)


@pytest.mark.parametrize("name", MODELS)
def test_documents_are_read_as_if_they_were_alone(name: str) -> None:
    """The mask, the positions and the state of a document do not depend on its neighbors in the row."""
    model, tokens = small_model(name), drawn_tokens(3)
    documents = torch.tensor([[0] * 4 + [1] * 8, [0] + [1] * 3 + [2] * 7 + [3], [0] * 12])

    with torch.inference_mode():
        together = model(tokens, documents_BS=documents)
        for row, numbers in enumerate(documents):
            for number in numbers.unique():
                alone = model(tokens[row : row + 1, numbers == number])[0]
                assert torch.allclose(together[row, numbers == number], alone, atol=1e-6)
        assert (model(tokens)[0, 4:] - together[0, 4:]).abs().max() > 1e-5


@pytest.mark.parametrize("name", CAUSAL)
def test_a_cache_gives_the_logits_of_the_whole_text(name: str) -> None:
    """Generation must not depend on how much of the text is read at once."""
    model, tokens = small_model(name), drawn_tokens(3)
    cache = model.new_cache(3, LENGTH)

    with torch.inference_mode():
        parts = [model(tokens[:, start:stop], cache=cache) for start, stop in ((0, 5), (5, 6), (6, 7), (7, 12))]
        whole = model(tokens)

    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=0)
    assert cache.filled == LENGTH


def test_a_cache_is_not_longer_than_the_model_can_see() -> None:
    """Positions after that have no meaning; an encoder has no cache at all."""
    for name in ("llama", "gpt", "bert"):
        with pytest.raises(ValueError, match=r"12|cannot continue"):
            small_model(name).new_cache(1, LENGTH + 1)


@pytest.mark.parametrize("name", MODELS)
def test_logits_of_chosen_places_are_those_of_all(name: str) -> None:
    """A masked objective needs a seventh of the logits, and generation the last."""
    model, tokens = small_model(name), drawn_tokens(3)
    chosen = torch.tensor([0, 13, 35])

    with torch.inference_mode():
        assert torch.allclose(model(tokens, at_N=chosen), model(tokens).flatten(0, 1)[chosen], atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_first_weights_depend_on_the_seed_alone(name: str) -> None:
    """Earlier random draws of the process must not matter."""
    first = small_model(name, seed=5)
    torch.rand(3)
    again, other = small_model(name, seed=5), small_model(name, seed=6)

    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    matrices = [(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True) if a.dim() > 1]
    assert not any(torch.equal(a, b) for a, b in matrices)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_every_weight_is_in_one_group_and_learns(name: str, tied: bool) -> None:
    """A weight in no group would never be trained."""
    model = small_model(name, tie_weights=tied)

    groups = model.parameter_groups(weight_decay=0.1)
    model(drawn_tokens(2)).square().sum().backward()

    grouped = [parameter for group in groups for parameter in group["params"]]
    assert sum(parameter.numel() for parameter in grouped) == model.parameter_count()
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert all(parameter.dim() == 1 for parameter in groups[1]["params"])
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in grouped)


@pytest.mark.parametrize("name", MODELS)
def test_dropout_acts_in_training_alone(name: str) -> None:
    """Evaluation and samples must be repeatable."""
    model, plain, tokens = small_model(name, dropout=0.5), small_model(name), drawn_tokens(1)

    with torch.no_grad():
        assert torch.equal(model(tokens), plain(tokens))
        model.train()
        torch.manual_seed(0)
        first = model(tokens)
        second = model(tokens)
        torch.manual_seed(0)
        assert torch.equal(model(tokens), first)

    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("fields", "vocabulary", "parameters"),
    [
        # Radford et al. 2019, the smallest GPT-2.
        ({"name": "gpt", "layers": 12, "heads": 12, "width": 768, "sequence_length": 1024}, 50257, 124_439_808),
        # Touvron et al. 2023, table 2: 6.7 billion.
        (
            {
                "name": "llama",
                "layers": 32,
                "heads": 32,
                "width": 4096,
                "feed_forward": 11008,
                "tie_weights": False,
                "qk_norm": False,
            },
            *(32000, 6_738_415_616),
        ),
        # Devlin et al. 2019, BERT base (110 million): its 30,522 tokens have the mask among them, and 2 types of tokens
        # of 768 numbers, which ours does not have. One bias less, for the mask.
        (
            {"name": "bert", "layers": 12, "heads": 12, "width": 768, "sequence_length": 512},
            *(30521, 109_514_298 - 2 * 768 - 1),
        ),
        # Two layers of torch.nn.LSTM: 4 (w² + w² + 2 w) weights each, and the embedding.
        ({"name": "lstm", "layers": 2, "width": 650}, 10000, 2 * 4 * (2 * 650**2 + 2 * 650) + 10000 * 650),
    ],
)
def test_models_of_the_papers_have_their_number_of_parameters(
    fields: dict[str, Any], vocabulary: int, parameters: int
) -> None:
    """A missing bias or norm shows in the count."""
    with torch.device("meta"):
        model = build_model(ModelConfig(**fields), vocabulary_size=vocabulary)

    assert model.parameter_count() == parameters
