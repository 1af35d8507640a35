"""The partitions of a crawl: the hosts of each, what each has published, and what is missing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from corpusmill.schemas.problems import HintedValueError
from corpusmill.schemas.raw import RawManifest

MAX_PARTITIONS: Final = 1000


@dataclass(frozen=True)
class Partition:
    """The hosts of partition number *index*, from 1 to *count*."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Partition:
        """Parse ``I/N``.

        Raises:
            HintedValueError: It has another form, or *index* is not from 1 to *count*.

        >>> Partition.parse("2/3")
        Partition(index=2, count=3)
        """
        match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
        if match is None:
            raise HintedValueError("expected the form I/N", instead="1/2")
        partition = cls(int(match[1]), int(match[2]))
        if not 1 <= partition.count <= MAX_PARTITIONS:
            raise HintedValueError(f"the number of partitions must be from 1 to {MAX_PARTITIONS:,}", instead="1/2")
        if not 1 <= partition.index <= partition.count:
            problem = f"the partitions are 1/{partition.count} to {partition.count}/{partition.count}"
            raise HintedValueError(problem, instead=f"1/{partition.count}")
        return partition

    def owns(self, key: str) -> bool:
        """Return whether the host of *key*, as in `owner`, belongs to this partition."""
        return owner(key, self.count) == self.index


class Share(NamedTuple):
    """What this machine does of a crawl: its *partition*, and how long it waits for the others, in seconds."""

    partition: Partition
    wait_s: float = 0


def owner(key: str, count: int) -> int:
    """Return the partition, from 1 to *count*, that crawls the URL *key*: by the first 8 bytes of SHA-256 of its host.

    The port has no influence, because the delay between requests is that of a host. A reference that is no URL belongs
    to a partition as well, so that one ledger has it.

    >>> owner("https://example.org/a", 3) == owner("http://example.org:8080/b", 3)
    True
    """
    return _number("/".join(key.split("/", 3)[:3])) % count + 1


@lru_cache(maxsize=16_384)
def _number(site: str) -> int:
    """Return the number of the host of *site*, a URL without its path: most links of a page have few hosts."""
    try:
        name = urlsplit(site).hostname or site
    except ValueError:
        name = site
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LinkFile(_Model):
    """The links that a partition found to the hosts of another one."""

    path: str = Field(description="Relative to the folder of the set.")
    sha256: str
    links: int = Field(ge=1)


class PartitionManifest(_Model):
    """``<I>-of-<N>.json`` in the folder of a set: what a partition has crawled, and which links of others it knew."""

    format_version: int = 1
    index: int
    count: int
    folder: str = Field(description="Folder of the files, relative to the folder of the set.")
    crawl: RawManifest = Field(description="The crawl of this partition; its paths are relative to `folder`.")
    links: dict[int, LinkFile] = Field(description="By the partition that crawls their hosts.")
    read: dict[int, str] = Field(description="SHA-256 of the links that were read, by the partition that found them.")


def manifest_name(partition: Partition) -> str:
    """Return the name of the manifest of *partition*.

    >>> manifest_name(Partition(2, 3))
    '2-of-3.json'
    """
    return f"{partition.index}-of-{partition.count}.json"


def missing(manifests: Mapping[int, PartitionManifest], count: int) -> dict[int, str]:
    """Return why partitions must run before the crawl is complete, by partition; empty if it is complete.

    It is complete if each partition has crawled what it knew of, and knew all links that the others found for it.
    """
    reasons = {}
    for index in range(1, count + 1):
        if index not in manifests:
            reasons[index] = f"partition {index}/{count} has not finished"
        elif unread := unread_links(manifests, index):
            found = " and ".join(f"partition {other}/{count} found {_links(file)}" for other, file in unread.items())
            reasons[index] = f"partition {index}/{count} must run again: {found} for it"
    return reasons


def unread_links(manifests: Mapping[int, PartitionManifest], index: int) -> dict[int, LinkFile]:
    """Return the links for partition *index* that it had not read when it last finished, by the one that found them."""
    read = manifests[index].read if index in manifests else {}
    found = {other: one.links[index] for other, one in sorted(manifests.items()) if index in one.links}
    return {other: file for other, file in found.items() if read.get(other) != file.sha256}


def _links(file: LinkFile) -> str:
    return "1 link" if file.links == 1 else f"{file.links:,} links"
