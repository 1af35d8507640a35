"""`evaluate`: score a trained model on a split of a version."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.training.checkpoint import load_model
from corpusmill.training.data.shards import Corpus, Place, open_corpus
from corpusmill.training.evaluation.likelihood import documents
from corpusmill.training.evaluation.scoring import score_texts
from corpusmill.training.evaluation.trigram import count_trigrams
from corpusmill.training.runtime import choose_device


def evaluate(
    model_dir: Path | str,
    version_dir: Place,
    *,
    split: str = "validation",
    baseline: Literal["trigram"] | None = None,
    text_column: str = "text",
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> dict[str, Any]:
    """Score the model in *model_dir* (a run's folder or a checkpoint) on a split of a version.

    *version_dir* is the path or URL of the version. *device* ``auto`` is the GPU if torch detects one.

    Returns:
        `loss` (nats per token), `perplexity`, `bits_per_byte`, `documents`, `tokens`, `bytes`, the same `by_source`,
        and `model`, `step`, `version` and `split`. With *baseline*, `baseline` has the bits per byte of a byte trigram
        model (`evaluation.trigram`) of the train split on the same documents, and `gain` is the improvement of the
        model over it. For a model of masked tokens, the loss is in nats per masked token, `masked_tokens` and
        `masked_accuracy` are added, and `bits_per_byte` is None. Non-finite numbers are None.

    Raises:
        UsageError: The model or version does not exist, the baseline is unknown, or the requested GPU is missing.
        SourceError: The split has no text.
        UnfinishedError: The store refuses access or does not respond.
    """
    if baseline not in {None, "trigram"}:
        raise UsageError(f"unknown baseline {baseline!r}", hint="the baseline is `trigram`")
    loaded = load_model(model_dir, device=choose_device(device))
    if baseline is not None and loaded.model.config.objective == "masked":
        raise UsageError(
            f"`{loaded.model.config.name}` predicts masked tokens, which a trigram model does not",
            hint="leave out the baseline",
        )
    corpus = open_corpus(version_dir, split=split, text_column=text_column)
    score = score_texts(loaded.model, loaded.tokenizer, documents(corpus), objective=loaded.objective)
    if not score.total.bytes:
        raise SourceError(f"the split `{split}` of {corpus.path} has no text", hint="use another `--split`")
    result: dict[str, Any] = score.total.figures() | {
        "by_source": {name: tally.figures() for name, tally in sorted(score.by_source.items())}
    }
    result |= {"model": str(loaded.path), "step": loaded.state["step"], "version": corpus.version, "split": split}
    if baseline is None:
        return result
    bits = trigram_bits_per_byte(corpus, open_corpus(version_dir, split="train", text_column=text_column))
    return result | {"baseline": {"name": "trigram", "bits_per_byte": bits, "gain": bits - score.total.bits_per_byte}}


def trigram_bits_per_byte(corpus: Corpus, training: Corpus) -> float:
    """Return the bits per byte of *corpus* under a byte trigram model of *training*."""
    model = count_trigrams(document.text.encode() for document in documents(training))
    return model.bits_per_byte(document.text.encode() for document in documents(corpus))
