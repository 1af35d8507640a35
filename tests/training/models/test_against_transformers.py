"""Equal weights give the logits of Hugging Face `transformers`, where it is installed."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.training.models.small import drawn_tokens, fill_weights, small_model

transformers: Any = pytest.importorskip("transformers")
pytestmark = pytest.mark.slow


def copied(theirs: nn.Module, ours: nn.Module, names: dict[str, str], *, transposed: tuple[str, ...] = ()) -> nn.Module:
    """Return *theirs* with the weights of *ours*. *names* are patterns of our names and what they are in theirs."""
    state: dict[str, Tensor] = {}
    for name, value in ours.state_dict().items():
        pattern = next(pattern for pattern in names if re.fullmatch(pattern, name))
        other = re.sub(pattern, names[pattern], name)
        state[other] = value.T if other.endswith("weight") and any(part in other for part in transposed) else value
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert unexpected == []
    assert [name for name in missing if "lm_head" not in name and "decoder" not in name] == []
    return theirs.eval()


def test_gpt_has_the_logits_of_gpt2() -> None:
    """Their linear layers have transposed weights."""
    ours = small_model("gpt")
    fill_weights(ours)
    config = transformers.GPT2Config(
        vocab_size=50, n_positions=12, n_embd=16, n_layer=2, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
    )
    names = {
        r"embedding\.(.*)": r"transformer.wte.\1",
        r"positions\.(.*)": r"transformer.wpe.\1",
        r"norm\.(.*)": r"transformer.ln_f.\1",
        r"blocks\.(\d)\.attention_norm\.(.*)": r"transformer.h.\1.ln_1.\2",
        r"blocks\.(\d)\.feed_forward_norm\.(.*)": r"transformer.h.\1.ln_2.\2",
        r"blocks\.(\d)\.attention\.into\.(.*)": r"transformer.h.\1.attn.c_attn.\2",
        r"blocks\.(\d)\.attention\.out\.(.*)": r"transformer.h.\1.attn.c_proj.\2",
        r"blocks\.(\d)\.feed_forward\.into\.(.*)": r"transformer.h.\1.mlp.c_fc.\2",
        r"blocks\.(\d)\.feed_forward\.out\.(.*)": r"transformer.h.\1.mlp.c_proj.\2",
    }

    theirs = copied(transformers.GPT2LMHeadModel(config), ours, names, transposed=("c_attn", "c_proj", "c_fc"))

    assert_equal_logits(ours, theirs)


def test_llama_has_the_logits_of_llama() -> None:
    """With grouped keys, and an output matrix of its own."""
    ours = small_model("llama", qk_norm=False, tie_weights=False)
    fill_weights(ours)
    config = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=12,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
    )
    names = {
        r"embedding\.(.*)": r"model.embed_tokens.\1",
        r"output\.(.*)": r"lm_head.\1",
        r"norm\.(.*)": r"model.norm.\1",
        r"blocks\.(\d)\.attention_norm\.(.*)": r"model.layers.\1.input_layernorm.\2",
        r"blocks\.(\d)\.feed_forward_norm\.(.*)": r"model.layers.\1.post_attention_layernorm.\2",
        r"blocks\.(\d)\.attention\.out\.(.*)": r"model.layers.\1.self_attn.o_proj.\2",
        r"blocks\.(\d)\.attention\.([qkv])\w+\.(.*)": r"model.layers.\1.self_attn.\2_proj.\3",
        r"blocks\.(\d)\.feed_forward\.into\.(.*)": r"model.layers.\1.mlp.up_proj.\2",
        r"blocks\.(\d)\.feed_forward\.gate\.(.*)": r"model.layers.\1.mlp.gate_proj.\2",
        r"blocks\.(\d)\.feed_forward\.out\.(.*)": r"model.layers.\1.mlp.down_proj.\2",
    }

    theirs = copied(transformers.LlamaForCausalLM(config), ours, names)

    assert_equal_logits(ours, theirs)


def test_bert_has_the_logits_of_bert() -> None:
    """Our mask is the last of their tokens, whose logit ours does not have; types of tokens add nothing."""
    ours = small_model("bert")
    fill_weights(ours)
    config = transformers.BertConfig(
        vocab_size=51,
        hidden_size=16,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=12,
        hidden_dropout_prob=0,
        attention_probs_dropout_prob=0,
    )
    theirs = transformers.BertForMaskedLM(config)
    layer = r"bert.encoder.layer.\1"
    names = {
        r"embedding\.(.*)": r"bert.embeddings.word_embeddings.\1",
        r"positions\.(.*)": r"bert.embeddings.position_embeddings.\1",
        r"norm\.(.*)": r"bert.embeddings.LayerNorm.\1",
        r"transform\.(.*)": r"cls.predictions.transform.dense.\1",
        r"transform_norm\.(.*)": r"cls.predictions.transform.LayerNorm.\1",
        r"output_bias": r"cls.predictions.bias",
        r"blocks\.(\d)\.(query|key|value)\.(.*)": layer + r".attention.self.\2.\3",
        r"blocks\.(\d)\.attention_out\.(.*)": layer + r".attention.output.dense.\2",
        r"blocks\.(\d)\.attention_norm\.(.*)": layer + r".attention.output.LayerNorm.\2",
        r"blocks\.(\d)\.feed_forward_into\.(.*)": layer + r".intermediate.dense.\2",
        r"blocks\.(\d)\.feed_forward_out\.(.*)": layer + r".output.dense.\2",
        r"blocks\.(\d)\.feed_forward_norm\.(.*)": layer + r".output.LayerNorm.\2",
    }

    theirs = copied(theirs, _Split(ours), {**names, r"bert\..*token_type.*": r"\g<0>"})

    assert_equal_logits(ours, theirs)


class _Split(nn.Module):
    """BERT with the weights of queries, keys and values apart, a bias for the mask, and types of tokens of zeros."""

    def __init__(self, ours: nn.Module) -> None:
        super().__init__()
        self._ours = ours

    def state_dict(self, *_: Any, **__: Any) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {"bert.embeddings.token_type_embeddings.weight": torch.zeros(2, 16)}
        for name, value in self._ours.state_dict().items():
            if ".into." in name:
                for part, numbers in zip(("query", "key", "value"), value.chunk(3), strict=True):
                    state[name.replace(".into.", f".{part}.")] = numbers
            else:
                state[name] = torch.cat([value, torch.zeros(1)]) if name == "output_bias" else value
        return state


def assert_equal_logits(ours: nn.Module, theirs: Any) -> None:
    tokens = drawn_tokens(3)
    with torch.no_grad():
        expected = theirs(tokens).logits[..., :50]
        assert expected.std() > 0.1
        assert torch.allclose(ours(tokens), expected, atol=1e-4)
