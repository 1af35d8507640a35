from pathlib import Path

import pytest

from tests.corpora import write_project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with its files. Tests must not change it."""
    return write_project(tmp_path_factory.mktemp("project"), count=60)
