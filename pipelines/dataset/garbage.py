"""Removing what no version needs any more: tasks, steps, and what killed processes left. Versions are never touched."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.publish import sweep
from corpusmill.pipelines.engines.store import TaskStore
from corpusmill.pipelines.workspace import LOCKS, Workspace
from corpusmill.schemas import storage
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.storage.attempts import is_left_over

_DATASET: Final = "dataset"


@dataclass
class _Garbage:
    """What goes: task fingerprints with their files, steps, and loose files and folders."""

    tasks: dict[str, list[Path]] = field(default_factory=dict)
    steps: list[Path] = field(default_factory=list)
    loose: list[Path] = field(default_factory=list)


def collect(workspace: Workspace, *, keep: int | None, dry_run: bool) -> dict[str, Any]:
    """Remove tasks and steps that no kept version and no running run refers to; tell how many, and the bytes freed.

    A file that a version holds too (as a second name) frees nothing and is not counted as bytes.

    Args:
        keep: Keep what the newest so many versions of each data set need; None: what all versions need.

    Raises:
        UnfinishedError: A run has begun and does not know yet what it needs.
    """
    store = TaskStore(workspace.root)
    with _idle_datasets(workspace) as busy:
        needed = _needed_steps(workspace, keep, busy)
        garbage = _find(store, needed, is_busy=bool(busy))
        freed = sum(map(_freed, _paths(garbage)))
        if not dry_run:
            _remove(garbage)
            for name in workspace.datasets():
                if name not in busy:
                    sweep(workspace.dataset(name))
    return {"tasks": len(garbage.tasks), "steps": len(garbage.steps), "bytes": freed, "dry_run": dry_run}


@contextlib.contextmanager
def _idle_datasets(workspace: Workspace) -> Iterator[set[str]]:
    """Hold the locks of all data sets on which nobody works, so that no run begins meanwhile; give the other ones."""
    names = {*_locks(workspace), *workspace.datasets(), *(run["dataset"] for run in workspace.runs())}
    busy = set()
    with contextlib.ExitStack() as stack:
        for name in sorted(names):
            try:
                stack.enter_context(workspace.lock(_DATASET, name))
            except UnfinishedError:
                busy.add(name)
        yield busy


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
    for run in workspace.runs():
        is_running = run["status"] == "running" and run["dataset"] in busy
        if is_running and not run["steps"]:
            raise UnfinishedError(
                f"the run {run['run']} of `{run['dataset']}` has begun and does not know yet what it needs",
                hint="wait for it, then try again",
            )
        if is_running or (run["dataset"], run["version"]) in kept:
            needed.update(step["fingerprint"] for step in run["steps"])
    return needed


def _kept_versions(dataset: storage.Store, keep: int | None) -> list[str]:
    newest = [entry["version"] for entry in reversed(publications.publications(dataset))]
    return list(dict.fromkeys(newest))[:keep]


def _find(store: TaskStore, needed: set[str], *, is_busy: bool) -> _Garbage:
    """Find what is not needed. While a run is busy, tasks of no finished step are its, and stay."""
    steps = {path.parent.name: store.manifest(path.parent.name) for path in store.steps.glob("*/manifest.json")}
    needed = needed | {inner for step in needed for inner in steps.get(step, {}).get("rounds", ())}
    tasks_of = {name: [task["fingerprint"] for task in step.get("tasks", ())] for name, step in steps.items()}
    kept = {task for step in needed for task in tasks_of.get(step, ())}
    listed = {task for tasks in tasks_of.values() for task in tasks}
    garbage = _Garbage(steps=[path for path in store.steps.glob("*/") if path.name not in needed])
    for path in _task_files(store):
        name = path.name.partition(".")[0]
        if is_left_over(path):
            garbage.loose.append(path)
        elif name not in kept and (name in listed or not is_busy):
            garbage.tasks.setdefault(name, []).append(path)
    garbage.loose += [path for path in store.spill.glob("*") if is_left_over(path) or not is_busy]
    return garbage


def _task_files(store: TaskStore) -> Iterator[Path]:
    """Give the files in ``tasks/<xx>/``, those of attempts that died among them."""
    for folder in sorted(store.tasks.glob("*/")):
        if folder != store.spill:
            yield from sorted(path for path in folder.iterdir() if path.is_file())


def _paths(garbage: _Garbage) -> Iterator[Path]:
    for files in garbage.tasks.values():
        yield from files
    for path in (*garbage.steps, *garbage.loose):
        yield from path.rglob("*") if path.is_dir() else (path,)


def _freed(path: Path) -> int:
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0
    return status.st_size if path.is_file() and status.st_nlink == 1 else 0


def _remove(garbage: _Garbage) -> None:
    """Remove steps before their tasks, and a task's JSON first: what is half removed counts as not there."""
    for path in (*garbage.steps, *garbage.loose):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for files in garbage.tasks.values():
        for path in sorted(files, key=lambda path: path.suffix != ".json"):
            path.unlink(missing_ok=True)
