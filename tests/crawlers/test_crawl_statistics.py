"""The statistics of a crawl add up, and do not depend on when or how often it was interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.frontier.entries import Link, Settled, State
from corpusmill.crawlers.frontier.sessions import Sessions, Times, record_start, session_starts
from corpusmill.crawlers.frontier.statistics import crawl_statistics
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.schemas.crawl_statistics import MAX_HOSTS, CrawlStatistics
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.sites import QUICK, SITE_FILES, Answer, Site, ledger, page, serve, source_of

ROBOTS = Answer("User-agent: *\nDisallow: /private/\n", headers={"Content-Type": "text/plain"})
NAMES = [f"/{number}" for number in range(40)]
ANSWERS = {
    "/robots.txt": ROBOTS,
    "/": page(*NAMES, "/private/a", "/gone", "/moved", "/noindex", "http://elsewhere.example/"),
    "/moved": Answer(status=302, headers={"Location": "/0"}),
    "/noindex": page(head='<meta name="robots" content="noindex">'),
    "/0": page("/lost"),
    **{name: Answer(f"<p>page {name}", hold_s=0.01) for name in NAMES[1:]},
}
CRAWL = """
import sys
from pathlib import Path
from corpusmill.crawlers.crawl import crawl
from corpusmill.schemas.crawl_source import CrawlSource
crawl(CrawlSource.model_validate_json(sys.argv[1], strict=True), Path(sys.argv[2]))
"""


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


def _statistics(manifest: RawManifest) -> CrawlStatistics:
    assert manifest.statistics is not None
    return manifest.statistics


def _without_times(statistics: CrawlStatistics) -> dict[str, object]:
    """Return the figures without times, messages (which have some) and requests, one of which a kill may repeat."""
    times = {"duration_s", "pages_per_s", "latest_pages_per_s", "processes", "timeline", "requests"}
    message = {"rules": {"__all__": {"examples": {"__all__": {"message"}}}}}
    return statistics.model_dump(exclude={**dict.fromkeys(times, True), **message})


def test_every_url_is_counted_once_in_each_table(raw_dir: Path) -> None:
    """The tables agree with the counts of the manifest and with the ledger."""
    with serve(ANSWERS) as site:
        manifest = crawl(source_of(site), raw_dir, limits=QUICK)

    statistics = _statistics(manifest)
    assert statistics.results == {"200": 41, "3xx": 1, "404": 2, "not_kept": 1, "not_requested": 2}
    assert (statistics.pages, statistics.redirects, statistics.refused) == (41, 1, 5)
    assert statistics.requests == manifest.counts["requests"] == 42 + len(SITE_FILES)
    assert statistics.bytes == manifest.counts["bytes"] == sum(row.bytes for row in statistics.hosts)
    assert {rule.rule: rule.urls for rule in statistics.rules} == Counter(ledger(raw_dir, manifest).values())
    assert [(row.depth, row.pages, row.redirects, row.refused) for row in statistics.depths] == [
        (0, 1, 0, 0),
        (1, 40, 1, 4),
        (2, 0, 0, 1),
    ]
    (host,) = statistics.hosts
    assert (host.host, host.pages, host.redirects, host.refused) == ("127.0.0.1", 41, 1, 4), "not the one off the site"
    intervals = statistics.timeline.intervals
    assert sum(row.pages for row in intervals) == 41
    assert sum(row.others for row in intervals) == 1 + 4, "the redirect, and the refused URLs that were queued"
    assert len(intervals) * statistics.timeline.interval_s >= statistics.duration_s > 39 * 0.01
    assert statistics.pages_per_s == pytest.approx(41 / statistics.duration_s, rel=0.01)


def test_a_recrawl_counts_pages_that_did_not_change(raw_dir: Path) -> None:
    """Most pages of a nightly recrawl are stored already, and the report must not count them as new bodies."""
    answers = {"/": page("/a", "/b", "/gone"), "/a": page(text="one"), "/b": page(text="two")}
    with serve(answers) as site:
        crawl(source_of(site), raw_dir, limits=QUICK)
        site.answers["/b"] = page(text="two and a half")
        statistics = _statistics(crawl(source_of(site), raw_dir, limits=QUICK, recrawl=True))

    assert statistics.results == {"200": 1, "unchanged": 2, "404": 1}


def test_a_crawl_that_was_killed_has_the_same_figures_without_the_pause(raw_dir: Path, tmp_path: Path) -> None:
    """A night between a kill and the resume would otherwise make the crawl look slow."""
    pause_s = 1.5
    with serve(ANSWERS) as site:
        whole = _statistics(crawl(source_of(site), raw_dir, limits=QUICK))
        again = tmp_path / "again" / "raw" / "site"
        site.seen.clear()
        _kill_at(site, "/15", again)
        time.sleep(pause_s)
        began = time.monotonic()
        resumed = _statistics(crawl(source_of(site), again, limits=QUICK))
        resumed_s = time.monotonic() - began

    assert (whole.processes, resumed.processes) == (1, 2)
    assert _without_times(resumed) == _without_times(whole)
    assert sum(row.pages for row in resumed.timeline.intervals) == 41
    assert 39 * 0.01 < resumed.duration_s < pause_s + resumed_s
    assert resumed.duration_s < whole.duration_s + pause_s


def _kill_at(site: Site, path: str, raw_dir: Path) -> None:
    source = json.dumps(source_of(site).model_dump(mode="json"))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    arguments = [sys.executable, "-c", CRAWL, source, str(raw_dir)]
    process = subprocess.Popen(arguments, env=environment, start_new_session=True)
    deadline = time.monotonic() + 30
    while path not in site.paths and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert path in site.paths


def test_many_hosts_have_statistics_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts that are not listed are one row, also if they do not fit into the counter in memory."""
    monkeypatch.setattr("corpusmill.crawlers.frontier.statistics._ROWS", 100)
    path = tmp_path / "queue.db"
    frontier = Frontier(path)
    frontier.seed(_link(f"http://h{number % 300}.example/{number}", depth=number % 50) for number in range(1_000))
    for number in range(1_000):
        entry = frontier.take()
        assert entry is not None
        result = Settled(State.REFUSED, rule=f"http.{number}") if number % 2 else Settled(State.PAGE, size=number)
        frontier.settle(entry, result, file=0, end=number)

    statistics = crawl_statistics(path, frontier)

    frontier.close()
    assert (statistics.pages, statistics.refused) == (500, 500)
    for rows in (statistics.hosts, statistics.depths):
        assert sum(row.pages for row in rows) == sum(row.refused for row in rows) == 500
    assert statistics.hosts[-1].hosts == 300 - MAX_HOSTS
    assert len(statistics.depths) == 30
    assert sum(rule.urls for rule in statistics.rules) == 500
    assert sum(row.bytes for row in statistics.timeline.intervals) == statistics.bytes == sum(range(0, 1_000, 2))
    assert len(statistics.model_dump_json()) < 60_000


