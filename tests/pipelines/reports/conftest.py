from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from corpusmill.pipelines.reports.describe import describe_version
from corpusmill.pipelines.reports.statistics import statistics
from tests.pipelines.reports.corpus import make_version


@pytest.fixture(scope="session")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with report, card and Croissant. Tests must not change it."""
    folder = make_version(tmp_path_factory.mktemp("version") / "v")
    describe_version(folder)
    return folder


@pytest.fixture(scope="session")
def figures(version: Path) -> dict[str, Any]:
    """The figures of the version. Tests must not change them."""
    return statistics(version)
