"""Where tasks and steps lie: ``tasks/`` and ``steps/`` of a workspace."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from corpusmill.pipelines.engines.tasks import Done, address, is_whole


@dataclass(frozen=True)
class StepDone:
    """A finished step.

    Args:
        tasks: Their results, in the order of slices or partitions.
        computed: How many of them this run computed; the others were there.
        moved_cpu_s: CPU seconds that sorting the input of an exchange took.
        rounds: Fingerprints of the steps that a `Repeat` ran.
    """

    name: str
    fingerprint: str
    stage: str | None
    tasks: tuple[Done, ...]
    computed: int
    moved_cpu_s: float = 0.0
    rounds: tuple[str, ...] = ()

    @property
    def cached(self) -> bool:
        """Whether all of it was there before."""
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
        """CPU seconds of the tasks, whenever they were done."""
        return sum(task.cpu_s for task in self.tasks) + self.moved_cpu_s

    @property
    def wall_s(self) -> float:
        """Seconds of the tasks, added up."""
        return sum(task.wall_s for task in self.tasks)

    @property
    def peak_mb(self) -> float:
        """Largest resident memory of a worker at the end of one of its tasks."""
        return max((task.peak_mb for task in self.tasks), default=0.0)


class TaskStore:
    """Where tasks and steps lie: ``tasks/`` and ``steps/`` of a workspace."""

    def __init__(self, workspace: Path) -> None:
        self.tasks = workspace / "tasks"
        self.steps = workspace / "steps"
        self.spill = workspace / "tasks" / "spill"

    def out(self, task_fingerprint: str) -> Path:
        """Return the prefix of the files of a task."""
        return address(self.tasks, task_fingerprint)

    def manifest(self, step_fingerprint: str) -> dict[str, Any]:
        """Return what the manifest of a step says; empty when there is none."""
        try:
            return dict(json.loads((self.steps / step_fingerprint / "manifest.json").read_text()))
        except (OSError, ValueError):
            return {}

    def read_step(self, step_fingerprint: str) -> StepDone | None:
        """Return a finished step, when all its files are there."""
        manifest = self.manifest(step_fingerprint)
        try:
            tasks = tuple(map(Done.from_dict, manifest["tasks"]))
            done = StepDone(
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
        return done if all(is_whole(self.out(task.fingerprint), task) for task in tasks) else None

    def forget_step(self, step_fingerprint: str) -> None:
        """Remove the manifest and the tasks of a step, if it was finished."""
        for task in self.manifest(step_fingerprint).get("tasks", ()):
            prefix = self.out(task["fingerprint"])
            prefix.with_name(f"{prefix.name}.json").unlink(missing_ok=True)
        (self.steps / step_fingerprint / "manifest.json").unlink(missing_ok=True)

    def write_step(self, done: StepDone, *, description: Mapping[str, Any]) -> None:
        """Write the manifest of a step, by rename."""
        folder = self.steps / done.fingerprint
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            **description,
            "name": done.name,
            "stage": done.stage,
            "fingerprint": done.fingerprint,
            "tasks": [asdict(task) for task in done.tasks],
            "rows": done.rows,
            "moved_cpu_s": done.moved_cpu_s,
            "rounds": list(done.rounds),
            "counters": dict(sorted(done.counters.items())),
        }
        temporary = folder / f"manifest.json.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(content, sort_keys=True))
        temporary.replace(folder / "manifest.json")
