"""The learning rate as a function of the step."""

from __future__ import annotations

import math


def cosine_with_warm_up(step: int, *, steps: int, warm_up_steps: int, final_fraction: float) -> float:
    """Return the factor on the highest learning rate at *step* (from 0) of *steps*.

    It rises linearly during the warm-up, is 1 just after it, and falls along half a cosine to *final_fraction* at the
    last step (Loshchilov & Hutter 2017, arXiv:1608.03983).

    >>> [round(cosine_with_warm_up(step, steps=5, warm_up_steps=2, final_fraction=0.1), 2) for step in range(5)]
    [0.33, 0.67, 1.0, 0.55, 0.1]
    """
    if step < warm_up_steps:
        return (step + 1) / (warm_up_steps + 1)
    way = (step - warm_up_steps) / max(1, steps - 1 - warm_up_steps)
    return final_fraction + (1 - final_fraction) * (1 + math.cos(math.pi * min(1.0, way))) / 2
