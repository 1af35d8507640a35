"""The partitions of a crawl together: what each has published, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from corpusmill.schemas.partition import Partition
from corpusmill.schemas.raw import RawManifest


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
