"""`metrics.jsonl`: one line for each step, in order and without duplicates, even if the run was killed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from corpusmill.schemas.storage import write_atomically

METRICS_FILE: Final = "metrics.jsonl"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of the file at *path*, up to a truncated one; empty if there is no file."""
    if not path.is_file():
        return []
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


class MetricsFile:
    """Appends lines to the file at *path*.

    Args:
        last_step: The step after which to continue. Later lines, left by a killed run, are dropped.
    """

    def __init__(self, path: Path, *, last_step: int) -> None:
        kept = [line for line in read_metrics(path) if line["step"] <= last_step]
        write_atomically(path, "".join(f"{json.dumps(line)}\n" for line in kept))
        self._file = path.open("a", encoding="utf-8")

    def write(self, line: dict[str, Any]) -> None:
        """Append *line*. It survives the end of this process."""
        self._file.write(f"{json.dumps(line)}\n")
        self._file.flush()

    def sync(self) -> None:
        """Flush all lines to the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
