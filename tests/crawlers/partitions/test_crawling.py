"""Machines that crawl partitions of a source get what one machine gets."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.partitions.crawl import crawl_partition
from corpusmill.crawlers.partitions.sets import read_manifests
from corpusmill.schemas.budgets import CrawlBudgets
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.schemas.partition import Partition, owner
from corpusmill.schemas.raw import RawManifest, read_raw_manifest
from corpusmill.schemas.storage import LocalStore
from tests.crawlers.partitions.machines import (
    HOSTS,
    Machine,
    crawl_in_turn,
    linked_sites,
    machines,
    outcome,
    responses,
    source_of,
    two_sites,
)
from tests.crawlers.sites import CONTACT, QUICK, Answer, Site, page

PLAIN = {"name": "site", "contact": CONTACT, "start_urls": ("http://127.0.0.7/",), "max_pages": None}
CRAWL = """
import sys
from pathlib import Path
from corpusmill.crawlers.partitions.crawl import crawl_partition
from corpusmill.schemas.partition import Partition
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.storage import LocalStore
source = CrawlSource.model_validate_json(sys.argv[1], strict=True)
crawl_partition(source, Path(sys.argv[2]), Partition(1, 2), store=LocalStore(sys.argv[3]))
"""


def test_the_hosts_of_these_tests_are_in_different_partitions() -> None:
    """Otherwise no test would send a link."""
    assert [owner(f"http://{host}:80/", 3) for host in HOSTS] == [1, 2, 3]
    assert [owner(f"http://{host}:80/", 2) for host in HOSTS] == [1, 2, 2]


@pytest.mark.parametrize(
    "order",
    [(2, 1), *(pytest.param(order, marks=pytest.mark.slow) for order in ((1,), (1, 2), (1, 2, 3), (3, 2, 1)))],
)
def test_partitions_find_the_pages_and_the_ledger_of_one_crawl_in_any_order(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Nobody should have to know which machine ran first."""
    raw_dir = tmp_path / "alone" / "raw" / "site"
    group = machines(tmp_path, len(order))
    with linked_sites() as sites:
        source = source_of(*sites)
        expected = outcome(LocalStore(raw_dir), crawl(source, raw_dir, limits=QUICK))

        manifest = crawl_in_turn(source, [group[index - 1] for index in order])

    assert outcome(group[0].store, manifest) == expected
    assert manifest.statistics is not None
    assert manifest.statistics.pages == manifest.counts["pages"]
    assert {row.host for row in manifest.statistics.hosts} >= set(HOSTS)
    assert read_raw_manifest(group[0].store, source="site") == manifest


def test_each_call_names_the_partitions_that_have_to_run(tmp_path: Path) -> None:
    """A user has to see which machine to start, and why."""
    one, two = machines(tmp_path, 2)
    with two_sites() as sites:
        source = source_of(*sites)

        first = one.crawl(source)
        unfinished = read_raw_manifest(one.store, source="site")
        second = two.crawl(source)
        third = one.crawl(source)

    assert isinstance(first, str)
    assert "partition 1/2 of the crawl of `site` is finished, but the crawl is not complete: " in first
    assert "partition 2/2 has not finished; hint: run `corpusmill crawl` with `--partition 2/2`" in first
    assert unfinished is not None
    assert not unfinished.finished
    assert isinstance(second, RawManifest)
    assert third == second, "the machine that was not last learns the result"
    assert responses(one.store, second) == [(f"{sites[1].url}/b", 200), (f"{sites[0].url}/", 200)]
    assert sites[1].paths.count("/b") == 1


