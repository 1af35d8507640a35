"""The models beside other implementations: layers of torch, and the equations of the papers in numpy."""
# ruff: noqa: N806 - names of arrays end in their shape

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.training.models.small import drawn_tokens, fill_weights, small_model

Array = npt.NDArray[Any]


def encoder_layer(width: int, heads: int, **options: Any) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.0, batch_first=True, **options)


def test_gpt_is_the_pre_norm_transformer_of_torch() -> None:
    """`nn.TransformerEncoderLayer` with the norms first and a causal mask is a layer of GPT-2."""
    model, tokens = small_model("gpt"), drawn_tokens(3)
    fill_weights(model)
    mask = nn.Transformer.generate_square_subsequent_mask(12)

    with torch.no_grad():
        hidden = model.get_submodule("embedding")(tokens) + model.get_submodule("positions").weight
        for block in model.get_submodule("blocks").children():
            layer = encoder_layer(16, 2, norm_first=True, activation=lambda x: functional.gelu(x, approximate="tanh"))
            state = {
                "self_attn.in_proj_": "attention.into.",
                "self_attn.out_proj.": "attention.out.",
                "linear1.": "feed_forward.into.",
                "linear2.": "feed_forward.out.",
                "norm1.": "attention_norm.",
                "norm2.": "feed_forward_norm.",
            }
            hidden = loaded(layer, block, state)(hidden, src_mask=mask)
        expected = model.get_submodule("norm")(hidden) @ model.get_submodule("embedding").weight.T
        assert torch.allclose(model(tokens), expected, atol=1e-4)


def test_bert_is_the_post_norm_transformer_of_torch() -> None:
    """Between the embedding and the output, BERT is `nn.TransformerEncoderLayer` with GELU."""
    model, tokens = small_model("bert"), drawn_tokens(3)
    fill_weights(model)

    with torch.no_grad():
        hidden = model.get_submodule("embedding")(tokens) + model.get_submodule("positions").weight
        hidden = model.get_submodule("norm")(hidden)
        for block in model.get_submodule("blocks").children():
            layer = encoder_layer(16, 2, activation="gelu", layer_norm_eps=1e-12)
            state = {
                "self_attn.in_proj_": "into.",
                "self_attn.out_proj.": "attention_out.",
                "linear1.": "feed_forward_into.",
                "linear2.": "feed_forward_out.",
                "norm1.": "attention_norm.",
                "norm2.": "feed_forward_norm.",
            }
            hidden = loaded(layer, block, state)(hidden)
        hidden = functional.gelu(model.get_submodule("transform")(hidden))
        hidden = model.get_submodule("transform_norm")(hidden)
        expected = hidden @ model.get_submodule("embedding").weight[:50].T + model.get_parameter("output_bias")
        assert torch.allclose(model(tokens), expected, atol=1e-4)


def loaded(layer: nn.TransformerEncoderLayer, block: nn.Module, names: dict[str, str]) -> nn.Module:
    """Return *layer* with the weights of *block*."""
    weights = block.state_dict()
    layer.load_state_dict(
        {theirs + kind: weights[ours + kind] for theirs, ours in names.items() for kind in ("weight", "bias")}
    )
    return layer.eval()


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def rnn_step(gates: list[Array], recurrent: list[Array], state: list[Array]) -> list[Array]:
    return [np.tanh(gates[0] + recurrent[0])]


def lstm_step(gates: list[Array], recurrent: list[Array], state: list[Array]) -> list[Array]:
    into, forget, cell, out = (one + other for one, other in zip(gates, recurrent, strict=True))
    kept = sigmoid(forget) * state[1] + sigmoid(into) * np.tanh(cell)
    return [sigmoid(out) * np.tanh(kept), kept]


def gru_step(gates: list[Array], recurrent: list[Array], state: list[Array]) -> list[Array]:
    reset, update = sigmoid(gates[0] + recurrent[0]), sigmoid(gates[1] + recurrent[1])
    return [(1 - update) * np.tanh(gates[2] + reset * recurrent[2]) + update * state[0]]


@pytest.mark.parametrize(
    ("name", "step", "gates"), [("rnn", rnn_step, 1), ("lstm", lstm_step, 4), ("gru", gru_step, 3)]
)
def test_recurrent_models_follow_their_equations(name: str, step: Any, gates: int) -> None:
    """One token after the other, with the projection to the width of the embedding and one matrix for both ends."""
    model, tokens = small_model(name, embedding_width=10), drawn_tokens(1)
    fill_weights(model)
    weights = {key: value.numpy().astype(np.float64) for key, value in model.state_dict().items()}
    inputs = weights["embedding.weight"][tokens[0].numpy()]
    for layer in range(2):
        state = [np.zeros(16), np.zeros(16)]
        into_GW, back_GW = (weights[f"layers.weight_{kind}_l{layer}"] for kind in ("ih", "hh"))
        into_bias, back_bias = (weights[f"layers.bias_{kind}_l{layer}"] for kind in ("ih", "hh"))
        outputs = []
        for vector in inputs:
            state = step(
                np.split(into_GW @ vector + into_bias, gates), np.split(back_GW @ state[0] + back_bias, gates), state
            )
            outputs.append(state[0])
        inputs = np.stack(outputs)

    expected = inputs @ weights["projection.weight"].T @ weights["embedding.weight"].T

    with torch.no_grad():
        np.testing.assert_allclose(model(tokens)[0].numpy(), expected, atol=1e-4)


def test_llama_follows_its_equations() -> None:
    """Rotary positions, grouped keys, RMS norms and SwiGLU, token by token and head by head."""
    model, tokens = small_model("llama", qk_norm=False, rope_base=50.0), drawn_tokens(1)
    fill_weights(model)
    weights = {key: value.numpy().astype(np.float64) for key, value in model.state_dict().items()}
    hidden = weights["embedding.weight"][tokens[0].numpy()]

    def norm(x: Array, name: str) -> Array:
        return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5) * weights[f"{name}.weight"]

    def turned(head: Array) -> Array:
        """Multiply pairs, as complex numbers, by e^(i position rate)."""
        pairs = head[:, :2] + 1j * head[:, 2:]
        pairs = pairs * np.exp(1j * np.arange(12)[:, None] * 50.0 ** (-np.arange(2) / 2))
        return np.concatenate([pairs.real, pairs.imag], axis=1)

    for layer in range(2):
        part = f"blocks.{layer}"
        normed = norm(hidden, f"{part}.attention_norm")
        query, key, value = (
            np.split(normed @ weights[f"{part}.attention.{name}.weight"].T, heads, axis=1)
            for name, heads in (("query", 4), ("key", 2), ("value", 2))
        )
        means = []
        for head in range(4):
            scores = turned(query[head]) @ turned(key[head // 2]).T / np.sqrt(4)
            scores = np.exp(np.where(np.tri(12, dtype=bool), scores, -np.inf))
            means.append(scores / scores.sum(axis=1, keepdims=True) @ value[head // 2])
        hidden = hidden + np.concatenate(means, axis=1) @ weights[f"{part}.attention.out.weight"].T
        normed = norm(hidden, f"{part}.feed_forward_norm")
        gate, into = (normed @ weights[f"{part}.feed_forward.{name}.weight"].T for name in ("gate", "into"))
        hidden = hidden + (gate * sigmoid(gate) * into) @ weights[f"{part}.feed_forward.out.weight"].T
    expected = norm(hidden, "norm") @ weights["embedding.weight"].T

    with torch.no_grad():
        np.testing.assert_allclose(model(tokens)[0].numpy(), expected, atol=1e-4)
