"""What happened to a data set: its publications, tags, and the way back."""

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
    """Give the publications of *dataset*, or of all, newest first: one row each, so a version may stand twice.

    `current` is true for the last publication of a data set: a rollback is one, too.

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
    """Give *version* the tag *name*; tell whether that is new.

    Raises:
        UsageError: No tag may be called so, or another version has it and *force* is false.
        UnfinishedError: Somebody works on the data set.
    """
    if not re.fullmatch(TAG_PATTERN, name) or is_version_id(name):
        raise UsageError(
            f"{name!r} is no name for a tag",
            hint="letters, digits and . _ - inside, at most 64, and not the form of a version id",
        )
    dataset, store = version.manifest.dataset, _own_store(workspace, version)
    with workspace.lock("dataset", dataset):
        names = publications.tags(store)
        there = names.get(name)
        if there == version.manifest.version:
            return False
        if there is not None and not force:
            raise UsageError(f"the tag {name!r} names {dataset}@{there}", hint="--force moves it")
        publications.write_tags(store, {**names, name: version.manifest.version})
    return True


def remove_tag(workspace: Workspace, version: Version, name: str) -> None:
    """Remove the tag *name* of *version*.

    Raises:
        UsageError: The version has no such tag.
        UnfinishedError: Somebody works on the data set.
    """
    dataset, store = version.manifest.dataset, _own_store(workspace, version)
    with workspace.lock("dataset", dataset):
        names = publications.tags(store)
        if names.get(name) != version.manifest.version:
            has = ", ".join(sorted(tag for tag, there in names.items() if there == version.manifest.version))
            raise UsageError(f"{version.name} has no tag {name!r}", hint=f"it has: {has or 'none'}")
        del names[name]
        publications.write_tags(store, names)


def _own_store(workspace: Workspace, version: Version) -> Store:
    """Give the store of the data set of *version*, which has to lie in the workspace."""
    store = workspace.dataset(version.manifest.dataset)
    if posixpath.dirname(_resolved(version.store)) != _resolved(store):
        raise UsageError(
            f"{version.address} does not lie in the workspace {workspace.store.address()}",
            hint="tags belong to a data set: name its workspace with --workspace",
        )
    return store


def _resolved(store: Store) -> str:
    path = store.path()
    return store.address() if path is None else str(path.resolve())


def rollback(workspace: Workspace, dataset: str, what: str | None = None) -> tuple[Version, str]:
    """Make an earlier version of *dataset* the current one; give it, and the id of the one that was current.

    Args:
        what: An id, its beginning, or a tag; by default the version that the current one followed.

    Raises:
        UsageError: There is no such version.
        UnfinishedError: Somebody works on the data set.
    """
    store = dataset_store(workspace, dataset)
    with workspace.lock("dataset", dataset):
        entries = publications.publications(store)
        before = str(entries[-1]["version"])
        target = _one_before(store, dataset, entries) if what is None else find(store, what)
        if target != before:
            publications.record(store, action="rollback", version=target, parent=before)
            index_version(workspace, version_in(store.below(target)))
    return version_in(store.below(target)), before


def _one_before(store: Store, dataset: str, entries: list[dict[str, Any]]) -> str:
    """Give the version that was current when the current one was published: so two rollbacks are two steps back."""
    now = entries[-1]["version"]
    published = [entry for entry in entries if entry["version"] == now and entry.get("action") != "rollback"]
    parent = published[-1].get("parent") if published else None
    if parent is None:
        raise UsageError(f"{dataset}@{now} has no version before it", hint=f"`corpusmill versions {dataset}`")
    return find(store, parent)
