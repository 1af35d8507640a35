"""Whether what lies in a workspace is what its manifests say, and making whole what is only an index."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.catalog import rebuild
from corpusmill.pipelines.dataset.publish import sweep
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import CorpusmillError, DamagedFileError, LockHeldError, UnfinishedError
from corpusmill.schemas.manifest import ShardFile, SideFile
from corpusmill.schemas.storage import Store


def repaired(workspace: Workspace) -> list[dict[str, Any]]:
    """Sweep what killed publications left, write down versions that the log does not name, make the catalog again.

    Gives a row for each data set and one for the catalog, in the form of `corpusmill.pipelines.projects.doctor.Check`.

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
        return _row(name, "warning", str(error), hint="repair again when it is done")
    except UnfinishedError as error:
        return _row(name, "damaged", str(error), hint=error.hint)
    except DamagedFileError as error:
        return _row(name, "damaged", str(error), hint=error.hint or "remove the folder of this version")
    done = [f"{adopted} versions adopted"] * bool(adopted) + [f"{swept} unfinished publications removed"] * bool(swept)
    return _row(name, "ok", ", ".join([f"{total} publications", *done]))


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
    found = f"made again: {total} publications"
    return _row("catalog", "ok", found if moved is None else f"{found}; the damaged database is now {moved.name}")


def _set_aside(database: Path) -> Path | None:
    """Rename a database that SQLite cannot read; its list of runs is lost, and nothing that was published."""
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


def verified(workspace: Workspace) -> list[dict[str, Any]]:
    """Read every file of every version, and every raw file, and compare SHA-256; a row for each version and source.

    A row for each file that is missing or another one has the status ``damaged`` and begins with its path.
    """
    rows: list[dict[str, Any]] = []
    for dataset in workspace.datasets():
        store = workspace.dataset(dataset)
        for version in publications.version_ids(store):
            rows += _verified_version(store.below(version), f"version {dataset}@{version}")
    for source in workspace.sources():
        rows += _verified_source(workspace, source)
    return rows


def _verified_version(store: Store, name: str) -> list[dict[str, Any]]:
    try:
        version = version_in(store)
    except DamagedFileError as error:
        return [_row(name, "damaged", str(error), hint="copy the version's folder again, or remove it")]
    found = list(damaged_files(version))
    hint = "copy the version's folder again, or run its recipe again after removing it"
    files = len(version.manifest.files) + len(version.manifest.side_files)
    return [_row(name, "damaged", finding, hint=hint) for finding in found] or [_row(name, "ok", f"{files} files")]


def damaged_files(version: Version) -> Iterator[str]:
    """Tell for each file of *version* that is not what its manifest says: its path, and what is wrong."""
    listed: list[ShardFile | SideFile] = [*version.manifest.files, *version.manifest.side_files]
    for file in listed:
        yield from _damage(version.store, file.path, size=file.bytes, sha256=file.sha256)


def _verified_source(workspace: Workspace, source: str) -> list[dict[str, Any]]:
    name = f"source {source}"
    try:
        manifest = workspace.raw_manifest(source)
    except DamagedFileError as error:
        return [_row(name, "damaged", str(error), hint=error.hint)]
    assert manifest is not None, "its manifest was listed"
    folder = workspace.store.below(f"raw/{source}")
    found = [
        finding
        for file in manifest.files
        for finding in _damage(*file.stored(folder), size=file.size, sha256=file.sha256)
    ]
    verb = "crawl" if manifest.kind == "crawl" else "load"
    hint = f"`corpusmill {verb} RECIPE --source {source}` registers what is there now"
    ok = _row(name, "ok", f"{len(manifest.files)} files")
    return [_row(name, "damaged", finding, hint=hint) for finding in found] or [ok]


def _damage(store: Store, key: str, *, size: int, sha256: str) -> Iterator[str]:
    place = store.address(key)
    try:
        there = store.size(key)
        if there != size:
            yield f"{place}: {there} bytes instead of {size}"
        elif store.sha256(key) != sha256:
            yield f"{place}: another SHA-256"
    except FileNotFoundError:
        yield f"{place}: {os.strerror(errno.ENOENT)}"
    except UnfinishedError as error:
        yield f"{place}: {error.message}"


def _row(name: str, status: str, found: str, *, hint: str | None = None) -> dict[str, Any]:
    return {"name": name, "status": status, "found": found, "hint": hint}
