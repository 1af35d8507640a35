"""The section `schedule` of a training configuration."""

from __future__ import annotations

from pydantic import Field

from corpusmill.training.config.fields import Fields


class ScheduleConfig(Fields):
    """Linear warm-up, then half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    warm_up_steps: int = Field(default=100, ge=0)
    final_fraction: float = Field(default=0.1, ge=0, le=1, description="Last rate, as a part of the highest.")
