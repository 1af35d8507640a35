"""Text from a model, one token after the other."""

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
        prompt: Beginning of the text; empty begins a new document.
        max_tokens: Tokens to add; fewer when the model ends the document.
        temperature: Divides the logits; 0 always takes the likeliest token.
        top_k: Draw from the likeliest tokens only; None: from all.
        seed: Equal seeds give equal texts on one machine.
        device: Where the model computes; ``auto`` is the GPU where torch sees one.

    Returns:
        *prompt* and its continuation.

    Raises:
        UsageError: No such model, a number out of its range, or a GPU that is not there.
    """
    if max_tokens < 0 or temperature < 0 or (top_k is not None and top_k < 1):
        raise UsageError("max_tokens and temperature have to be at least 0, top_k at least 1")
    loaded = load_model(model_dir, device=choose_device(device))
    end = end_of_text(loaded.tokenizer)
    tokens: list[int] = [end, *loaded.tokenizer.encode(prompt, add_special_tokens=False).ids]
    first = len(tokens)
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        while len(tokens) < first + max_tokens:
            seen = torch.tensor([tokens[-loaded.model.config.sequence_length :]], device=loaded.device)
            logits = loaded.model(seen)[0, -1].cpu()  # where the generator is
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
