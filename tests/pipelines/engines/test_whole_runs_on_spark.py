"""Spark publishes what the local engine publishes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.pipelines.engines.whole_runs import RUNS, differs_from_local
from tests.shared_engines import SharedEngines

pytestmark = pytest.mark.engine
pytest.importorskip("pyspark")


ALWAYS: Final = ("incremental",)
"""Runs that are part of every test. The others take minutes on Spark."""


@pytest.mark.parametrize(
    "name", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.slow) for name in RUNS]
)
def test_spark_changes_nothing(shared_engine: SharedEngines, tmp_path: Path, name: str) -> None:
    """Moving to another engine must not change the corpus."""
    assert not differs_from_local(name, tmp_path, shared_engine("spark"))
