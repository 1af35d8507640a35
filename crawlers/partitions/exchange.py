"""Exchange links between partitions, in compressed files with a JSON array per line, which never change."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from corpusmill.crawlers.frontier.foreign import READ, SentLink
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.partition_sets import LinkFile, Partition, PartitionManifest, manifest_name
from corpusmill.schemas.storage import Store, appearing

_BATCH: Final = 10_000


def write_links(
    frontier: Frontier, partition: Partition, store: Store, *, folder: str, scratch: Path
) -> dict[int, LinkFile]:
    """Write the links to the hosts of each other partition to *folder* of *store*, and return the files.

    Args:
        scratch: A local folder.
    """
    files = {}
    for other in range(1, partition.count + 1):
        if other != partition.index and (file := _write(frontier.links_for(other), other, store, folder, scratch)):
            files[other] = file
    return files


def _write(links: Iterable[SentLink], other: int, store: Store, folder: str, scratch: Path) -> LinkFile | None:
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / f"links-{other}.jsonl.gz"
    count = 0
    # Without a name and a time in its header, equal links give equal bytes.
    with appearing(path) as draft, draft.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        for link in links:
            file.write(json.dumps(link).encode() + b"\n")
            count += 1
    sha256 = file_sha256(path)
    name = f"{folder}/links-{other}-{sha256[:16]}.jsonl.gz"
    if count and not store.exists(name):
        store.put(path, name)
    path.unlink()
    return LinkFile(path=name, sha256=sha256, links=count) if count else None


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
