"""Likelihood: exact for models whose answer is known, and independent of how windows are batched."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.training import evaluate, generate
from corpusmill.training.checkpoint import load_model
from corpusmill.training.config import ModelConfig
from corpusmill.training.data import load_tokenizer
from corpusmill.training.data.tokenizer import end_of_text
from corpusmill.training.evaluation import likelihood
from corpusmill.training.evaluation.likelihood import Document, score_documents
from corpusmill.training.models.llama import Llama
from tests.training.corpora import drawn_texts, write_corpus

SIZE = ModelConfig(layers=1, heads=1, width=8, sequence_length=8)
TEXTS = [
    Document(text, "site" if number % 3 else "files") for number, text in enumerate(drawn_texts(20, words=30)) if text
]


@pytest.fixture(scope="module")
def tokenizer(tokenizer_dir: Path) -> Any:
    return load_tokenizer(tokenizer_dir)


def drawn_model(tokenizer: Any) -> Llama:
    model = Llama(SIZE, vocabulary_size=tokenizer.get_vocab_size())
    model.reset_parameters(seed=1)
    return model


def test_a_uniform_model_needs_the_logarithm_of_its_vocabulary(tokenizer: Any) -> None:
    """The definition: log2(V) bits per token, times tokens, divided by bytes."""
    model = drawn_model(tokenizer)
    tokens = sum(len(tokenizer.encode(text.text).ids) for text in TEXTS)
    size = sum(len(text.text.encode()) for text in TEXTS)

    def uniform(tokens_BS: Tensor) -> Tensor:  # noqa: N803
        return torch.zeros(*tokens_BS.shape, tokenizer.get_vocab_size())

    total = score_documents(model, tokenizer, TEXTS, forward=uniform).total

    assert (total.documents, total.tokens, total.bytes) == (len(TEXTS), tokens, size)
    assert total.loss == pytest.approx(math.log(tokenizer.get_vocab_size()))
    assert total.bits_per_byte == pytest.approx(math.log2(tokenizer.get_vocab_size()) * tokens / size)


def test_a_uniform_model_of_bytes_needs_eight_bits(tokenizer_dir: Path) -> None:
    """The unit is the byte: with one token for each byte and 256 equal chances, 8 bits."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: number for number, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(["<|endoftext|>"])

    def uniform(tokens_BS: Tensor) -> Tensor:  # noqa: N803
        return torch.zeros(*tokens_BS.shape, 257).index_fill(2, torch.tensor([256]), -torch.inf)

    model = Llama(SIZE, vocabulary_size=257)

    assert score_documents(model, tokenizer, TEXTS, forward=uniform).total.bits_per_byte == pytest.approx(8)


def test_scores_are_those_of_one_document_after_the_other(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows are sorted, padded and batched, which must not affect scores."""
    model = drawn_model(tokenizer)
    end = end_of_text(tokenizer)
    nats = dict.fromkeys(("site", "files"), 0.0)
    for text in TEXTS:
        tokens = [end, *tokenizer.encode(text.text).ids]
        for start in range(0, len(tokens) - 1, 8):
            window = torch.tensor([tokens[start : start + 9]])
            chances = model(window[:, :-1]).log_softmax(-1)
            nats[text.source] -= chances.gather(2, window[:, 1:, None]).sum().item()

    monkeypatch.setattr(likelihood, "_BATCH_TOKENS", 24)
    monkeypatch.setattr(likelihood, "_BULK_CHARACTERS", 200)
    score = score_documents(model, tokenizer, TEXTS)

    assert {name: tally.nats for name, tally in score.by_source.items()} == pytest.approx(nats, rel=1e-5)
    assert score.total.nats == pytest.approx(sum(nats.values()), rel=1e-5)


def test_evaluation_names_sources_and_baseline(trained: Path, version_dir: Path) -> None:
    """What `corpusmill evaluate --baseline trigram` prints."""
    result = evaluate(trained, version_dir, baseline="trigram")

    assert set(result["by_source"]) == {"site", "files"}
    assert result["tokens"] == sum(source["tokens"] for source in result["by_source"].values())
    assert result["perplexity"] == pytest.approx(math.exp(result["loss"]))
    assert 0 < result["baseline"]["bits_per_byte"] < 8
    assert result["baseline"]["gain"] == pytest.approx(result["baseline"]["bits_per_byte"] - result["bits_per_byte"])
    assert result["version"] == "0123456789abcdef"


def test_what_cannot_be_evaluated_is_refused(trained: Path, version_dir: Path, tmp_path: Path) -> None:
    """Each case has its own message."""
    with pytest.raises(SourceError, match="has no text"):
        evaluate(trained, version_dir, split="test")
    with pytest.raises(UsageError, match="unknown baseline"):
        evaluate(trained, version_dir, baseline="bigram")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no trained model"):
        evaluate(tmp_path, write_corpus(tmp_path))


def test_generation_repeats_with_its_seed(trained: Path) -> None:
    """A sample in a report has to be reproducible."""
    first = generate(trained, "the crawl", max_tokens=30, seed=1)

    assert first.startswith("the crawl")
    assert generate(trained, "the crawl", max_tokens=30, seed=1) == first
    assert len({generate(trained, "the crawl", max_tokens=30, seed=seed) for seed in range(5)}) > 1


def test_generation_at_zero_takes_the_likeliest(trained: Path) -> None:
    """Seeds do not matter then, and neither does the bound on candidates."""
    texts = {generate(trained, "a", max_tokens=20, temperature=0, top_k=k, seed=k) for k in (1, 2, 3)}

    assert len(texts) == 1


def test_generation_reads_as_much_as_the_model_can_see(trained: Path) -> None:
    """With the cache and, when it is full, with the last tokens: the same as reading the window for each token."""
    loaded = load_model(trained, device=torch.device("cpu"))
    first = [end_of_text(loaded.tokenizer), *loaded.tokenizer.encode("the").ids]
    tokens = list(first)
    with torch.inference_mode():
        while len(tokens) < len(first) + 40:
            best = int(loaded.model(torch.tensor([tokens[-16:]]))[0, -1].argmax())
            if best == first[0]:
                break
            tokens.append(best)

    text = generate(trained, "the", max_tokens=40, temperature=0)

    assert len(tokens) > 20
    assert text == "the" + loaded.tokenizer.decode(tokens[len(first) :])


def test_generation_refuses_senseless_numbers(trained: Path) -> None:
    """A negative temperature would silently prefer unlikely tokens."""
    with pytest.raises(UsageError):
        generate(trained, temperature=-1)
    with pytest.raises(UsageError):
        generate(trained, top_k=0)
    assert generate(trained, "abc", max_tokens=0) == "abc"
