"""The list of runs, in a database that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.pipelines.workspace import Workspace, workspace_at
from corpusmill.schemas.errors import DamagedFileError, UnfinishedError
from tests.read_only import read_only


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with one run that goes on."""
    workspace = workspace_at(tmp_path)
    workspace.start_run(dataset="made", recipe="recipe.yaml", engine="local")
    return workspace


def test_a_read_only_database_is_named(workspace: Workspace) -> None:
    """Folder and store can be written, so nothing found it before the run began."""
    with read_only(workspace.database), pytest.raises(UnfinishedError) as refused:
        workspace.start_run(dataset="made", recipe="recipe.yaml", engine="local")

    assert refused.value.file == str(workspace.database)
    assert "permissions" in str(refused.value.hint)


def test_what_is_no_database_is_set_aside_by_the_doctor(workspace: Workspace) -> None:
    """Nothing is lost with it: the versions are elsewhere."""
    workspace.database.write_text("no database, but long enough for the header of one" * 20)

    with pytest.raises(DamagedFileError) as refused:
        workspace.runs()

    assert "doctor --repair" in str(refused.value.hint)
