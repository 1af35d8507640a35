"""Computed costs beside counted ones: parameters, operations, and the tensors that torch keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from corpusmill.schemas.errors import RecipeError, UsageError
from corpusmill.training.config import ModelConfig
from corpusmill.training.models import FAMILIES, MODELS, build_model
from corpusmill.training.models.base import LanguageModel
from corpusmill.training.models.catalog import catalog
from corpusmill.training.models.costs import Costs, model_costs
from tests.training.corpora import tiny_config

VOCABULARY = 300
# Only the plain kernels are counted by torch.
plain_kernels = pytest.mark.filterwarnings("ignore:TF32 acceleration")
SIZES: list[dict[str, Any]] = [
    {"name": "llama", "heads": 4, "kv_heads": 2, "tie_weights": False, "qk_norm": True},
    {"name": "llama", "heads": 4, "qk_norm": True},
    {"name": "gpt", "heads": 4},
    {"name": "rnn", "embedding_width": 16},
    {"name": "lstm"},
    {"name": "lstm", "embedding_width": 48, "tie_weights": False},
    {"name": "gru"},
    {"name": "bert", "heads": 4, "tie_weights": False},
    {"name": "bert", "heads": 4},
]


def costs_of(size: dict[str, Any], **fields: Any) -> tuple[Costs, LanguageModel]:
    """Return the computed costs of a model, and the model."""
    model: dict[str, Any] = {"layers": 2, "width": 32, "sequence_length": 16} | size
    config = tiny_config(model=model, **fields)
    built = build_model(ModelConfig(**model), vocabulary_size=VOCABULARY)
    built.reset_parameters(seed=0)
    return model_costs(config, vocabulary_size=VOCABULARY), built


@contextmanager
def counted_kernels() -> Iterator[None]:
    with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
        yield


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_parameters_are_those_of_the_built_model(size: dict[str, Any]) -> None:
    """They are counted without weights, for sizes that do not fit into memory."""
    costs, model = costs_of(size)

    assert costs.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert costs.memory - costs.activations == 16 * costs.parameters


@pytest.mark.slow  # torch takes seconds to import its counter, and a recurrent network is counted token by token
@plain_kernels
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_operations_are_those_that_torch_counts(size: dict[str, Any]) -> None:
    """Operations as torch counts them; those of the first token of a recurrent model are a bit fewer."""
    costs, model = costs_of(size)
    tokens = torch.zeros(1, 16, dtype=torch.long)

    with counted_kernels(), FlopCounterMode(display=False) as counter:
        model(tokens).sum().backward()

    exact = FAMILIES[size["name"]] != "recurrent"
    assert costs.flops_per_token == pytest.approx(counter.get_total_flops() / 16, rel=1e-9 if exact else 0.05)


@plain_kernels
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_activations_are_about_the_tensors_that_torch_keeps(size: dict[str, Any]) -> None:
    """Within 10 %: the small sums of norms and of attention are not counted."""
    costs, model = costs_of(size, batch={"sequences": 8, "accumulation": 2})
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point() and tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.backends.mkldnn.flags(enabled=False), torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        model.hidden(torch.zeros(4, 16, dtype=torch.long), documents_BS=None, cache=None)

    predicted = 0.15 if size["name"] == "bert" else 1
    logits = 4 * 3 * VOCABULARY * predicted * 4 * 16
    measured = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert costs.activations - logits == pytest.approx(measured, rel=0.1)
    assert costs.memory == 16 * costs.parameters + costs.activations


def test_the_catalog_has_every_model_with_the_fields_that_it_has() -> None:
    """`heads` is no field of an LSTM, which does not keep others from having them."""
    plain = catalog()
    wide = catalog(["model.width=256", "model.heads=8", "objective.fraction=0.3", "tokenizer.vocabulary_size=1000"])

    assert [costs.name for costs in plain] == [costs.name for costs in wide] == list(MODELS)
    assert [costs.objective for costs in plain] == ["next_token"] * 5 + ["masked"]
    lstm = wide[3]
    assert lstm.parameters == 4 * 4 * (2 * 256**2 + 2 * 256) + 1000 * 256
    assert [costs.name for costs in catalog(["model.name=gru", "model.layers=1"])] == ["gru"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("model.layers", "`-o model.layers` is not KEY=VALUE"),
        ("model.=3", "is not KEY=VALUE"),
        ("optimizer.beta1=0.5", "`-o optimizer`: the size of a model does not depend on it"),
        ("model.widht=3", "unknown field `model.widht`"),
        ("model.layers=many", 'expected a whole number from 1 to 1000, got `"many"`'),
        ("model.layers=[1", "not YAML"),
        ("model.layers={a: 1, a: 2}", "occurs twice"),
        ("model=3", "expected fields with values"),
        ("model.name=lsmt", "`lsmt` is not allowed"),
        ("model.name.x=lstm", "`model.name`"),
    ],
)
def test_options_that_cannot_be_are_refused(option: str, message: str) -> None:
    """Each with a hint, as in a file."""
    with pytest.raises((UsageError, RecipeError), match="-o") as caught:
        catalog([option])

    assert message in str(caught.value)
    assert caught.value.hint


def test_options_that_contradict_each_other_are_refused() -> None:
    """The last one would win in silence."""
    for options in (
        ["model.layers=2", "model.layers=3"],
        ["model=3", "model.layers=2"],
        ["model.name=lstm", "model.heads=8"],
    ):
        with pytest.raises((UsageError, RecipeError), match=r"given twice|already has a value|not a field of `lstm`"):
            catalog(options)
