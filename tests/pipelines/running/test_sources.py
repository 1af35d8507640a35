"""Sources are got once, and are what they were when they were got."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.schemas.errors import DamagedFileError
from tests.corpora import write_project
from tests.test_promises import run_once


def test_a_file_that_changed_since_it_was_loaded_is_named(tmp_path: Path) -> None:
    """What the manifest promises is not there any more: nothing is published."""
    recipe = write_project(tmp_path / "project")
    run_once(recipe, tmp_path / "workspace")
    changed = next((tmp_path / "project" / "lines").iterdir())
    changed.write_bytes(changed.read_bytes() + b'{"id": "late", "text": "x"}\n')

    with pytest.raises(DamagedFileError, match=changed.name) as caught:
        run_once(recipe, tmp_path / "workspace")

    assert "corpusmill load" in str(caught.value.hint)
