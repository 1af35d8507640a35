"""Names of files that are being written. They contain the writer, so that files of dead processes can be removed."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
import zlib
from functools import cache
from pathlib import Path
from typing import Final

_OLD_S: Final = 24 * 3600
"""A file of another machine that was not modified for this long has no writer anymore."""
_NAME: Final = re.compile(r"\.a([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.")


def attempt_name() -> str:
    """Return a new name for an attempt of this process: ``a<machine>-<process>-<random>``."""
    return f"a{_machine()}-{os.getpid()}-{os.urandom(4).hex()}"


@cache
def _machine() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def is_attempt(name: str) -> bool:
    """Return whether *name* is the file name of an attempt: ``<name>.<attempt>.<anything>``."""
    return _NAME.search(name) is not None


def is_left_over(path: Path) -> bool:
    """Return whether the file at *path* belongs to an attempt whose process has ended."""
    match = _NAME.search(path.name)
    if match is None:
        return False
    if match[1] == _machine():
        return not is_alive(int(match[2]))
    try:
        return time.time() - path.stat().st_mtime > _OLD_S
    except FileNotFoundError:
        return False


def is_alive(pid: int) -> bool:
    """Return whether the process *pid* of this machine is running."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sweep(prefix: Path) -> None:
    """Remove the files ``<prefix>.*`` that dead attempts left behind."""
    start = f"{prefix.name}."
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(prefix.parent):  # `Path.glob` takes a hundred times longer
            if name.startswith(start) and is_left_over(path := prefix.parent / name):
                path.unlink(missing_ok=True)
