"""Run the process of a crawl, and turn what it reports into progress and errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from corpusmill.crawlers.job import Job
from corpusmill.schemas.errors import CorpusmillError, UnfinishedError, WorkError
from corpusmill.schemas.interrupts import held_interrupts
from corpusmill.schemas.raw import CrawlProgress

Progress: TypeAlias = Callable[[CrawlProgress], None]


def run_process(job: Job, progress: Progress | None, *, keep_open: int) -> None:
    """Run Scrapy in a separate process, because its event loop cannot be started twice in a process."""
    root = str(Path(__file__).absolute().parent.parent.parent)
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
    with held_interrupts():  # otherwise the process prints a traceback if interrupted while it imports Scrapy
        process = subprocess.Popen(
            [sys.executable, "-m", "corpusmill.crawlers.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
            pass_fds=(keep_open,),
            text=True,
        )
    assert process.stdin is not None, "Popen opened a pipe"
    assert process.stdout is not None, "Popen opened a pipe"
    with process:
        try:
            process.stdin.write(job.to_json() + "\n")
            process.stdin.flush()
            last = _listen(process.stdout, progress)
        finally:
            # The process ends when its stdin does; `with` waits for it.
            process.stdin.close()
    _check(job, last, process.returncode)


def _listen(lines: Iterator[str], progress: Progress | None) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for line in lines:
        last = json.loads(line)
        if progress is not None and "progress" in last:
            progress(CrawlProgress(**last["progress"]))
        if "finished" in last or "error" in last:
            break
    return last


def _check(job: Job, last: dict[str, Any], code: int) -> None:
    again = "run the same command again to resume"
    if "error" in last:
        message = f"crawl of {job.source.name}: {last['error']['message']}"
        kinds: dict[str, type[CorpusmillError]] = {"unfinished": UnfinishedError, "work": WorkError}
        raise kinds[last["error"]["kind"]](message, hint=again)
    if "finished" not in last:
        raise UnfinishedError(f"crawl of {job.source.name}: its process ended with code {code}", hint=again)
