"""Storage of tasks and steps: ``tasks/`` and ``steps/`` of a store."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from corpusmill.pipelines.engines.tasks import TaskResult, files_of, is_whole, read_result
from corpusmill.schemas.hashing import fingerprint
from corpusmill.schemas.storage import Store, open_store

TASKS: Final = "tasks"
STEPS: Final = "steps"
SPILL: Final = f"{TASKS}/spill"


@dataclass(frozen=True)
class StepResult:
    """A finished step.

    Args:
        tasks: Task results, in the order of slices or partitions.
        computed: How many of them this run computed; the others were stored.
        moved_cpu_s: CPU seconds for sorting the input of an exchange, or for all other steps of a `Repeat`.
        rounds: Fingerprints of the steps that a `Repeat` ran.
    """

    name: str
    fingerprint: str
    stage: str | None
    tasks: tuple[TaskResult, ...]
    computed: int
    moved_cpu_s: float = 0.0
    rounds: tuple[str, ...] = ()

    @property
    def is_planned(self) -> bool:
        """Whether the step is one of the plan, not one of a round of a `Repeat`, whose costs that step has."""
        return "@" not in self.name

    @property
    def cached(self) -> bool:
        """Whether this run computed none of the tasks."""
        return self.computed == 0

    @cached_property
    def counters(self) -> Counter[str]:
        """The sums of the tasks' counters."""
        total: Counter[str] = Counter()
        for task in self.tasks:
            total.update(task.counters)
        return total

    @property
    def rows(self) -> int:
        """Rows of the output."""
        return sum(task.rows for task in self.tasks)

    @property
    def bytes(self) -> int:
        """Size of the output on disk."""
        return sum(task.bytes + sum(task.files.values()) for task in self.tasks)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all tasks, including those of earlier runs."""
        return sum(task.cpu_s for task in self.tasks) + self.moved_cpu_s

    @property
    def wall_s(self) -> float:
        """Sum of the tasks' wall times in seconds."""
        return sum(task.wall_s for task in self.tasks)

    @property
    def peak_mb(self) -> float:
        """Largest peak of resident memory (MB) of a worker at the end of one of its tasks."""
        return max((task.peak_mb for task in self.tasks), default=0.0)


class TaskStore:
    """Storage of tasks and steps, ``tasks/`` and ``steps/`` of a store, and of the spills of exchanges.

    Args:
        place: The store, or its folder.
        scratch: Local folder for spills, which other machines never read. Default: ``tasks/spill`` if the store is a
            local folder, else a temporary folder.
        is_compressed: Compress tables. Texts then take 60 % of the space, and reading and writing them twice the time.
    """

    def __init__(self, place: Store | Path, *, scratch: Path | None = None, is_compressed: bool = True) -> None:
        self.store = open_store(place)
        self.is_compressed = is_compressed
        self.spill = scratch or self.store.path(SPILL) or _machine_scratch(self.store)

    def out(self, task_fingerprint: str) -> str:
        """Return the prefix of the keys of a task's files.

        >>> TaskStore(Path("corpus")).out("ab01")
        'tasks/ab/ab01'
        """
        return f"{TASKS}/{task_fingerprint[:2]}/{task_fingerprint}"

    def done(self, task_fingerprint: str) -> TaskResult | None:
        """Return the result of a finished task, or None if it is not finished or its files are incomplete."""
        out = self.out(task_fingerprint)
        if self._is_here:
            return read_result(self.store, out)
        if f"{out}.json" not in self._sizes:
            return None
        done = read_result(self.store, out)
        return done if done is not None and self._is_whole(done) else None

    def manifest(self, step_fingerprint: str) -> dict[str, Any]:
        """Return the manifest of a step; empty if there is none."""
        try:
            return dict(json.loads(self.store.read(_step_key(step_fingerprint))))
        except (FileNotFoundError, ValueError, TypeError):
            return {}

    def read_step(self, step_fingerprint: str) -> StepResult | None:
        """Return a finished step, or None if any of its files is missing."""
        manifest = self.manifest(step_fingerprint)
        try:
            tasks = tuple(map(TaskResult.from_dict, manifest["tasks"]))
            done = StepResult(
                name=manifest["name"],
                fingerprint=step_fingerprint,
                stage=manifest["stage"],
                tasks=tasks,
                computed=0,
                moved_cpu_s=float(manifest["moved_cpu_s"]),
                rounds=tuple(manifest["rounds"]),
            )
        except (ValueError, KeyError, TypeError):
            return None
        return done if all(map(self._is_whole, tasks)) else None

    def forget_step(self, step_fingerprint: str) -> None:
        """Remove the manifest and the tasks of a finished step."""
        tasks = self.manifest(step_fingerprint).get("tasks", ())
        keys = [f"{self.out(task['fingerprint'])}.json" for task in tasks]
        self.store.remove(_step_key(step_fingerprint), *keys)
        for key in keys if not self._is_here else ():
            self._sizes.pop(key, None)

    def write_step(self, done: StepResult, *, description: Mapping[str, Any]) -> None:
        """Write the manifest of a step."""
        content = {
            **description,
            "name": done.name,
            "stage": done.stage,
            "fingerprint": done.fingerprint,
            "tasks": [task.as_dict() for task in done.tasks],
            "rows": done.rows,
            "moved_cpu_s": done.moved_cpu_s,
            "rounds": list(done.rounds),
            "counters": dict(sorted(done.counters.items())),
        }
        self.store.write(_step_key(done.fingerprint), json.dumps(content, sort_keys=True))
        if not self._is_here:
            for task in done.tasks:
                out = self.out(task.fingerprint)
                self._sizes |= files_of(out, task) | {f"{out}.json": 0}

    # -- stored files

    @property
    def _is_here(self) -> bool:
        """Whether the store is a local folder, where checking a file costs next to nothing."""
        return self.store.path() is not None

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """Sizes of the files of tasks by key, from one listing instead of a request for each file."""
        return {entry.key: entry.size for entry in self.store.files(TASKS)}

    def _is_whole(self, done: TaskResult) -> bool:
        out = self.out(done.fingerprint)
        if self._is_here:
            return is_whole(self.store, out, done)
        files = files_of(out, done)
        return f"{out}.json" in self._sizes and all(self._sizes.get(key) == size for key, size in files.items())


def _step_key(fingerprint: str) -> str:
    return f"{STEPS}/{fingerprint}/manifest.json"


def _machine_scratch(store: Store) -> Path:
    """Return a local folder for the spills of exchanges whose results go to *store*."""
    return Path(tempfile.gettempdir()) / f"corpusmill-spill-{fingerprint(store.url)[:16]}"