def test_the_next_crawl_replaces_the_files_of_the_last_one(tmp_path: Path) -> None:
    """A nightly job keeps one crawl, and a reader never finds half of the next one."""
    one, two = machines(tmp_path, 2)
    with two_sites() as (a, b):
        source = source_of(a, b)
        last = crawl_in_turn(source, [one, two])
        one.crawl(source)  # reports the crawl that the other machine completed
        b.answers["/b"] = Answer("moved", status=404)

        assert isinstance(one.crawl(source), str)
        meanwhile = read_raw_manifest(one.store, source="site")
        present = all(one.store.exists(file.path) for file in last.files)
        new = two.crawl(source)

    assert meanwhile == last
    assert present
    assert isinstance(new, RawManifest)
    assert new.counts["pages"] == 1
    assert new.counts["refused.http.404"] == 1 + last.counts["refused.http.404"]
    assert one.store.folders() == [new.partition_set] != [last.partition_set]


@pytest.mark.slow
def test_a_partition_that_another_machine_starts_anew_is_published_whole(tmp_path: Path) -> None:
    """The queue of a lost machine is lost too, and what it published must not be mixed with the new files."""
    one, two = machines(tmp_path / "first", 2)
    successor = Machine(tmp_path / "second", one.store, "1/2")
    with two_sites() as sites:
        source = source_of(*sites)
        one.crawl(source)
        successor.crawl(source)
        manifest = two.crawl(source)

    assert isinstance(manifest, RawManifest)
    assert len(responses(one.store, manifest)) == 2
    folders = {file.path.split("/")[1] for file in manifest.files}
    assert len(folders) == 2
    assert not folders & {path.name for path in one.raw_dir.glob("*/*")}
    assert sites[0].paths.count("/") == 2


def test_a_crawl_that_was_replaced_is_not_published_over_the_newer_one(tmp_path: Path) -> None:
    """A machine that was off for a day must not bring back the crawl of yesterday."""
    one, two = machines(tmp_path, 2)
    with two_sites() as sites:
        source = source_of(*sites)
        one.crawl(source)
        newer = crawl(source, tmp_path / "alone" / "raw" / "site", store=one.store, limits=QUICK)

        late = two.crawl(source)
        published = read_raw_manifest(one.store, source="site")
        manifest = crawl_in_turn(source, [one, two])

    assert isinstance(late, str)
    assert "partition 1/2 has not finished" in late, "what it published before belongs to the replaced crawl"
    assert published == newer
    assert len(responses(one.store, manifest)) == 2
    assert sites[0].paths.count("/") == 3


def test_a_killed_partition_resumes_and_archives_each_page_once(tmp_path: Path) -> None:
    """A kill of one machine must cost neither a page nor a link to the hosts of the others."""
    one, two = machines(tmp_path, 2)
    names = [f"/{number}" for number in range(8)]
    with two_sites() as (a, b):
        slow = replace(page(text="slow"), hold_s=0.05)
        a.answers |= {"/": page(*names)} | dict.fromkeys(names, slow) | {"/0": page(f"{b.url}/b")}
        source = source_of(a, b)
        process = _start(source, one)
        _wait_for(a, "/4")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = read_manifests(one.store, 2)
        manifest = crawl_in_turn(source, [one, two])

    assert not before
    urls = [url for url, _ in responses(one.store, manifest)]
    assert urls == sorted([f"{b.url}/b", f"{a.url}/", *(a.url + name for name in names)])
    assert a.paths.count("/0") == 1
    assert sum(a.paths.count(name) for name in names) <= len(names) + 1


def _start(source: CrawlSource, machine: Machine) -> subprocess.Popen[bytes]:
    arguments = [source.model_dump_json(), str(machine.raw_dir), str(machine.store.path())]
    root = str(Path(__file__).parents[3])
    return subprocess.Popen(
        [sys.executable, "-c", CRAWL, *arguments],
        env=os.environ | {"PYTHONPATH": root},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )


def _wait_for(site: Site, path: str) -> None:
    deadline = time.monotonic() + 30
    while path not in site.paths and time.monotonic() < deadline:
        time.sleep(0.005)
    assert path in site.paths


