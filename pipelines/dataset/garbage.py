"""Remove tasks and steps that no version needs, and files of killed processes. Versions are never removed."""

from __future__ import annotations

import contextlib
import posixpath
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.publish import sweep
from corpusmill.pipelines.engines.store import SPILL, STEPS, TASKS, TaskStore
from corpusmill.pipelines.workspace import LOCKS, Workspace
from corpusmill.schemas.errors import LockHeldError, UnfinishedError
from corpusmill.schemas.storage import Entry, Lock, Store
from corpusmill.schemas.storage.attempts import is_left_over

_DATASET: Final = "dataset"


@dataclass
class _Garbage:
    """Files to remove: tasks by fingerprint, steps by fingerprint, and left-over files on this machine."""

    tasks: dict[str, list[Entry]] = field(default_factory=dict)
    steps: dict[str, list[Entry]] = field(default_factory=dict)
    loose: list[Path] = field(default_factory=list)


def collect(workspace: Workspace, *, keep: int | None, dry_run: bool) -> dict[str, Any]:
    """Remove tasks and steps that no kept version and no running run needs; return their numbers and the bytes freed.

    A file that a version also holds, as a hard link, frees no bytes and is not counted.

    Args:
        keep: Number of newest versions of each data set to keep tasks for; None keeps the tasks of all versions.

    Raises:
        UnfinishedError: A run has started and has not planned its steps yet, another machine uses the store, or the
            workspace cannot be written.
    """
    store = workspace.tasks
    with _idle_datasets(workspace) as (busy, locks):
        needed = _needed_steps(workspace, keep, busy)
        garbage = _find(store, workspace.store.below("raw"), needed, is_busy=bool(busy))
        freed = sum(_freed(garbage, store.store))
        if not dry_run:
            for lock in locks:
                lock.check()
            _remove(garbage, store.store)
            for name in workspace.datasets():
                if name not in busy:
                    sweep(workspace.dataset(name))
    return {"tasks": len(garbage.tasks), "steps": len(garbage.steps), "bytes": freed, "dry_run": dry_run}


@contextlib.contextmanager
def _idle_datasets(workspace: Workspace) -> Iterator[tuple[set[str], list[Lock]]]:
    """Lock all data sets that are not in use, so that no run starts meanwhile.

    Yields the names of the data sets in use, and the locks.
    """
    names = {*_locks(workspace), *workspace.datasets(), *(run["dataset"] for run in workspace.runs())}
    busy: set[str] = set()
    locks: list[Lock] = []
    with contextlib.ExitStack() as stack:
        for name in sorted(names):
            try:
                locks.append(stack.enter_context(workspace.lock(_DATASET, name)))
            except LockHeldError:
                busy.add(name)
        yield busy, locks


def _locks(workspace: Workspace) -> Iterator[str]:
    """Yield the names of the data sets that have a lock, held or not."""
    for entry in workspace.store.files(LOCKS):
        name = entry.key.removeprefix(f"{LOCKS}/")
        if name.startswith(f"{_DATASET}-"):
            yield name.removeprefix(f"{_DATASET}-").removesuffix(".lock")


def _needed_steps(workspace: Workspace, keep: int | None, busy: set[str]) -> set[str]:
    kept = {
        (name, version) for name in workspace.datasets() for version in _kept_versions(workspace.dataset(name), keep)
    }
    needed: set[str] = set()
    runs = workspace.runs()
    if elsewhere := sorted(busy - {run["dataset"] for run in runs if run["status"] == "running"}):
        raise UnfinishedError(
            f"another machine uses `{elsewhere[0]}` in {workspace.store.address()}, and may need any task",
            hint="wait until it has finished, then try again",
        )
    for run in runs:
        is_running = run["status"] == "running" and run["dataset"] in busy
        if is_running and not run["steps"]:
            raise UnfinishedError(
                f"the run {run['run']} of `{run['dataset']}` has not planned its steps yet",
                hint="try again in a moment",
            )
        if is_running or (run["dataset"], run["version"]) in kept:
            needed.update(step["fingerprint"] for step in run["steps"])
    return needed


def _kept_versions(dataset: Store, keep: int | None) -> list[str]:
    newest = [entry["version"] for entry in reversed(publications.publications(dataset))]
    return list(dict.fromkeys(newest))[:keep]


def _find(store: TaskStore, raw: Store, needed: set[str], *, is_busy: bool) -> _Garbage:
    """List what can be removed. While a run is busy, tasks of unfinished steps stay, because they may be its own."""
    files: dict[str, list[Entry]] = {}
    for entry in store.store.files(STEPS):
        files.setdefault(entry.key.split("/")[1], []).append(entry)
    steps = {name: store.manifest(name) for name in files}
    needed = needed | {inner for step in needed for inner in steps.get(step, {}).get("rounds", ())}
    tasks_of = {name: [task["fingerprint"] for task in step.get("tasks", ())] for name, step in steps.items()}
    kept = {task for step in needed for task in tasks_of.get(step, ())}
    listed = {task for tasks in tasks_of.values() for task in tasks}
    garbage = _Garbage(steps={name: entries for name, entries in files.items() if name not in needed})
    for entry in store.store.files(TASKS):
        name = posixpath.basename(entry.key).partition(".")[0]
        if not entry.key.startswith(f"{SPILL}/") and name not in kept and (name in listed or not is_busy):
            garbage.tasks.setdefault(name, []).append(entry)
    garbage.loose = [*_left_over(store), *raw.drafts()]
    return garbage


def _left_over(store: TaskStore) -> Iterator[Path]:
    """Yield the files of dead processes on this machine: drafts of tasks and steps, and spills."""
    for name in (TASKS, STEPS):
        folder = store.store.path(name)
        if folder is not None:
            yield from (path for path in folder.glob("*/*") if path.parent != store.spill and is_left_over(path))
    yield from (path for path in store.spill.glob("*") if is_left_over(path))


def _freed(garbage: _Garbage, store: Store) -> Iterator[int]:
    for entries in (*garbage.tasks.values(), *garbage.steps.values()):
        for entry in entries:
            path = store.path(entry.key)
            yield entry.size if path is None else _freed_by(path)
    for path in garbage.loose:
        yield from map(_freed_by, path.rglob("*") if path.is_dir() else (path,))


def _freed_by(path: Path) -> int:
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0
    return status.st_size if path.is_file() and status.st_nlink == 1 else 0


def _remove(garbage: _Garbage, store: Store) -> None:
    """Remove steps before their tasks, and the JSON of a task first, so that half-removed ones count as missing."""
    for path in garbage.loose:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for name in garbage.steps:
        store.remove_folder(f"{STEPS}/{name}")
    keys = [entry.key for entries in garbage.tasks.values() for entry in entries]
    store.remove(*(key for key in keys if key.endswith(".json")))
    store.remove(*(key for key in keys if not key.endswith(".json")))
