"""A page with very many links is crawled within bounds of memory, requests and time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from corpusmill.schemas.raw import RawManifest
from tests.crawlers.sites import CONTACT, SITE_FILES, Answer, page, serve

_MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
"""
"""Runs a command from a small process, because a process begins with the peak memory of the one that started it."""


def _cost(command: Iterable[str]) -> tuple[float, int, float]:
    """Run *command* and return its CPU seconds, the peak memory of its largest process in bytes, and its duration."""
    began = time.monotonic()
    measured = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command], stdout=subprocess.PIPE, text=True, check=True
    )
    cpu_s, peak_bytes = measured.stdout.split()
    return float(cpu_s), int(peak_bytes), time.monotonic() - began


def _crawl(links: int, folder: Path) -> tuple[RawManifest, list[str], tuple[float, int, float]]:
    """Crawl a site whose start page has a page of so many links; return the manifest, the requests and the cost."""
    anchors = "".join(f"<a href=/{number}>{number}</a>\n" for number in range(links))
    many = Answer(f"<html><body>{anchors}</body></html>".encode(), headers={"Content-Type": "text/html"})
    with serve({"/": page("/many"), "/many": many}, generate=lambda path: page(text=f"page {path}")) as site:
        fields = {"name": "s", "start_urls": [f"{site.url}/"], "contact": CONTACT, "max_pages": 5}
        recipe = folder / "recipe.yaml"
        crawl = {**fields, "delay": 0, "allow_private": True}
        recipe.write_text(json.dumps({"dataset": "d", "sources": [{"crawl": crawl}]}))
        command = [
            sys.executable,
            "-m",
            "corpusmill",
            "crawl",
            str(recipe),
            "--workspace",
            str(folder / "w"),
            "--quiet",
        ]
        cost = _cost(command)
    print(f"{links:,} links: {cost[0]:.1f} s CPU, {cost[1] / 1e6:.0f} MB, {cost[2]:.1f} s")
    manifest = RawManifest.model_validate_json((folder / "w" / "raw" / "s" / "manifest.json").read_bytes())
    return manifest, [path for path in site.paths if path not in SITE_FILES], cost


@pytest.mark.parametrize("links", [5_000, pytest.param(500_000, marks=pytest.mark.slow)])
def test_a_page_of_many_links_is_bounded(links: int, tmp_path: Path) -> None:
    """Every link is accounted for: it is a page, or in the ledger because the budget was used up."""
    manifest, requests, (cpu_s, peak_bytes, _) = _crawl(links, tmp_path)

    assert len(requests) == manifest.counts["pages"] == 5
    assert manifest.counts["refused.budget.pages"] == links - 3
    assert peak_bytes < 150_000_000 + 400 * links
    assert cpu_s < 15 + 200e-6 * links


@pytest.mark.slow
def test_a_page_of_a_million_links_is_refused(tmp_path: Path) -> None:
    """Its links have more characters than are read of a page, so none is queued, and the ledger says why."""
    manifest, requests, (cpu_s, peak_bytes, _) = _crawl(10**6, tmp_path)

    assert sorted(requests) == ["/", "/many"]
    assert (manifest.counts["pages"], manifest.counts["refused.error.too_large"]) == (1, 1)
    assert peak_bytes < 400_000_000
    assert cpu_s < 15
