"""Folders in which nobody writes: users by their mode, root by a flag of the file system."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Refuse writing to *path*, and to all that is in it, as long as the block runs; skip the test where root may."""
    paths = [path, *path.rglob("*")] if path.is_dir() else [path]
    if os.geteuid() == 0:
        with _immutable(paths):
            yield
        return
    modes = {each: each.stat().st_mode for each in paths}
    for each, mode in modes.items():
        each.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for each, mode in modes.items():
            each.chmod(mode)


@contextlib.contextmanager
def _immutable(paths: list[Path]) -> Iterator[None]:
    if shutil.which("chattr") is None:
        pytest.skip("root writes everywhere, and there is no chattr")
    try:
        done = subprocess.run(["chattr", "+i", *paths], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"root writes everywhere: {done.stderr.strip()}")
        yield
    finally:
        subprocess.run(["chattr", "-i", *paths], capture_output=True, check=False)
