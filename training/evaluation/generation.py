"""Generate text from a model, one token at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from corpusmill.schemas.errors import UsageError
from corpusmill.training.checkpoint import load_model
from corpusmill.training.data.tokenizer import end_of_text
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
    end = end_of_text(loaded.tokenizer)
    tokens: list[int] = [end, *loaded.tokenizer.encode(prompt, add_special_tokens=False).ids]
    first = len(tokens)
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        while len(tokens) < first + max_tokens:
            seen = torch.tensor([tokens[-loaded.model.config.sequence_length :]], device=loaded.device)
            logits = loaded.model(seen)[0, -1].cpu()  # the generator is on the CPU
            tokens.append(_drawn(logits, temperature=temperature, top_k=top_k, generator=generator))
            if tokens[-1] == end:
                tokens.pop()
                break
    return prompt + str(loaded.tokenizer.decode(tokens[first:], skip_special_tokens=False))


def _drawn(logits: Tensor, *, temperature: float, top_k: int | None, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    best = logits.topk(min(len(logits), top_k or len(logits)))
    chances = (best.values.double() / temperature).softmax(dim=0)
    return int(best.indices[torch.multinomial(chances, 1, generator=generator)])
