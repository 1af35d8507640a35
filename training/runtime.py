"""The machine of a run: device, precision, threads, and settings for repeatable results."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
import torch.utils.deterministic as deterministic

from corpusmill.schemas.errors import UsageError
from corpusmill.training.config import TrainConfig


@dataclass(frozen=True)
class Runtime:
    """The environment in which a run computes.

    Attributes:
        threads: CPU threads. Another number changes the order of additions, so losses differ in their last digits.
    """

    device: torch.device
    mixed: bool
    threads: int

    @property
    def precision(self) -> str:
        """Precision of matrix multiplications; weights are always float32."""
        return "bfloat16" if self.mixed else "float32"

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the model is called."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16) if self.mixed else nullcontext()


@contextmanager
def repeatable(config: TrainConfig) -> Iterator[Runtime]:
    """Configure torch as in *config*, and restore its settings afterwards.

    Raises:
        UsageError: The requested GPU is missing.
    """
    device = choose_device(config.device)
    mixed = config.precision == "bfloat16" or (config.precision == "auto" and _has_bfloat16(device))
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    threads = config.threads or os.cpu_count() or 1
    try:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True)
        # Filling uninitialized memory only helps to detect bugs, and takes time.
        deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        # torch draws initial weights, which are then replaced, and dropout.
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.type == "cuda" else []):
            yield Runtime(device, mixed, threads)
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def choose_device(wanted: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """Return the device *wanted*; ``auto`` is the GPU if torch detects one.

    Raises:
        UsageError: The requested GPU is missing.
    """
    present = torch.cuda.is_available()
    if wanted == "cuda" and not present:
        raise UsageError("`device: cuda`, but torch detects no GPU", hint="use `device: auto`")
    if wanted == "cpu" or not present:
        return torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # makes cuBLAS repeatable
    return torch.device("cuda")


def _has_bfloat16(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