def _link(url: str, *, depth: int) -> Link:
    return Link(url, url, depth)


def test_a_queue_of_an_earlier_release_has_statistics(tmp_path: Path) -> None:
    """It has no record of when processes started, so the first URL begins the crawl."""
    path = tmp_path / "queue.db"
    frontier = Frontier(path)
    assert crawl_statistics(path, frontier).duration_s == 0.0
    frontier.seed([_link("http://a.example/", depth=0), _link("http://a.example/b", depth=0)])
    for _ in range(2):
        entry = frontier.take()
        assert entry is not None
        frontier.settle(entry, Settled(State.PAGE, size=5), file=0, end=1)
        time.sleep(0.02)
    earlier = crawl_statistics(path, frontier)

    record_start(frontier)

    assert 0.02 <= earlier.duration_s < 10
    assert crawl_statistics(path, frontier).duration_s == earlier.duration_s
    assert len(session_starts(frontier)) == 1
    frontier.close()


@given(
    runs=st.lists(st.tuples(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), max_size=5)), min_size=1, max_size=5)
)
def test_time_passes_only_while_a_process_runs(runs: list[tuple[int, list[int]]]) -> None:
    """Offsets are in the order of the times, and all of them lie within the duration."""
    starts, settled, duration_us, now = [], [], 0, 10**12
    for pause, times in runs:
        now += pause + 1
        starts.append(now)
        settled += [now + time for time in times]
        duration_us += max(times, default=0)
        now += max(times, default=0)

    sessions = Sessions(starts, _batches(settled))

    assert sessions.duration_us == duration_us
    assert sessions.count == len(runs)
    offsets = sessions.offsets_s(np.array(sorted(settled), dtype=np.int64))
    assert np.all(np.diff(offsets) >= 0)
    assert np.all((offsets >= 0) & (offsets <= duration_us / 1e6))


def _batches(times: list[int]) -> Iterator[Times]:
    for at in range(0, len(times), 3):
        yield np.array(times[at : at + 3], dtype=np.int64)


def test_the_starts_of_very_many_processes_stay_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crawl that is killed every minute for a month must not grow its queue's notes without bound."""
    monkeypatch.setattr("corpusmill.crawlers.frontier.sessions._MAX_STARTS", 4)
    frontier = Frontier(tmp_path / "queue.db")

    for _ in range(7):
        record_start(frontier)
        time.sleep(0.001)
    starts = session_starts(frontier)
    record_start(frontier)

    assert len(starts) == 4 == len(session_starts(frontier))
    assert session_starts(frontier)[0] == starts[0] == min(starts)
    assert session_starts(frontier)[1:3] == starts[2:]
    frontier.close()


def test_progress_is_written_while_no_host_answers(raw_dir: Path) -> None:
    """A reader of the line sees that the crawl waits, and for how many hosts."""
    seen = []
    answers = {"/": page("/slow", "/next"), "/slow": replace(page(), hold_s=2.5), "/next": page()}
    with serve(answers) as site:
        crawl(source_of(site), raw_dir, limits=QUICK, progress=seen.append)

    waiting = [progress for progress in seen if (progress.pages, progress.queued) == (1, 1)]
    assert len(waiting) >= 2
    assert {progress.waiting_hosts for progress in waiting} == {1}
    assert seen[-1].waiting_hosts == 0
    assert seen[-1].bytes == sum(len(answer.body) for answer in answers.values())
