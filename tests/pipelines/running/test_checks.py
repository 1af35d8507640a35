"""The gate before publication."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.schemas.errors import ChecksFailedError
from tests.corpora import write_project
from tests.test_promises import run_once


def test_a_failed_check_publishes_nothing_unless_it_is_accepted(tmp_path: Path) -> None:
    """The gate before publication, and its key."""
    recipe = write_project(tmp_path / "project")
    recipe.write_text(recipe.read_text() + "checks: {max_error_rate: 0.001, min_documents: 10000}\n")

    with pytest.raises(ChecksFailedError, match=r"min_documents: \d+ documents are left, below 10000; max_error_rate"):
        run_once(recipe, tmp_path / "workspace")
    result, _ = run_once(recipe, tmp_path / "workspace", accept=True)

    assert result["status"] == "published"
    assert len(result["warnings"]) >= 2
