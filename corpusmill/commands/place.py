"""The workspace that a command was called for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corpusmill.terminal.console import Console

if TYPE_CHECKING:
    from corpusmill.pipelines.workspace import Workspace


def workspace_of(console: Console) -> Workspace:
    """Return the workspace that ``--workspace`` and ``--store``, or the environment, name.

    Raises:
        UsageError: ``--store`` names no store that can be used.
    """
    from corpusmill.pipelines.workspace import workspace_at

    return workspace_at(console.workspace, console.store)
