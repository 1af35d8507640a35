"""Removing what no version needs any more: tasks, steps, and what killed processes left. Versions are never touched."""

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
    """What goes: the keys of tasks, by fingerprint, and of steps; on this machine, what processes left."""

    tasks: dict[str, list[Entry]] = field(default_factory=dict)
    steps: dict[str, list[Entry]] = field(default_factory=dict)
    loose: list[Path] = field(default_factory=list)


def collect(workspace: Workspace, *, keep: int | None, dry_run: bool) -> dict[str, Any]:
    """Remove tasks and steps that no kept version and no running run refers to; tell how many, and the bytes freed.

    A file that a version holds too (as a second name) frees nothing and is not counted as bytes.

    Args:
        keep: Keep what the newest so many versions of each data set need; None: what all versions need.

    Raises:
        UnfinishedError: A run has begun and does not know yet what it needs, another machine works in the store, or the
            workspace cannot be written.
    """
    store = workspace.tasks
    with _idle_datasets(workspace) as (busy, locks):
        needed = _needed_steps(workspace, keep, busy)
        garbage = _find(store, needed, is_busy=bool(busy))
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
    """Hold the locks of all data sets on which nobody works, so that no run begins meanwhile.

    Gives the names of the other ones, and the locks.
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
    """Give the names of the data sets that have a lock, held or not."""
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
            f"somebody else works on `{elsewhere[0]}` in {workspace.store.address()}: what they need is not known here",
            hint="wait for them, then try again",
        )
    for run in runs:
        is_running = run["status"] == "running" and run["dataset"] in busy
        if is_running and not run["steps"]:
            raise UnfinishedError(
                f"the run {run['run']} of `{run['dataset']}` has begun and does not know yet what it needs",
                hint="wait for it, then try again",
            )
        if is_running or (run["dataset"], run["version"]) in kept:
            needed.update(step["fingerprint"] for step in run["steps"])
    return needed


def _kept_versions(dataset: Store, keep: int | None) -> list[str]:
    newest = [entry["version"] for entry in reversed(publications.publications(dataset))]
    return list(dict.fromkeys(newest))[:keep]


def _find(store: TaskStore, needed: set[str], *, is_busy: bool) -> _Garbage:
    """Find what is not needed. While a run is busy, tasks of no finished step are its, and stay."""
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
    garbage.loose = list(_left_over(store))
    return garbage


def _left_over(store: TaskStore) -> Iterator[Path]:
    """Give what dead processes left on this machine: drafts of tasks and steps, and spills."""
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
    """Remove steps before their tasks, and a task's JSON first: what is half removed counts as not there."""
    for path in garbage.loose:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for name in garbage.steps:
        store.remove_folder(f"{STEPS}/{name}")
    keys = [entry.key for entries in garbage.tasks.values() for entry in entries]
    store.remove(*(key for key in keys if key.endswith(".json")))
    store.remove(*(key for key in keys if not key.endswith(".json")))
