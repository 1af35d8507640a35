"""The history of a data set: publications, tags and rollbacks."""

from __future__ import annotations

import posixpath
import re
from functools import cache
from typing import Any, Final

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.catalog import index_version
from corpusmill.pipelines.dataset.version import Version, dataset_store, datasets, find, is_version_id, version_in
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.storage import Store

TAG_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def history(workspace: Workspace, dataset: str | None = None) -> list[dict[str, Any]]:
    """Return the publications of *dataset*, or of all data sets, newest first.

    A version that was published twice has two rows. A rollback is a publication. `current` is true for the last
    publication of each data set.

    Raises:
        UsageError: There is no such data set.
    """
    names = [dataset] if dataset is not None else datasets(workspace)
    rows = [row for name in names for row in _rows(dataset_store(workspace, name))]
    return sorted(rows, key=lambda row: (row["at"], row["dataset"], row["number"]), reverse=True)


def _rows(store: Store) -> list[dict[str, Any]]:
    opened = cache(version_in)
    names = publications.tags(store)
    entries = publications.publications(store)
    return [
        {
            **_described(opened(store.below(entry["version"]))),
            "parent": entry.get("parent"),
            "tags": sorted(name for name, version in names.items() if version == entry["version"]),
            "action": entry.get("action", "publish"),
            "at": entry["at"],
            "number": number,
            "current": number == len(entries),
        }
        for number, entry in enumerate(entries, start=1)
    ]


def _described(version: Version) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "dataset": manifest.dataset,
        "version": manifest.version,
        "created_at": manifest.created_at.isoformat(timespec="seconds"),
        "documents": manifest.counts.published,
        "text_bytes": sum(shard.text_bytes for shard in manifest.files),
        "bytes": version.size,
        "path": version.address,
    }


def tag(workspace: Workspace, version: Version, name: str, *, force: bool = False) -> bool:
    """Add the tag *name* to *version*; return False if the version had it already.

    Raises:
        UsageError: The name is not valid for a tag, or another version has the tag and *force* is false.
        UnfinishedError: Another process has locked the data set.
    """
    if not re.fullmatch(TAG_PATTERN, name) or is_version_id(name):
        raise UsageError(
            f"{name!r} is not a valid tag",
            hint="use up to 64 letters, digits and . _ -, starting with a letter or digit; not a version id",
        )
    dataset, store = version.manifest.dataset, _own_store(workspace, version)
    with workspace.lock("dataset", dataset):
        names = publications.tags(store)
        owner = names.get(name)
        if owner == version.manifest.version:
            return False
        if owner is not None and not force:
            raise UsageError(f"the tag `{name}` already names {dataset}@{owner}", hint="move the tag with --force")
        publications.write_tags(store, {**names, name: version.manifest.version})
    return True


def remove_tag(workspace: Workspace, version: Version, name: str) -> None:
    """Remove the tag *name* of *version*.

    Raises:
        UsageError: The version has no such tag.
        UnfinishedError: Another process has locked the data set.
    """
    dataset, store = version.manifest.dataset, _own_store(workspace, version)
    with workspace.lock("dataset", dataset):
        names = publications.tags(store)
        if names.get(name) != version.manifest.version:
            has = ", ".join(sorted(tag for tag, owner in names.items() if owner == version.manifest.version))
            raise UsageError(f"{version.name} has no tag {name!r}", hint=f"its tags: {has or 'none'}")
        del names[name]
        publications.write_tags(store, names)


def _own_store(workspace: Workspace, version: Version) -> Store:
    """Return the store of the data set of *version*; raise `UsageError` if it is outside of the workspace."""
    store = workspace.dataset(version.manifest.dataset)
    if posixpath.dirname(_resolved(version.store)) != _resolved(store):
        raise UsageError(
            f"{version.address} is not in the workspace {workspace.store.address()}",
            hint="tags belong to a data set: select its workspace with --workspace",
        )
    return store


def _resolved(store: Store) -> str:
    path = store.path()
    return store.address() if path is None else str(path.resolve())


def rollback(workspace: Workspace, dataset: str, name: str | None = None) -> tuple[Version, str]:
    """Make an earlier version of *dataset* the current one; return it, and the id of the previous current version.

    Args:
        name: An id, the beginning of one, or a tag; by default the parent of the current version.

    Raises:
        UsageError: There is no such version.
        UnfinishedError: Another process has locked the data set.
    """
    store = dataset_store(workspace, dataset)
    with workspace.lock("dataset", dataset):
        entries = publications.publications(store)
        before = str(entries[-1]["version"])
        target = _one_before(store, dataset, entries) if name is None else find(store, name)
        if target != before:
            publications.record(store, action="rollback", version=target, parent=before)
            index_version(workspace, version_in(store.below(target)))
    return version_in(store.below(target)), before


def _one_before(store: Store, dataset: str, entries: list[dict[str, Any]]) -> str:
    """Return the version that was current when the current one was published, so two rollbacks go two steps back."""
    now = entries[-1]["version"]
    published = [entry for entry in entries if entry["version"] == now and entry.get("action") != "rollback"]
    parent = published[-1].get("parent") if published else None
    if parent is None:
        raise UsageError(
            f"{dataset}@{now} has no version before it", hint=f"list them with `corpusmill versions {dataset}`"
        )
    return find(store, parent)
