"""Spark publishes what the local engine publishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.engines.whole_runs import RUNS, differs_from_local
from tests.shared_engines import SharedEngines

pytestmark = pytest.mark.engine
pytest.importorskip("pyspark")


@pytest.mark.parametrize("name", RUNS)
def test_spark_changes_nothing(shared_engine: SharedEngines, tmp_path: Path, name: str) -> None:
    """Moving to another engine must not change the corpus."""
    assert not differs_from_local(name, tmp_path, shared_engine("spark"))
