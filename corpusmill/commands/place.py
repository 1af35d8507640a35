"""The workspace of a command, and the place of a version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from corpusmill.schemas.errors import UsageError
from corpusmill.terminal.console import Console

if TYPE_CHECKING:
    from corpusmill.pipelines.workspace import Workspace


def workspace_of(console: Console) -> Workspace:
    """Return the workspace that ``--workspace`` and ``--store``, or the environment, name.

    Raises:
        UsageError: ``--store`` names a store that cannot be used.
    """
    from corpusmill.pipelines.workspace import workspace_at

    if console.store is not None and console.store.startswith("memory:"):
        raise UsageError(
            f"`{console.store}` would be empty again when this command ends",
            hint="use a folder or `s3://bucket/prefix`; `memory://` is for Python programs and their tests",
        )
    return workspace_at(console.workspace, console.store)


def version_place(console: Console, name: str) -> str:
    """Return the path or URL of the version *name*, which may also be a folder or a Parquet file."""
    from corpusmill.schemas.storage import is_url

    path = Path(name)
    if is_url(name) or (path.exists() and ("/" in name or path.suffix == ".parquet")):
        return name
    place: str = console.parts["open_version"](name, workspace=workspace_of(console)).address
    return place
