"""What every command knows of how it was called, and the two streams it may write to."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusmill.schemas import DEFAULT_WORKSPACE


@dataclass
class Console:
    """The options that all commands share. Standard output carries data, standard error everything else.

    Args:
        workspace: Folder of what stays on this machine, and of all the rest where there is no `store`.
        store: Folder or URL for raw files, tasks and versions.
        parts: What one package needs of another, by name: `corpusmill.command` fills it, so that they need not import
            each other.
    """

    workspace: Path = Path(DEFAULT_WORKSPACE)
    store: str | None = None
    as_json: bool = False
    quiet: bool = False
    debug: bool = False
    parts: Mapping[str, Any] = field(default_factory=dict)

    def data(self, value: Any) -> None:
        """Print one JSON document, or one line of JSON Lines."""
        is_unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
        print(json.dumps(value, ensure_ascii=not is_unicode, default=str), flush=True)

    def text(self, text: str) -> None:
        """Print data in a form for people."""
        print(text, flush=True)

    def say(self, text: str) -> None:
        """Tell people what happens, on standard error."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Tell people what they should look at; not silenced by ``--quiet``."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    @property
    def shows_progress(self) -> bool:
        """Whether lines may be drawn over."""
        return not self.quiet and sys.stderr.isatty() and not os.environ.get("NO_PROGRESS")


def print_error(message: str, hint: str | None) -> None:
    """Print an error and, apart, what to do about it, on standard error; ``--quiet`` does not silence it."""
    print(f"error: {message}", file=sys.stderr, flush=True)
    if hint:
        print(f"\nhint: {hint}\n", file=sys.stderr, flush=True)


def table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Give *rows* as aligned text with a heading; numbers to the right.

    >>> print(table([{"name": "a", "rows": 10}, {"name": "bc", "rows": 7}], ["name", "rows"]))
    name  rows
    a       10
    bc       7
    """
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in [columns, *cells]) for index in range(len(columns))]
    right = [bool(rows) and all(isinstance(row.get(column), int | float | None) for row in rows) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in [columns, *cells]
    ]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return str(value)
