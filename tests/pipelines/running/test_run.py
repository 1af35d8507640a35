"""One run: who may work, what is recorded, what the options change."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.dataset.version import version_in
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UnfinishedError
from tests.test_promises import run_once


def test_two_runs_of_one_data_set_do_not_meet(project: Path, tmp_path: Path) -> None:
    """The second one is told who holds the lock, and ends with exit code 5."""
    with (
        Workspace(tmp_path).lock("dataset", "made"),
        pytest.raises(UnfinishedError, match=f"process {os.getpid()}"),
    ):
        run_once(project, tmp_path)


def captured(version: Path) -> list[str]:
    """Give the ids of all documents that were read, in order."""
    files = version_in(version).files("origin")
    return sorted({identity for file in files for identity in pq.read_table(file)["id"].to_pylist()})


def test_a_sample_of_the_smallest_ids_is_a_data_set_of_its_own(project: Path, tmp_path: Path) -> None:
    """`--limit` looks at the whole way with few documents, and never replaces the real thing."""
    everything, _ = run_once(project, tmp_path)

    result, _ = run_once(project, tmp_path, limit=30)

    assert result["dataset"] == "made-sample"
    assert captured(Path(result["path"])) == captured(Path(everything["path"]))[:30]
