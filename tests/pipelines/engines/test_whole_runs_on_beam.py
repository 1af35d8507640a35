"""Beam publishes what the local engine publishes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.pipelines.engines.whole_runs import RUNS, differs_from_local
from tests.shared_engines import SharedEngines

pytestmark = pytest.mark.engine
pytest.importorskip("apache_beam")


SELDOM: Final = ("near_dedup",)
"""Runs whose steps are all in another one."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SELDOM else ()) for name in RUNS]
)
def test_beam_changes_nothing(shared_engine: SharedEngines, tmp_path: Path, name: str) -> None:
    """Moving to another engine must not change the corpus."""
    assert not differs_from_local(name, tmp_path, shared_engine("beam"))
