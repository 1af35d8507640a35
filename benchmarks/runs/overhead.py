"""Measure the overhead of the engine: CPU of a run compared with a plain loop over the same functions and batches.

    python -m benchmarks.runs.overhead [RECIPE | --documents 20000 | --pages 2884] [--workers 2] [--repeat 1]

The loop (`plain_loop.py`) is one process without files between steps. Both write the same Parquet files, whose logical
hashes are compared. Goals: at most 1.15 times the CPU of the loop, and 3.6 ms per page for a whole run over pages.

For each step, *run* is the CPU time of its tasks, including sorting for an exchange. *other* is the rest: starting
processes and importing, registering the source, and, for the run only, the driver, publication and report. CPU seconds
are those of whole process trees. Run and loop alternate; of several repetitions the cheapest counts.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.runs.inputs import Installation, add_input, input_recipe
from benchmarks.runs.measuring import Cost, machine, measure, print_table

GOAL: Final = 1.15


@dataclass(frozen=True)
class Measured:
    """A run or loop: its cost, CPU seconds by step, and the logical hashes of its files."""

    cost: Cost
    steps: dict[str, float]
    logical_hashes: list[str]
    documents: int | None = None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_input(parser, documents=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="overhead-") as scratch:
        recipe = input_recipe(options, Path(scratch))
        print(machine())
        pairs = [
            (
                in_new_folder(lambda folder: run(recipe, folder, options.workers)),
                in_new_folder(lambda folder: loop(recipe, folder)),
            )
            for _ in range(options.repeat)
        ]
    of_run, of_loop = (min(results, key=lambda one: one.cost.cpu_s) for results in zip(*pairs, strict=True))
    report(of_run, of_loop)
    if of_run.logical_hashes != of_loop.logical_hashes:
        sys.exit("error: run and loop wrote different files")


def in_new_folder(work: Callable[[Path], Measured]) -> Measured:
    """Call *work* with a new folder and return its result."""
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        return work(Path(folder))


def run(recipe: Path, workspace: Path, workers: int) -> Measured:
    """Run *recipe* and return what it cost."""
    cost = Installation().run(recipe, workspace, "--workers", str(workers))
    result = json.loads(cost.output)
    manifest = json.loads((Path(result["path"]) / "manifest.json").read_text())
    files = [*manifest["files"], *(file for file in manifest["side_files"] if file["kind"] != "origin")]
    steps = {step["name"]: step["cpu_s"] for step in result["steps"]}
    return Measured(cost, steps, sorted(file["logical_hash"] for file in files), result["counts"]["read"])


def loop(recipe: Path, folder: Path) -> Measured:
    """Run *recipe* in a plain loop and return what it cost."""
    command = [sys.executable, "-m", "benchmarks.runs.plain_loop", str(recipe.absolute()), "--folder", str(folder)]
    cost = measure(command, environment=Installation().environment())
    result = json.loads(cost.output)
    return Measured(cost, result["cpu_s"], result["logical_hashes"])


def report(of_run: Measured, of_loop: Measured) -> None:
    """Print CPU seconds by step, and the overhead of the engine."""
    rows = [row(name, seconds, of_loop.steps.get(name, 0.0)) for name, seconds in of_run.steps.items()]
    rows.append(row("all steps", sum(of_run.steps.values()), sum(of_loop.steps.values())))
    others = [one.cost.cpu_s - sum(one.steps.values()) for one in (of_run, of_loop)]
    rows += [row("other", *others), row("total", of_run.cost.cpu_s, of_loop.cost.cpu_s)]
    print_table(rows)
    documents = max(1, of_run.documents or 0)
    print(f"{documents:,} documents: {of_run.cost.cpu_s / documents * 1e3:.2f} ms each in the run, ", end="")
    print(f"{of_loop.cost.cpu_s / documents * 1e3:.2f} ms in the loop")
    print(f"the run takes {of_run.cost.cpu_s / of_loop.cost.cpu_s:.2f} times the CPU of the loop (goal: {GOAL})")


def row(step: str, run_s: float, loop_s: float) -> dict[str, Any]:
    """Return a row of the table; without a ratio if the loop took less than 0.05 s."""
    ratio = run_s / loop_s if loop_s > 0.05 else None
    return {"step": step, "run cpu s": run_s, "loop cpu s": loop_s, "added s": run_s - loop_s, "ratio": ratio}


if __name__ == "__main__":
    main()
