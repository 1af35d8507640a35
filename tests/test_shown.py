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


def test_pages_show_the_output_of_the_commands(shown: ModuleType) -> None:
    """Readers compare their output with the page; `make docs` updates the pages."""
    pages = [page for page in shown.pages() if page.name != NIGHTS]

    assert {page.name for page in pages} >= {"extract-main-text.md", "your-own-files.md"}
    assert [page.name for page in pages if shown.refreshed(page) != page.read_text(encoding="utf-8")] == []


@pytest.mark.slow
def test_the_tutorial_on_a_crawled_site_shows_the_output_of_the_commands(shown: ModuleType) -> None:
    """It shows the nightly job from the crawl to `diff`, with a real server."""
    (page,) = (page for page in shown.pages() if page.name == NIGHTS)

    assert shown.refreshed(page) == page.read_text(encoding="utf-8")
