"""Measure the speedup of two workers over one if the input is a single file, by file format.

    python -m benchmarks.runs.one_file [--documents 20000] [--workers 1 2] [--repeat 1] [--corpusmill PATH]
                                       [--formats .jsonl .jsonl.gz .jsonl.zst .parquet .warc .warc.gz]

The script measures the wall time of whole runs, each in an empty workspace. Goals: two workers are 1.8 times as fast if
the file can be split (JSON Lines, Parquet, WARC, WARC with one gzip member per record), and 1.5 times if it is one
stream (`.jsonl.gz`, `.jsonl.zst`). The machine needs as many idle cores as workers. Of several repetitions the fastest
counts. *cores* (CPU time divided by wall time) is the number of cores that a run had. *possible* is also valid on a
busy machine: it is the speedup if each task took the CPU time that it took with fewer workers, and everything else (the
driver, publication) ran alone.
"""

from __future__ import annotations

import argparse
import heapq
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from benchmarks.runs.documents import write_documents
from benchmarks.runs.inputs import Installation, add_installations, installations, write_recipe
from benchmarks.runs.measuring import Cost, machine, print_table

SPLITTABLE: Final = 1.8
STREAM: Final = 1.5
GOALS: Final = {
    ".jsonl": SPLITTABLE,
    ".jsonl.gz": STREAM,
    ".jsonl.zst": STREAM,
    ".parquet": SPLITTABLE,
    ".warc": SPLITTABLE,
    ".warc.gz": SPLITTABLE,
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--formats", nargs="+", choices=list(GOALS), default=list(GOALS), metavar="SUFFIX")
    parser.add_argument("--workers", type=int, nargs=2, default=[1, 2])
    parser.add_argument("--repeat", type=int, default=1)
    add_installations(parser)
    options = parser.parse_args(arguments)
    print(machine())
    rows = [table_row(suffix, one, options) for suffix in options.formats for one in installations(options)]
    print_table(rows)


def table_row(suffix: str, installation: Installation, options: argparse.Namespace) -> dict[str, Any]:
    """Return the row of the table for one file format."""
    few, many = options.workers
    with tempfile.TemporaryDirectory(prefix="one-file-") as folder:
        path = Path(folder) / f"documents{suffix}"
        write_documents(path, options.documents)
        recipe = write_recipe(path)
        size = path.stat().st_size
        results = [
            (workers, *run(installation, recipe, Path(folder), workers, many))
            for _ in range(options.repeat)
            for workers in (few, many)
        ]
    first, second = (
        min((cost for workers, cost, _ in results if workers == number), key=lambda cost: cost.wall_s)
        for number in (few, many)
    )
    return {
        "format": suffix,
        "installation": installation.name,
        "MB": size // 1_000_000,
        **columns(few, first),
        **columns(many, second),
        "speedup": first.wall_s / second.wall_s,
        "possible": max(possible for workers, _, possible in results if workers == few),
        "goal": GOALS[suffix],
    }


def columns(workers: int, cost: Cost) -> dict[str, float]:
    """Return the columns of the table for a run with *workers*."""
    figures = {"wall s": cost.wall_s, "cpu s": cost.cpu_s, "cores": cost.cpu_s / cost.wall_s}
    return {f"{workers}: {name}": figure for name, figure in figures.items()}


def run(installation: Installation, recipe: Path, folder: Path, workers: int, many: int) -> tuple[Cost, float]:
    """Run *recipe* in an empty workspace; return its cost, and the speedup that *many* workers could give."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="workspace-") as workspace:
        cost = installation.run(recipe, Path(workspace), "--workers", str(workers))
        return cost, possible_speedup(Path(workspace), cost.cpu_s, many)


def possible_speedup(workspace: Path, cpu_s: float, workers: int) -> float:
    """Return the possible speedup of *workers* over one worker, from the CPU times of the tasks of a run of *cpu_s*.

    The tasks of a step wait for the previous step; sorting for an exchange is assumed to spread evenly.
    """
    sequential = parallel = 0.0
    for path in workspace.glob("steps/*/manifest.json"):
        step = json.loads(path.read_text())
        tasks = [task["cpu_s"] for task in step["tasks"]]
        sequential += sum(tasks) + step["moved_cpu_s"]
        parallel += makespan(tasks, workers) + step["moved_cpu_s"] / workers
    return cpu_s / (cpu_s - sequential + parallel)


def makespan(tasks: Iterable[float], workers: int) -> float:
    """Return when the last of *tasks* ends if the first free worker always takes the next task.

    >>> makespan([3, 1, 1, 1], 2)
    3
    """
    free: list[float] = [0] * workers
    for seconds in tasks:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


if __name__ == "__main__":
    main()
