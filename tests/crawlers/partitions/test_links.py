"""Links to the hosts of other partitions are kept in the queue, sent as files, and received as if found here."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.crawlers.frontier.entries import Entry, Link, Settled, State
from corpusmill.crawlers.frontier.store import PARTITION, Frontier
from corpusmill.crawlers.partitions.exchange import read_digests, receive_links, write_links
from corpusmill.crawlers.partitions.sets import read_manifests
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.partition import Partition
from corpusmill.schemas.partition_sets import PartitionManifest
from corpusmill.schemas.storage import LocalStore
from tests.crawlers.partitions.machines import HOSTS
from tests.schemas.test_partition_sets import EMPTY

ONE, TWO = Partition(1, 2), Partition(2, 2)
OURS, THEIRS = (f"http://{host}" for host in HOSTS[:2])


def _queue(path: Path, partition: Partition) -> Frontier:
    frontier = Frontier(path / f"{partition.index}.db")
    frontier.remember(**{PARTITION: str(partition)})
    frontier.close()
    return Frontier(path / f"{partition.index}.db")


def _link(url: str, *, depth: int = 1, redirects: int = 0, rule: str | None = None) -> Link:
    return Link(url.rstrip("!"), url, depth, redirects, rule=rule)


def _settle(frontier: Frontier, *links: Link, state: State = State.PAGE, end: int = 1) -> Entry:
    entry = frontier.take()
    assert entry is not None
    frontier.settle(entry, Settled(state, links=links), file=0, end=end)
    return entry


def _send(frontier: Frontier, sender: Partition, store: LocalStore) -> dict[int, PartitionManifest]:
    links = write_links(frontier, sender, store, folder="f")
    return {sender.index: PartitionManifest(index=sender.index, count=2, folder="f", crawl=EMPTY, links=links, read={})}


def test_links_are_sent_once_with_the_shortest_way_and_received_with_their_page(tmp_path: Path) -> None:
    """The ledger of the other partition names the page, and equal links give an equal file."""
    store, one, two = LocalStore(tmp_path / "store"), _queue(tmp_path, ONE), _queue(tmp_path, TWO)
    one.seed([_link(f"{OURS}/", depth=0), _link(f"{OURS}/a", depth=0)])
    _settle(one, _link(f"{THEIRS}/x", depth=3), _link(f"{THEIRS}/no", rule="robots.nofollow"), _link(f"{OURS}/b"))
    _settle(one, _link(f"{THEIRS}/x", depth=1), end=2)
    sent = _send(one, ONE, store)

    assert sent[1].links[2].links == 2
    assert _send(one, ONE, store) == sent
    assert one.queued == 1, "only the page of the own host"
    assert receive_links(two, TWO, sent, store) == 2
    assert receive_links(two, TWO, sent, store) == 0, "they were read"
    assert read_digests(two, TWO) == {1: sent[1].links[2].sha256}
    entry = two.take()
    assert entry is not None
    assert (entry.url, entry.depth) == (f"{THEIRS}/x", 1)
    two.settle(entry, Settled(State.REFUSED, rule="http.404"), file=0, end=1)
    assert [(url, referrer, rule) for url, referrer, _, rule, _, _ in two.ledger()] == [
        *((f"{THEIRS}/no", f"{OURS}/", "robots.nofollow"), (f"{THEIRS}/x", f"{OURS}/", "http.404"))
    ]
    assert not list(one.ledger()) or next(one.ledger())[0] == f"{OURS}/b"


def test_pages_that_the_archive_lost_take_their_links_with_them(tmp_path: Path) -> None:
    """After a power cut these pages are fetched again, so what others sent has to be read again too."""
    store, one, two = LocalStore(tmp_path / "store"), _queue(tmp_path, ONE), _queue(tmp_path, TWO)
    two.seed([_link(f"{THEIRS}/", depth=0)])
    _settle(two, _link(f"{OURS}/x"))
    sent = _send(two, TWO, store)
    one.seed([_link(f"{OURS}/", depth=0)])
    _settle(one, _link(f"{OURS}/x"), _link(f"{THEIRS}/y"))
    receive_links(one, ONE, sent, store)

    one.requeue(file=0, after=0)

    assert not list(one.links_for(2))
    assert one.queued == 1
    assert receive_links(one, ONE, sent, store) == 1
    assert one.queued == 2


def test_a_redirect_through_another_host_to_another_spelling_is_followed_once(tmp_path: Path) -> None:
    """A site may set a cookie on another host, and lead back to an address that differs in its spelling alone."""
    store, one, two = LocalStore(tmp_path / "store"), _queue(tmp_path, ONE), _queue(tmp_path, TWO)
    one.seed([_link(f"{OURS}/a", depth=0)])
    _settle(one, _link(f"{THEIRS}/login", redirects=1), state=State.REDIRECT)
    receive_links(two, TWO, _send(one, ONE, store), store)
    _settle(two, _link(f"{OURS}/a!", redirects=2), state=State.REDIRECT)
    back = _send(two, TWO, store)

    receive_links(one, ONE, back, store)

    entry = one.take()
    assert entry is not None
    assert (entry.url, entry.redirects) == (f"{OURS}/a!", 2)
    one.settle(entry, Settled(State.PAGE), file=0, end=3)
    one.receive(two.links_for(1))
    assert not one.queued


def test_a_damaged_file_is_refused_with_the_partition_to_run_again(tmp_path: Path) -> None:
    """Half of the links would look like a crawl that is complete."""
    store, one, two = LocalStore(tmp_path / "store"), _queue(tmp_path, ONE), _queue(tmp_path, TWO)
    one.seed([_link(f"{OURS}/", depth=0)])
    _settle(one, _link(f"{THEIRS}/x"))
    sent = _send(one, ONE, store)
    store.write(sent[1].links[2].path, b"cut")
    store.write("2-of-2.json", "{")

    with pytest.raises(DamagedFileError, match="not the links") as links:
        receive_links(two, TWO, sent, store)
    with pytest.raises(DamagedFileError, match="not the manifest of a partition") as manifest:
        read_manifests(store, 2)

    assert not two.queued
    assert "partition 1/2 again" in str(links.value.hint)
    assert "partition 2/2 again" in str(manifest.value.hint)
