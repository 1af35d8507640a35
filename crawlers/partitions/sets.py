"""The set of the partitions of one crawl: its id, its folder, and the manifests in it.

``raw/<source>/<set>/`` has ``<I>-of-<N>.json`` of each partition that finished, and a folder with its files.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from corpusmill.crawlers.crawl_definition import definition
from corpusmill.crawlers.discovery.seeding import start_links
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.partition import Partition
from corpusmill.schemas.partition_sets import PartitionManifest, manifest_name
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import Store

EMPTY: Final = "empty.json"
"""Name of the file that says that no partition of a set fetched a page: its whole manifest."""
_ID_DIGITS: Final = 16
_TOTALS: Final = ("bytes", "seconds", "queued")
_PER_HOST: Final = "set `{field}`, and limit the crawl per host with `budgets: {{per_host: {{pages: 1000}}}}`"


def refuse_unsupported(source: CrawlSource, partition: Partition) -> None:
    """Check that the hosts of *source* can be crawled apart.

    Raises:
        UsageError: A field limits the whole crawl, or depends on the shortest way to a page.
    """
    if source.max_pages is not None:
        _refuse(partition, source, "max_pages", source.max_pages, hint=_PER_HOST.format(field="max_pages: null"))
    for name in _TOTALS:
        if (value := getattr(source.budgets, name, None)) is not None:
            hint = _PER_HOST.format(field=f"budgets: {{{name}: null}}")
            _refuse(partition, source, f"budgets.{name}", value, hint=hint)
    if source.max_depth is not None:
        hint = "leave out `max_depth`, and limit the crawl with `allow`, `deny` or `budgets: {per_host: {pages: 1000}}`"
        _refuse(partition, source, "max_depth", source.max_depth, hint=hint)


def _refuse(partition: Partition, source: CrawlSource, field: str, value: int, *, hint: str) -> None:
    why = "the distance of a page from the start pages" if field == "max_depth" else "what all partitions use"
    problem = f"source `{source.name}`: `{field}: {value}` limits {why}, which partition {partition} does not know"
    raise UsageError(problem, field=field, value=value, hint=hint)


def base_of(published: RawManifest | None) -> str:
    """Return the id of the *published* crawl, which a new crawl replaces; empty if none is finished."""
    if published is None or not published.finished:
        return ""
    if published.partition_set is not None:
        return published.partition_set
    return hashlib.sha256(published.model_dump_json().encode()).hexdigest()[:_ID_DIGITS]


def set_id(source: CrawlSource, count: int, *, base: str, folder: Path, store: Store) -> str:
    """Return the id of the crawl of *source* in *count* partitions that replaces the crawl *base*.

    Machines that start from the same recipe, the same lists of URLs and the same published crawl agree on it. After a
    crawl in which no partition fetched a page, it is another one.

    Args:
        folder: Folder from which the paths of lists of URLs start.
        store: The folder of the source.
    """
    digest = hashlib.sha256(json.dumps([definition(source), count, base]).encode())
    for link in start_links(source, base=folder, hosts=set()):
        digest.update(f"\n{link.key} {link.url}".encode("utf-8", "surrogatepass"))
    while is_empty(name := digest.hexdigest()[:_ID_DIGITS], store):
        digest.update(b"\nagain")
    return name


def is_empty(name: str, store: Store) -> bool:
    """Return whether the crawl of the set *name* ended without a page; *store* is the folder of the source."""
    return store.exists(f"{name}/{EMPTY}")


def is_set(folder: str) -> bool:
    """Return whether *folder* is the name of the folder of a set.

    >>> is_set("00112233aabbccdd"), is_set("notes")
    (True, False)
    """
    return re.fullmatch(rf"[0-9a-f]{{{_ID_DIGITS}}}", folder) is not None


def remove_sets(*stores: Store) -> None:
    """Remove what partitions left in *stores*, because a crawl on one machine replaced theirs."""
    for store in stores:
        for folder in filter(is_set, store.folders()):
            store.remove_folder(folder)


def read_manifests(store: Store, count: int) -> dict[int, PartitionManifest]:
    """Return the manifests of the partitions that have finished, by number; *store* is the folder of the set.

    Raises:
        DamagedFileError: A manifest cannot be read.
    """
    manifests = {}
    for index in range(1, count + 1):
        name = manifest_name(Partition(index, count))
        try:
            manifests[index] = PartitionManifest.model_validate_json(store.read(name))
        except FileNotFoundError:
            continue
        except ValidationError as error:
            hint = f"remove the file, then run partition {index}/{count} again"
            raise DamagedFileError("not the manifest of a partition", file=store.address(name), hint=hint) from error
    return manifests
