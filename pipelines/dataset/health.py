"""Compare the files of a workspace with its manifests, and rebuild its indexes."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.catalog import rebuild
from corpusmill.pipelines.dataset.publish import sweep
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import CorpusmillError, DamagedFileError, LockHeldError, UnfinishedError
from corpusmill.schemas.manifest import ShardFile, SideFile
from corpusmill.schemas.raw import RawFile
from corpusmill.schemas.storage import Store

MemberHash: TypeAlias = Callable[[str], str]


def repaired(workspace: Workspace) -> list[dict[str, Any]]:
    """Remove unfinished publications, add missing versions to the log, and rebuild the catalog.

    Returns a row for each data set and one for the catalog, like `corpusmill.pipelines.projects.doctor.Check`.

    Raises:
        UnfinishedError: The folder or the store cannot be written.
    """
    names = workspace.datasets()
    if not names and not workspace.root.is_dir():
        return [_row("catalog", "ok", "no workspace yet")]
    workspace.make()
    return [*(_repaired_dataset(workspace, name) for name in names), _repaired_catalog(workspace)]


def _repaired_dataset(workspace: Workspace, dataset: str) -> dict[str, Any]:
    name, store = f"data set {dataset}", workspace.dataset(dataset)
    try:
        with workspace.lock("dataset", dataset):
            swept = sweep(store)
            adopted = publications.adopt(store)
            total = len(publications.publications(store))
    except LockHeldError as error:
        return _row(name, "warning", str(error), hint="run `corpusmill doctor --repair` again after that")
    except UnfinishedError as error:
        return _row(name, "damaged", str(error), hint=error.hint)
    except DamagedFileError as error:
        return _row(name, "damaged", str(error), hint=error.hint or "remove the folder of this version")
    repairs = [f"{adopted} versions adopted"] * bool(adopted) + [f"{swept} unfinished publications removed"] * bool(
        swept
    )
    return _row(name, "ok", ", ".join([f"{total} publications", *repairs]))


def _repaired_catalog(workspace: Workspace) -> dict[str, Any]:
    moved = _set_aside(workspace.database)
    try:
        total, problems = rebuild(workspace)
    except UnfinishedError as error:
        return _row("catalog", "damaged", str(error), hint=error.hint)
    except (OSError, CorpusmillError, sqlite3.Error) as error:
        total, problems = 0, [str(error)]
    if problems:
        hint = "`corpusmill doctor --verify` names damaged files"
        return _row("catalog", "damaged", "; ".join(problems), hint=hint)
    result = f"rebuilt: {total} publications"
    return _row("catalog", "ok", result if moved is None else f"{result}; the damaged database is now {moved.name}")


def _set_aside(database: Path) -> Path | None:
    """Rename a database that SQLite cannot read. The list of runs is lost; no publication is."""
    if not database.exists():
        return None
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if answer == "ok":
            return None
    except sqlite3.OperationalError:  # in use
        return None
    except sqlite3.DatabaseError:
        pass
    aside = database.with_name(f"{database.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    database.replace(aside)
    return aside


def verified(workspace: Workspace, *, member_hash: MemberHash | None = None) -> list[dict[str, Any]]:
    """Compare the SHA-256 of every file of every version and source; return a row for each version and source.

    A missing or changed file has a row of its own with the status ``damaged``, which begins with its path.

    Args:
        member_hash: Returns the SHA-256 of the member of an archive at an address; None: only the archives must exist.
    """
    rows: list[dict[str, Any]] = []
    for dataset in workspace.datasets():
        store = workspace.dataset(dataset)
        for version in publications.version_ids(store):
            rows += _verified_version(store.below(version), f"version {dataset}@{version}")
    for source in workspace.sources():
        rows += _verified_source(workspace, source, member_hash)
    return rows


def _verified_version(store: Store, name: str) -> list[dict[str, Any]]:
    try:
        version = version_in(store)
    except DamagedFileError as error:
        return [_row(name, "damaged", str(error), hint="copy the version's folder again, or remove it")]
    findings = list(damaged_files(version))
    hint = "copy the version's folder again, or remove it and run its recipe again"
    files = len(version.manifest.files) + len(version.manifest.side_files)
    return [_row(name, "damaged", finding, hint=hint) for finding in findings] or [_row(name, "ok", f"{files} files")]


def damaged_files(version: Version) -> Iterator[str]:
    """Yield a line for each file of *version* that differs from its manifest: the path and the difference."""
    listed: list[ShardFile | SideFile] = [*version.manifest.files, *version.manifest.side_files]
    for file in listed:
        yield from _damage(version.store, file.path, file.bytes, file.sha256)


def _verified_source(workspace: Workspace, source: str, member_hash: MemberHash | None) -> list[dict[str, Any]]:
    name = f"source {source}"
    try:
        manifest = workspace.raw_manifest(source)
    except DamagedFileError as error:
        return [_row(name, "damaged", str(error), hint=error.hint)]
    assert manifest is not None, "its manifest was listed"
    folder = workspace.store.below(f"raw/{source}")
    findings = [finding for file in manifest.files for finding in _damage_of(file, folder, member_hash)]
    verb = "crawl" if manifest.kind == "crawl" else "load"
    hint = f"`corpusmill {verb} RECIPE --source {source}` registers the files as they are now"
    ok = _row(name, "ok", f"{len(manifest.files)} files")
    return [_row(name, "damaged", finding, hint=hint) for finding in findings] or [ok]


def _damage_of(file: RawFile, folder: Store, member_hash: MemberHash | None) -> Iterator[str]:
    store, key = file.stored(folder)
    if not file.is_member:
        yield from _damage(store, key, file.size, file.sha256)
    elif not store.exists(key):
        yield f"{store.address(key)}: {os.strerror(errno.ENOENT)}"
    elif member_hash is not None and file.rule is None:
        try:
            if member_hash(file.path) != file.sha256:
                yield f"{file.path}: the SHA-256 differs"
        except CorpusmillError as error:
            yield f"{file.path}: {error.message}"


def _damage(store: Store, key: str, size: int, sha256: str) -> Iterator[str]:
    place = store.address(key)
    try:
        actual = store.size(key)
        if actual != size:
            yield f"{place}: {actual} bytes instead of {size}"
        elif store.sha256(key) != sha256:
            yield f"{place}: the SHA-256 differs"
    except FileNotFoundError:
        yield f"{place}: {os.strerror(errno.ENOENT)}"
    except UnfinishedError as error:
        yield f"{place}: {error.message}"


def _row(name: str, status: str, found: str, *, hint: str | None = None) -> dict[str, Any]:
    return {"name": name, "status": status, "found": found, "hint": hint}
