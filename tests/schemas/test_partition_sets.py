"""Which hosts a partition has, and when a crawl in partitions is complete."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.schemas.partition import Partition, owner
from corpusmill.schemas.partition_sets import LinkFile, PartitionManifest, missing
from corpusmill.schemas.problems import HintedValueError
from corpusmill.schemas.raw import RawManifest

EMPTY = RawManifest(
    source="site", kind="crawl", format="warc", finished=True, created_at=datetime(2026, 1, 1, tzinfo=UTC),
    definition={}, files=(),
)  # fmt: skip


def _manifest(index: int, *, links: dict[int, str], read: dict[int, str]) -> PartitionManifest:
    files = {to: LinkFile(path=f"{digest}.gz", sha256=digest, links=5) for to, digest in links.items()}
    return PartitionManifest(index=index, count=2, folder="x", crawl=EMPTY, links=files, read=read)


@given(st.text(), st.integers(1, 50))
def test_each_reference_belongs_to_one_partition(key: str, count: int) -> None:
    """A page that no partition crawls would be lost, and one of two would be crawled twice."""
    assert [Partition(index, count).owns(key) for index in range(1, count + 1)].count(True) == 1


def test_a_host_belongs_to_one_partition_whatever_its_port_and_path() -> None:
    """Two machines must not send requests to one host."""
    urls = ["http://example.org/", "https://example.org/a", "https://example.org:8443/b?c=d"]

    assert len({owner(url, 997) for url in urls}) == 1
    assert len({owner(f"http://host{number}.org/", 7) for number in range(200)}) == 7
    assert owner("http://example.org/", 997) == 70, "a partition of a queue on disk must keep its hosts"


@pytest.mark.parametrize("text", ["", "2", "3/2", "0/2", "1/0", "a/b", "-1/2", "1/1001", "1/2/3", "1/ 2"])
def test_a_text_that_is_no_partition_is_refused_with_an_example(text: str) -> None:
    """A typing error must not leave hosts without a machine."""
    with pytest.raises(HintedValueError) as caught:
        Partition.parse(text)

    assert str(Partition.parse(str(caught.value.instead))) == caught.value.instead


def test_a_crawl_is_complete_when_each_partition_read_the_latest_links() -> None:
    """This is decided from the manifests alone, because no server counts."""
    one, two = _manifest(1, links={2: "a"}, read={2: "b"}), _manifest(2, links={1: "b"}, read={1: "a"})
    late = _manifest(2, links={1: "c"}, read={1: "a"})
    alone = _manifest(2, links={}, read={1: "a"})

    assert missing({1: one, 2: two}, 2) == {}
    assert missing({1: one, 2: alone}, 2) == {}
    assert missing({1: one}, 2) == {2: "partition 2/2 has not finished"}
    assert missing({1: one, 2: late}, 2) == {1: "partition 1/2 must run again: partition 2/2 found 5 links for it"}