@pytest.mark.slow
def test_a_machine_that_waits_crawls_what_the_others_find_and_completes_the_crawl(tmp_path: Path) -> None:
    """With `--wait`, a nightly job needs one command for each machine."""
    group = machines(tmp_path, 2)
    with two_sites() as (a, b), ThreadPoolExecutor(2) as pool:
        b.answers["/b"] = page(f"{a.url}/back")
        a.answers["/back"] = page(text="three")
        source = source_of(a, b)
        results = list(pool.map(lambda machine: machine.crawl(source, wait_s=60, poll_s=0.05), group))

    assert isinstance(results[0], RawManifest)
    assert results[0] == results[1]
    assert len(responses(group[0].store, results[0])) == 3


@pytest.mark.slow
@pytest.mark.parametrize("is_in_place", [True, False])
def test_a_crawl_on_one_machine_replaces_one_in_partitions(tmp_path: Path, is_in_place: bool) -> None:
    """Whoever goes back to one machine must not keep the archives of the others for ever."""
    one, two = machines(tmp_path, 2)
    if is_in_place:
        two.raw_dir = one.raw_dir
        one.store = two.store = LocalStore(one.raw_dir)
    with two_sites() as sites:
        source = source_of(*sites)
        crawl_in_turn(source, [one, two])
        manifest = crawl(source, one.raw_dir, store=one.store, limits=QUICK, recrawl=True)

    assert manifest.partition_set is None
    assert manifest.generation == 0, "it fetched all pages, because the partitions left no table of known pages"
    assert len(responses(one.store, manifest)) == 2
    assert one.store.folders() == LocalStore(one.raw_dir).folders() == []


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_pages": 10_000}, "max_pages"),
        ({"max_depth": 3}, "max_depth"),
        ({"budgets": {"bytes": 1000}}, "budgets.bytes"),
    ],
)
def test_a_limit_that_no_partition_can_check_is_refused(tmp_path: Path, options: dict[str, Any], field: str) -> None:
    """A crawl that silently used three times its budget would be worse than none."""
    (machine,) = machines(tmp_path, 1)
    source = CrawlSource.model_validate({**PLAIN, **options})

    with pytest.raises(UsageError, match=re.escape(f"source `site`: `{field}: ")) as caught:
        crawl_partition(source, machine.raw_dir, Partition(1, 2), store=machine.store)

    assert caught.value.field == field
    assert caught.value.hint is not None
    assert "per_host: {pages: 1000}" in caught.value.hint


def test_a_crawl_without_any_page_is_an_error_and_starts_again(tmp_path: Path) -> None:
    """A site that was down in one night must not be missing for ever."""
    one, two = machines(tmp_path, 2)
    with two_sites() as (a, b):
        source = source_of(a, start_urls=(f"{a.url}/late", f"{b.url}/late"), sitemaps=None)
        one.crawl(source)
        with pytest.raises(SourceError, match=r"nothing could be fetched by any partition: http\.404$"):
            two.crawl(source)
        unfinished = read_raw_manifest(one.store, source="site")
        a.answers["/late"] = b.answers["/late"] = page()
        manifest = crawl_in_turn(source, [one, two])

    assert unfinished is not None
    assert not unfinished.finished
    assert manifest.counts["pages"] == 2


@pytest.mark.slow
def test_a_budget_of_a_host_holds_in_partitions(tmp_path: Path) -> None:
    """A host is in one partition, so its budget needs no other machine."""
    one, two = machines(tmp_path, 2)
    budgets = CrawlBudgets.model_validate({"per_host": {"pages": 2}})
    with two_sites() as (a, b):
        a.answers |= {"/": page(f"{b.url}/b", "/1", "/2")} | {path: page() for path in ("/1", "/2")}
        manifest = crawl_in_turn(source_of(a, b, budgets=budgets), [one, two])

    assert manifest.counts["pages"] == 3
    assert manifest.counts["refused.budget.pages"] == 1
