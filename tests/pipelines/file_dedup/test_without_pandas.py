"""`corpusmill dedup` must not spend a tenth of its time on importing pandas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="without pandas there is nothing to avoid")

DEDUP = """
import sys
from corpusmill.command import main
try:
    main(["dedup", "notes.jsonl", "--out", "out", "--quiet"])
except SystemExit as end:
    assert not end.code, end.code
assert "pandas" not in sys.modules
import pandas
assert pandas.Series([1, 2]).sum() == 3
"""


def test_the_command_does_not_import_pandas_and_leaves_it_importable(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text(
        '{"id": "a", "text": "one two three"}\n{"id": "b", "text": "one two three"}\n'
    )

    done = subprocess.run([sys.executable, "-c", DEDUP], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
