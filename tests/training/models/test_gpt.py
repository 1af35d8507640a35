"""The model."""

from __future__ import annotations

import torch

from corpusmill.training.config import ModelConfig
from corpusmill.training.models.gpt import GPT

SIZE = ModelConfig(layers=2, heads=2, width=16, sequence_length=12)


def drawn_model(seed: int = 0) -> GPT:
    model = GPT(SIZE, vocabulary_size=50)
    model.reset_parameters(seed=seed)
    return model


def test_no_token_sees_what_comes_after_it() -> None:
    """A leak from the future gives low losses and a useless model."""
    model = drawn_model()
    tokens = torch.arange(12)[None]
    changed = tokens.clone()
    changed[0, 7] = 40

    with torch.inference_mode():
        difference = (model(tokens) - model(changed)).abs().amax(dim=(0, 2))

    assert torch.equal(difference[:7], torch.zeros(7))
    assert (difference[7:] > 0).all()


def test_positions_matter() -> None:
    """Without them, the same words in another order would be the same context."""
    model = drawn_model()

    with torch.inference_mode():
        one, other = (model(torch.tensor([order]))[0, -1] for order in ([1, 2, 3, 9], [3, 1, 2, 9]))

    assert not torch.allclose(one, other, atol=1e-6)


def test_first_weights_depend_on_the_seed_alone() -> None:
    """Earlier random draws of the process must not matter."""
    first = drawn_model(seed=5)
    torch.rand(3)

    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), drawn_model(seed=5).parameters(), strict=True))
    assert not torch.equal(first.embedding.weight, drawn_model(seed=6).embedding.weight)


def test_every_weight_is_in_one_group_and_learns() -> None:
    """A weight in no group would never be trained."""
    model = drawn_model()

    groups = model.parameter_groups(weight_decay=0.1)
    model(torch.arange(12)[None]).square().sum().backward()

    grouped = [parameter for group in groups for parameter in group["params"]]
    assert sum(parameter.numel() for parameter in grouped) == model.parameter_count()
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert all(parameter.dim() == 1 for parameter in groups[1]["params"])
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in grouped)
