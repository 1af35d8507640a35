"""Read-only folders: by mode for normal users, by a flag of the file system for root."""

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
    """Make *path* and its content read-only inside the block; skip the test if root can still write."""
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
        completed = subprocess.run(["chattr", "+i", *paths], capture_output=True, text=True, check=False)
        if completed.returncode:
            pytest.skip(f"root writes everywhere: {completed.stderr.strip()}")
        yield
    finally:
        subprocess.run(["chattr", "-i", *paths], capture_output=True, check=False)
