"""Pages show what the commands print and write."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def shown() -> ModuleType:
    """`docs/shown.py`, which is a script and no module of a package."""
    spec = importlib.util.spec_from_file_location("docs_shown", ROOT / "docs" / "shown.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_pages_show_is_what_the_commands_print(shown: ModuleType) -> None:
    """A reader compares; `make docs` writes the outputs anew."""
    pages = shown.pages()

    assert {page.name for page in pages} >= {"extract-main-text.md", "your-own-files.md"}
    assert [page.name for page in pages if shown.refreshed(page) != page.read_text(encoding="utf-8")] == []
