"""What the engine adds to the work: CPU of a run against a plain loop over the same functions and batches.

    python -m benchmarks.runs.overhead [RECIPE | --documents 20000 | --pages 2884] [--workers 2] [--repeat 1]

The loop (`plain_loop.py`) is one process without files between steps; both write the same Parquet, whose logical
hashes are compared. Goals: at most 1.15 times the CPU of the loop, and 3.6 ms a page for the whole run over pages.

By step, *run* is what the tasks took, sorting for an exchange included. *other* is all else: starting processes and
importing, registering the source, and, of the run alone, the driver, publication and report. CPU seconds of whole
process trees; of several repetitions, which take turns, the cheapest counts.
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
    """A run or loop: its cost, CPU seconds by step, and the hashes of what it wrote."""

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
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        recipe = input_recipe(options, Path(folder))
        print(machine())
        pairs = [
            (in_folder(lambda at: run(recipe, at, options.workers)), in_folder(lambda at: loop(recipe, at)))
            for _ in range(options.repeat)
        ]
    ran, looped = (min(measured, key=lambda one: one.cost.cpu_s) for measured in zip(*pairs, strict=True))
    report(ran, looped)
    if ran.logical_hashes != looped.logical_hashes:
        sys.exit("error: run and loop wrote different files")


def in_folder(work: Callable[[Path], Measured]) -> Measured:
    """Do *work* in a new folder."""
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
    """Do the work of *recipe* in a plain loop and return what it cost."""
    command = [sys.executable, "-m", "benchmarks.runs.plain_loop", str(recipe.absolute()), "--folder", str(folder)]
    cost = measure(command, environment=Installation().environment())
    result = json.loads(cost.output)
    return Measured(cost, result["cpu_s"], result["logical_hashes"])


def report(ran: Measured, looped: Measured) -> None:
    """Print CPU seconds by step, and how much the engine adds."""
    rows = [row(name, seconds, looped.steps.get(name, 0.0)) for name, seconds in ran.steps.items()]
    rows.append(row("all steps", sum(ran.steps.values()), sum(looped.steps.values())))
    others = [one.cost.cpu_s - sum(one.steps.values()) for one in (ran, looped)]
    rows += [row("other", *others), row("total", ran.cost.cpu_s, looped.cost.cpu_s)]
    print_table(rows)
    documents = max(1, ran.documents or 0)
    print(f"{documents:,} documents: {ran.cost.cpu_s / documents * 1e3:.2f} ms each in the run, ", end="")
    print(f"{looped.cost.cpu_s / documents * 1e3:.2f} ms in the loop")
    print(f"the run takes {ran.cost.cpu_s / looped.cost.cpu_s:.2f} times the CPU of the loop (goal: {GOAL})")


def row(step: str, run_s: float, loop_s: float) -> dict[str, Any]:
    """Return a row of the table; where the loop took next to nothing, there is no ratio."""
    ratio = run_s / loop_s if loop_s > 0.05 else None
    return {"step": step, "run cpu s": run_s, "loop cpu s": loop_s, "added s": run_s - loop_s, "ratio": ratio}


if __name__ == "__main__":
    main()
