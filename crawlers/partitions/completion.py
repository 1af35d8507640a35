"""Publish a crawl whose partitions are all complete: one manifest that lists the files of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from corpusmill.crawlers.frontier.refusal import UNREACHABLE
from corpusmill.crawlers.partitions.sets import EMPTY, base_of, is_set
from corpusmill.crawlers.publication import MANIFEST, write_manifest
from corpusmill.schemas.crawl_statistics import merged_statistics
from corpusmill.schemas.errors import SourceError, UnfinishedError
from corpusmill.schemas.partition_sets import PartitionManifest
from corpusmill.schemas.raw import RawManifest, read_raw_manifest
from corpusmill.schemas.storage import Store


def complete(store: Store, manifests: Mapping[int, PartitionManifest], *, set_id: str, base: str) -> RawManifest:
    """Publish the crawl *set_id* in *store*, and remove the files of the crawl *base* that it replaces.

    Several machines may do this at the same time, and write the same.

    Raises:
        UnfinishedError: Another crawl was published since this one began.
        SourceError: No partition has a page. The next call starts a new crawl.
    """
    manifest = merged(manifests, set_id=set_id)
    # Listed first: what is not there yet belongs to a crawl that starts from this one.
    before = [entry.key for entry in store.files()]
    published = read_raw_manifest(store, source=manifest.source)
    if published is not None and published.finished and published.partition_set == set_id:
        return published
    if base_of(published) != base:
        raise UnfinishedError(
            f"another crawl of `{manifest.source}` was published since this one began",
            hint="run the same command again to start a new crawl, which replaces the other one",
        )
    if not manifest.counts["pages"]:
        store.write(f"{set_id}/{EMPTY}", manifest.model_dump_json(indent=2) + "\n")
        raise _empty(manifest)
    write_manifest(store, manifest)
    kept = {MANIFEST, *(file.path for file in manifest.files), *manifest.ledger}
    kept.update(key for key in before if key.startswith(f"{set_id}/"))
    store.remove(*(key for key in before if key not in kept))
    if is_set(base):
        store.remove_folder(base)  # on a disk, it is empty now
    return manifest


def merged(manifests: Mapping[int, PartitionManifest], *, set_id: str) -> RawManifest:
    """Return the manifest of the whole crawl. It depends on *manifests* alone, so all machines write the same one."""
    parts = [manifests[index] for index in sorted(manifests)]
    statistics = [part.crawl.statistics for part in parts if part.crawl.statistics is not None]
    counts = Counter[str]()
    for part in parts:
        counts.update(part.crawl.counts)
    return parts[0].crawl.model_copy(
        update={
            "created_at": max(part.crawl.created_at for part in parts),
            "files": tuple(
                file.model_copy(update={"path": path, "name": path})
                for part in parts
                for file in part.crawl.files
                for path in [f"{set_id}/{part.folder}/{file.path}"]
            ),
            "ledger": tuple(_paths(set_id, parts)),
            "counts": _ordered(counts),
            "partition_set": set_id,
            "statistics": merged_statistics(statistics) if len(statistics) == len(parts) else None,
            "pages": (),  # a recrawl starts from one table, beside the archives that it names
        }
    )


def _paths(set_id: str, parts: Iterable[PartitionManifest]) -> Iterable[str]:
    return (f"{set_id}/{part.folder}/{name}" for part in parts for name in part.crawl.ledger)


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    """Return *counts* in the order of those of one crawl: rules of refused pages last, by name."""
    return dict(sorted(counts.items(), key=lambda item: item[0] if item[0].startswith("refused.") else ""))


def _empty(manifest: RawManifest) -> SourceError | UnfinishedError:
    rules = [name.removeprefix("refused.") for name in manifest.counts if name.startswith("refused.")]
    problem = f"crawl of {manifest.source}: nothing could be fetched by any partition: {'; '.join(rules) or 'no page'}"
    if UNREACHABLE.intersection(rules):
        hint = "check that the start pages can be reached from these machines, then run the partitions again"
        return UnfinishedError(problem, hint=hint)
    return SourceError(problem, hint="correct the start pages of the source")
