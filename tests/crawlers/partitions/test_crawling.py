"""Machines that crawl partitions of a source get what one machine gets."""

from __future__ import annotations

from pathlib import Path

from corpusmill.crawlers.crawl import crawl
from corpusmill.schemas.partition_sets import owner
from corpusmill.schemas.raw import read_raw_manifest
from corpusmill.schemas.storage import LocalStore
from tests.crawlers.partitions.machines import (
    HOSTS,
    crawl_in_turn,
    linked_sites,
    machines,
    outcome,
    source_of,
)
from tests.crawlers.sites import QUICK


def test_the_hosts_of_these_tests_are_in_different_partitions() -> None:
    """Otherwise no test would send a link."""
    assert [owner(f"http://{host}:80/", 3) for host in HOSTS] == [1, 2, 3]
    assert [owner(f"http://{host}:80/", 2) for host in HOSTS] == [1, 2, 2]


def test_partitions_find_the_pages_and_the_ledger_of_one_crawl_in_any_order(tmp_path: Path) -> None:
    """Nobody should have to know which machine ran first."""
    with linked_sites() as sites:
        source = source_of(*sites)
        raw_dir = tmp_path / "alone" / "raw" / "site"
        expected = outcome(LocalStore(raw_dir), crawl(source, raw_dir, limits=QUICK))

        for order in ((1,), (1, 2), (2, 1), (1, 2, 3), (3, 2, 1)):
            group = machines(tmp_path / "".join(map(str, order)), len(order))
            manifest = crawl_in_turn(source, [group[index - 1] for index in order])

            assert outcome(group[0].store, manifest) == expected
            assert read_raw_manifest(group[0].store, source="site") == manifest
