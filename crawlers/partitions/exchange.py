"""Exchange links between partitions, in compressed files with a JSON array per line, which never change."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from typing import Final

from corpusmill.crawlers.frontier.foreign import READ, SentLink
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.partition import Partition
from corpusmill.schemas.partition_sets import LinkFile, PartitionManifest, manifest_name
from corpusmill.schemas.storage import Store

_BATCH: Final = 10_000


def write_links(frontier: Frontier, partition: Partition, store: Store, *, folder: str) -> dict[int, LinkFile]:
    """Write the links to the hosts of each other partition to *folder* of *store*, and return the files.

    Equal links give an equal file with the same name.
    """
    files = {}
    for other in range(1, partition.count + 1):
        links = frontier.links_for(other)
        if other == partition.index or (first := next(links, None)) is None:
            continue
        counted = _Counted(chain([first], links))
        written = store.write_hashed(_packed(counted), partial(_name, folder, other))
        files[other] = LinkFile(path=written.key, sha256=written.sha256, links=counted.count)
    return files


class _Counted:
    """Yields *links* and counts them."""

    def __init__(self, links: Iterable[SentLink]) -> None:
        self._links = links
        self.count = 0

    def __iter__(self) -> Iterator[SentLink]:
        for link in self._links:
            self.count += 1
            yield link


def _packed(links: Iterable[SentLink]) -> Iterator[bytes]:
    """Yield gzip members of lines, without a time in their headers."""
    left = iter(links)
    while batch := list(islice(left, _BATCH)):
        yield gzip.compress(b"".join(json.dumps(link).encode() + b"\n" for link in batch), mtime=0)


def _name(folder: str, other: int, sha256: str) -> str:
    return f"{folder}/links-{other}-{sha256[:16]}.jsonl.gz"


def receive_links(
    frontier: Frontier, partition: Partition, manifests: Mapping[int, PartitionManifest], store: Store
) -> int:
    """Queue the links for *partition* in *manifests* that were not read before; return their number.

    A kill in between repeats a file, whose links are known then.

    Raises:
        DamagedFileError: A file does not match its manifest.
    """
    count = 0
    for other, manifest in sorted(manifests.items()):
        file = manifest.links.get(partition.index)
        if file is None or frontier.get(f"{READ}{other}") == file.sha256:
            continue
        links = iter(_read(store, file, Partition(other, partition.count)))
        while batch := list(islice(links, _BATCH)):
            frontier.receive(batch)
        frontier.remember(**{f"{READ}{other}": file.sha256})
        count += file.links
    return count


def read_digests(frontier: Frontier, partition: Partition) -> dict[int, str]:
    """Return the SHA-256 of the links that *frontier* has read, by the partition that found them."""
    digests = {other: frontier.get(f"{READ}{other}") for other in range(1, partition.count + 1)}
    return {other: digest for other, digest in digests.items() if digest is not None}


def _read(store: Store, file: LinkFile, finder: Partition) -> Iterator[SentLink]:
    hint = f"remove {manifest_name(finder)} beside its folder, then run partition {finder} again"
    damaged = DamagedFileError("not the links that its manifest lists", file=store.address(file.path), hint=hint)
    try:
        content = store.read(file.path)
    except FileNotFoundError:
        raise damaged from None
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise damaged
    with gzip.open(io.BytesIO(content), "rt", encoding="utf-8") as lines:
        for line in lines:
            yield SentLink(*json.loads(line))
