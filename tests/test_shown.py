"""The documentation shows the real output of the commands."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def shown() -> ModuleType:
    """Return `docs/shown.py` as a module; it is a script outside the packages."""
    spec = importlib.util.spec_from_file_location("docs_shown", ROOT / "docs" / "shown.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NIGHTS = "crawl-every-night.md"
"""A tutorial with three runs and three crawls."""
KINDS = "three-kinds.md"
"""A tutorial with a crawl and two runs."""


def test_pages_show_the_output_of_the_commands(shown: ModuleType) -> None:
    """Readers compare their output with the page; `make docs` updates the pages."""
    pages = [page for page in shown.pages() if page.name not in {NIGHTS, KINDS}]

    assert {page.name for page in pages} >= {"extract-main-text.md", "your-own-files.md"}
    assert [page.name for page in pages if shown.refreshed(page) != page.read_text(encoding="utf-8")] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [NIGHTS, KINDS])
def test_tutorials_with_a_crawl_show_the_output_of_the_commands(shown: ModuleType, name: str) -> None:
    """They show the nightly job from the crawl to `diff`, and licenses of several sources, with a real server."""
    (page,) = (page for page in shown.pages() if page.name == name)

    assert shown.refreshed(page) == page.read_text(encoding="utf-8")
