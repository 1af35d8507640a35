"""The manifest of a crawl in partitions does not depend on who writes it, and replaces only the crawl it began from."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.crawlers.partitions.completion import complete, merged
from corpusmill.crawlers.partitions.sets import EMPTY, base_of
from corpusmill.crawlers.publication import write_manifest
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.partition_sets import PartitionManifest
from corpusmill.schemas.raw import RawFile, read_raw_manifest
from corpusmill.schemas.storage import LocalStore
from tests.schemas.test_partition_sets import EMPTY as NOTHING

SET, OLD = "a" * 16, "b" * 16


def _partition(index: int, *, pages: int, rule: str = "http.404") -> PartitionManifest:
    file = RawFile(path="site-00000.warc.gz", name="site-00000.warc.gz", size=1, sha256=f"{index}" * 64)
    counts = {"pages": pages, f"refused.{rule}": 1}
    crawl = NOTHING.model_copy(update={"files": (file,), "ledger": ("ledger-00000.parquet",), "counts": counts})
    return PartitionManifest(index=index, count=2, folder=f"{index}-of-2-x", crawl=crawl, links={}, read={})


def test_all_machines_write_the_same_manifest() -> None:
    """Two machines may complete a crawl at the same time, and the last one must change nothing."""
    one, two = _partition(1, pages=2), _partition(2, pages=3)

    manifest = merged({1: one, 2: two}, set_id=SET)

    assert manifest == merged({2: two, 1: one}, set_id=SET)
    assert [file.path for file in manifest.files] == [f"{SET}/{n}-of-2-x/site-00000.warc.gz" for n in (1, 2)]
    assert manifest.ledger == tuple(f"{SET}/{n}-of-2-x/ledger-00000.parquet" for n in (1, 2))
    assert manifest.counts == {"pages": 5, "refused.http.404": 2}


def test_a_crawl_that_was_published_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """The newer crawl wins, whichever machine is late."""
    store, parts = LocalStore(tmp_path), {1: _partition(1, pages=1), 2: _partition(2, pages=1)}
    newer = NOTHING.model_copy(update={"counts": {"pages": 9}})
    write_manifest(store, newer)

    with pytest.raises(UnfinishedError, match="another crawl of `site` was published since this one began") as caught:
        complete(store, parts, set_id=SET, base=OLD)

    assert read_raw_manifest(store, source="site") == newer
    assert "run the same command again" in str(caught.value.hint)
    assert complete(store, parts, set_id=SET, base=base_of(newer)).partition_set == SET


def test_the_files_of_the_replaced_crawl_are_removed_and_no_others(tmp_path: Path) -> None:
    """A machine that is late with its clean-up must not touch the next crawl."""
    store, parts = LocalStore(tmp_path), {1: _partition(1, pages=1), 2: _partition(2, pages=1)}
    write_manifest(store, NOTHING.model_copy(update={"partition_set": OLD}))
    for key in (f"{OLD}/1-of-2.json", "site-00007.warc.gz", f"{SET}/1-of-2.json"):
        store.write(key, "x")

    manifest = complete(store, parts, set_id=SET, base=OLD)
    store.write(f"{'c' * 16}/1-of-2.json", "the next crawl has begun")

    assert complete(store, parts, set_id=SET, base=OLD) == manifest
    assert [entry.key for entry in store.files()] == [f"{SET}/1-of-2.json", f"{'c' * 16}/1-of-2.json", "manifest.json"]


@pytest.mark.parametrize("rule", ["error.dns", "error.timeout"])
def test_hosts_that_no_machine_reached_can_be_tried_again(tmp_path: Path, rule: str) -> None:
    """The exit code tells a scheduler to repeat the crawl."""
    store = LocalStore(tmp_path)

    with pytest.raises(UnfinishedError, match=f"nothing could be fetched by any partition: {rule}"):
        complete(store, {1: _partition(1, pages=0, rule=rule)}, set_id=SET, base="")

    assert store.exists(f"{SET}/{EMPTY}")
    assert read_raw_manifest(store, source="site") is None
