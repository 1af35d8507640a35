"""The options that all commands share, and the two streams they write to."""

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
        workspace: Folder of models and local caches, and of all other files if there is no `store`.
        store: Folder or URL for raw files, tasks and versions.
        parts: Functions that the commands of one package need from another, by name. `corpusmill.command` fills it,
            so that the packages need not import each other.
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
        """Print text on standard output."""
        print(text, flush=True)

    def say(self, text: str) -> None:
        """Print a message on standard error, unless ``--quiet`` is set."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning on standard error, also with ``--quiet``."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    @property
    def shows_progress(self) -> bool:
        """Whether progress is redrawn in place."""
        return not self.quiet and sys.stderr.isatty() and not os.environ.get("NO_PROGRESS")


def print_error(message: str, hint: str | None) -> None:
    """Print an error and its hint on standard error, also with ``--quiet``."""
    print(f"error: {message}", file=sys.stderr, flush=True)
    if hint:
        print(f"\nhint: {hint}\n", file=sys.stderr, flush=True)


def table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Format *rows* as aligned text with a heading. Numbers are aligned to the right.

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
