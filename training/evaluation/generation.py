"""Generate text from a model, one token at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from corpusmill.schemas.errors import UsageError
from corpusmill.training.checkpoint import load_model
from corpusmill.training.data.tokenizer import end_of_text
from corpusmill.training.models.base import LanguageModel
from corpusmill.training.runtime import choose_device


def generate(
    model_dir: Path | str,
    prompt: str = "",
    *,
    max_tokens: int = 200,
    temperature: float = 0.8,
    top_k: int | None = 50,
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> str:
    """Continue *prompt* with the model in *model_dir* (a run's folder or a checkpoint).

    Args:
        prompt: Beginning of the text; an empty prompt begins a new document.
        max_tokens: Maximum number of tokens to add; the model may end the document earlier.
        temperature: Divides the logits; 0 always chooses the most likely token.
        top_k: Sample from this many of the most likely tokens; None: from all.
        seed: Equal seeds give equal texts on one machine.
        device: Device of the model; ``auto`` is the GPU if torch detects one.

    Returns:
        *prompt* and its continuation.

    Raises:
        UsageError: The model does not exist, a number is out of range, or the requested GPU is missing.
    """
    if max_tokens < 0 or temperature < 0 or (top_k is not None and top_k < 1):
        raise UsageError("max_tokens and temperature must be at least 0, top_k at least 1")
    loaded = load_model(model_dir, device=choose_device(device))
    if loaded.model.config.objective != "next_token":
        raise UsageError(
            f"`{loaded.model.config.name}` predicts masked tokens: it cannot continue a text",
            hint="use a model that predicts next tokens, such as `model: {name: llama}`",
        )
    end = end_of_text(loaded.tokenizer)
    tokens: list[int] = [end, *loaded.tokenizer.encode(prompt, add_special_tokens=False).ids]
    first = len(tokens)
    predict = _Predictions(loaded.model)
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        while len(tokens) < first + max_tokens:
            logits = predict(tokens)
            tokens.append(_drawn(logits, temperature=temperature, top_k=top_k, generator=generator))
            if tokens[-1] == end:
                tokens.pop()
                break
    return prompt + str(loaded.tokenizer.decode(tokens[first:], skip_special_tokens=False))


class _Predictions:
    """The logits of the token after a text that grows by a token at a time, shape (V,), on the CPU.

    Tokens seen before are not read again while the cache takes them. After that, each prediction reads the last
    `sequence_length` tokens.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._length = model.config.sequence_length
        self._cache = model.new_cache(1, self._length)

    def __call__(self, tokens: list[int]) -> Tensor:
        cache = self._cache
        fits = cache.length is None or len(tokens) <= cache.length
        unseen = tokens[cache.filled :] if fits else tokens[-self._length :]
        seen = torch.tensor([unseen], device=next(self._model.parameters()).device)
        last = torch.tensor([len(unseen) - 1], device=seen.device)
        return self._model(seen, cache=cache if fits else None, at_N=last)[0].float().cpu()  # type: ignore[no-any-return]


def _drawn(logits: Tensor, *, temperature: float, top_k: int | None, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    best = logits.topk(min(len(logits), top_k or len(logits)))
    chances = (best.values.double() / temperature).softmax(dim=0)
    return int(best.indices[torch.multinomial(chances, 1, generator=generator)])
