"""A page with very many links is crawled within bounds of memory, requests and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from corpusmill.schemas.raw import RawManifest
from tests.crawlers.sites import CONTACT, SITE_FILES, Answer, page, serve


def _cost(command: Iterable[str]) -> tuple[float, int, float]:
    """Run *command* and return its CPU seconds, the peak memory of its largest process in bytes, and its duration."""
    began = time.monotonic()
    process = subprocess.Popen([*command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, time.monotonic() - began


@pytest.mark.parametrize("links", [10_000, pytest.param(10**6, marks=pytest.mark.slow)])
def test_a_page_of_many_links_is_bounded(links: int, tmp_path: Path) -> None:
    """Every link is accounted for: it is a page, or in the ledger because the budget was used up."""
    anchors = "".join(f"<a href=/{number}>{number}</a>\n" for number in range(links))
    home = Answer(f"<html><body>{anchors}</body></html>".encode(), headers={"Content-Type": "text/html"})
    with serve({"/": home}, generate=lambda path: page(text=f"page {path}")) as site:
        fields = {"name": "s", "start_urls": [f"{site.url}/"], "contact": CONTACT, "max_pages": 5}
        source = {**fields, "delay": 0, "allow_private": True}
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(json.dumps({"dataset": "d", "sources": [{"crawl": source}]}))
        command = [sys.executable, "-m", "corpusmill", "crawl", str(recipe), "--workspace", str(tmp_path / "w")]
        cpu_s, peak_bytes, wall_s = _cost([*command, "--quiet"])

    manifest = RawManifest.model_validate_json((tmp_path / "w" / "raw" / "s" / "manifest.json").read_bytes())
    print(f"{links:,} links: {cpu_s:.1f} s CPU, {wall_s:.1f} s, {peak_bytes / 1e6:.0f} MB")
    assert len([path for path in site.paths if path not in SITE_FILES]) == manifest.counts["pages"] == 5
    assert manifest.counts["refused.budget.pages"] == links - 4
    assert peak_bytes < 150_000_000 + 400 * links
    assert cpu_s < 15 + 100e-6 * links
