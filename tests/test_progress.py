"""A crawl says how far it is, in the form in which steps do."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crawlers.sites import Answer, Site, page, serve, source_of

NAMES = [f"/{number}" for number in range(12)]
ANSWERS = {
    "/": page("/gone", *NAMES, "http://elsewhere.example/"),
    **{name: Answer(name, hold_s=0.1) for name in NAMES},
}
RUNNING = (
    r"  crawl site +\d+ pages?, (?P<queued>\d+) queued, [\d.]+ k?B, (?P<rate>[\d.]+) pages/s, "
    r"(?P<errors>\d+ errors?), (?P<waiting>\d+ hosts?) waiting"
)


def _command(site: Site, folder: Path, *options: str, name: str = "crawl") -> list[str]:
    recipe = folder / "recipe.yaml"
    source = source_of(site).model_dump(mode="json", exclude_defaults=True)
    recipe.write_text(json.dumps({"dataset": "made", "sources": [{"crawl": source}], "stages": ["extract"]}))
    workspace = str(folder / "corpus")
    return [sys.executable, "-m", "corpusmill", name, str(recipe), "--workspace", workspace, *options]


@pytest.mark.parametrize("name", ["crawl", "run"])
def test_a_crawl_writes_one_line_where_there_is_no_terminal(tmp_path: Path, name: str) -> None:
    """Pages, addresses refused by rule, pages a second, and the time."""
    with serve(ANSWERS) as site:
        process = subprocess.run(_command(site, tmp_path, name=name), capture_output=True, text=True, check=True)

    lines = [line for line in process.stderr.splitlines() if line.startswith("  crawl site")]
    assert len(lines) == 1, process.stderr
    numbers = (
        r"  crawl site +15 in +13 kept +\d+\.\d s +\d+/s  1 (http\.404|scope\.offsite), 1 (http\.404|scope\.offsite)"
    )
    assert re.fullmatch(numbers, lines[0])


def test_a_crawl_draws_over_its_line_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs: pages, queue, bytes, speed, errors and hosts that wait."""
    monkeypatch.delenv("NO_PROGRESS", raising=False)
    ours, theirs = pty.openpty()
    with serve(ANSWERS) as site:
        with subprocess.Popen(_command(site, tmp_path), stdout=subprocess.DEVNULL, stderr=theirs) as process:
            os.close(theirs)
            text = _all_of(ours)
        assert process.returncode == 0, text

    drawn = [line for line in text.split("\r\x1b[2K") if "crawl site" in line]
    running = [hit for line in drawn if (hit := re.fullmatch(RUNNING, line.rstrip()))]
    assert len(running) > 2, text
    assert max(int(hit["queued"]) for hit in running) > len(NAMES) // 2
    assert max(float(hit["rate"]) for hit in running) > 0
    assert "1 host" in {hit["waiting"] for hit in running}
    assert running[-1]["errors"] == "1 error", "the address that is gone, and not the one on another host"
    assert "queued" not in drawn[-1]


def _all_of(terminal: int) -> str:
    """Return what is written to a terminal until nobody holds its other side."""
    parts = []
    try:
        while part := os.read(terminal, 4096):
            parts.append(part)
    except OSError:  # that is how Linux says so
        pass
    finally:
        os.close(terminal)
    return b"".join(parts).decode()


def test_a_quiet_crawl_says_nothing(tmp_path: Path) -> None:
    """`--quiet` is for scripts."""
    with serve(ANSWERS) as site:
        process = subprocess.run(_command(site, tmp_path, "--quiet"), capture_output=True, text=True, check=True)

    assert process.stderr == ""
