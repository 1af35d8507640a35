from pathlib import Path

import pytest

from corpusmill.pipelines.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "corpus")
