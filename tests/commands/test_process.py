"""How the process of a command is set up: what it imports, and how it allocates."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crawlers.sites import CONTACT, page, serve

pytest.importorskip("pandas", reason="without pandas there is nothing to avoid")

COMMAND = """
import sys
from corpusmill.command import main
try:
    main(sys.argv[1:])
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

    done = _run(tmp_path, "dedup", "notes.jsonl", "--out", "out")

    assert done.returncode == 0, done.stderr


def test_a_crawl_does_not_import_pandas(tmp_path: Path) -> None:
    """The ledger of a crawl is the first table of its process. The page that is missing has a row in it."""
    with serve({"/": page("/missing")}) as site:
        source = {"name": "site", "start_urls": [site.url], "contact": CONTACT, "delay": 0.0, "allow_private": True}
        recipe = {"dataset": "pages", "sources": [{"crawl": source}], "stages": ["extract"]}
        (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))

        done = _run(tmp_path, "crawl", "recipe.yaml")

    assert done.returncode == 0, done.stderr


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, *arguments, "--quiet"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="Arrow's packages for other systems may lack jemalloc")
@pytest.mark.parametrize(("chosen", "used"), [(None, "jemalloc"), ("system", "system")])
def test_arrow_allocates_with_jemalloc_unless_the_user_chose(
    chosen: str | None, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes less memory than Arrow's default, and an unknown allocator would print a warning."""
    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL", raising=False)
    if chosen is not None:
        monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", chosen)
    program = "from corpusmill.command import main\ntry: main(['--version'])\nexcept SystemExit: pass\n"
    program += "import pyarrow as pa\nprint(pa.default_memory_pool().backend_name)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.split()[-1] == used
    assert not done.stderr
