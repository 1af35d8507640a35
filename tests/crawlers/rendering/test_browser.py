"""Chromium is looked for before a crawl starts, and an error says where."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.rendering.browser import find_browser
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import MissingExtraError, UsageError
from corpusmill.schemas.installing import install_command
from tests.crawlers.sites import CONTACT


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_variable_comes_before_the_path_and_that_before_browsers_of_playwright(tmp_path: Path) -> None:
    """The newest browser of Playwright is used."""
    for number in (1100, 1200):
        downloaded = program(tmp_path / "home/.cache/ms-playwright" / f"chromium-{number}/chrome-linux64/chrome")
    environment = {"HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "bin")}

    assert find_browser(environment) == str(downloaded)
    moved = {"HOME": "/", "PLAYWRIGHT_BROWSERS_PATH": str(downloaded.parents[2])}
    assert find_browser(environment | moved) == str(downloaded)
    on_path = program(tmp_path / "bin/chromium-browser")
    assert find_browser(environment) == str(on_path)
    named = program(tmp_path / "own")
    assert find_browser(environment | {"CORPUSMILL_BROWSER": str(named)}) == str(named)


def test_a_missing_browser_is_an_error_that_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """The hint has the commands that help."""
    with pytest.raises(UsageError, match="no chromium, chromium-browser, google-chrome on the path") as caught:
        find_browser({"HOME": str(tmp_path), "PATH": str(tmp_path)})
    assert "`apt install chromium`" in str(caught.value.hint)

    with pytest.raises(UsageError, match=f"`CORPUSMILL_BROWSER` is {tmp_path}, which is not a program"):
        find_browser({"CORPUSMILL_BROWSER": str(tmp_path)})


def test_a_crawl_without_the_extra_is_refused_before_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is requested and nothing is written."""
    monkeypatch.setitem(sys.modules, "playwright", None)
    source = CrawlSource(name="s", start_urls=("http://127.0.0.1:1/",), contact=CONTACT, render=True)

    with pytest.raises(MissingExtraError, match="`render: true` needs playwright") as caught:
        crawl(source, tmp_path / "raw" / "s")

    assert caught.value.hint == install_command("browser")
    assert list(tmp_path.iterdir()) == []
