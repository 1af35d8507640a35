"""Measure what `near_dedup` costs in an incremental run, beside a run over the new documents alone.

    python -m benchmarks.dedup_incremental FOLDER [--documents 200000] [--new 10000] [--workers 2]
        [--save FOLDER] [--steps]

FOLDER has Parquet files with the string columns `id` and `text` (`dedup_data.py scale`). The first documents make a
version with `incremental: true`, the next ones are added to it. The script prints the CPU seconds of all steps of the
stage: for the first version, for the run that adds the new documents, for all documents without `incremental: true`,
and for the new documents alone. With `--steps`, it prints each step of the run that adds them. `--save` keeps the
workspace of the first version and starts from it the next time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.runs.measuring import machine, measure, print_table

RECIPE = """\
dataset: grown
sources:
  - load: {{name: documents, format: parquet, path: "data/*.parquet"}}
stages:
  - near_dedup
split: {{train: 0.98, validation: 0.01, test: 0.01}}
incremental: {incremental}
"""


def rows_of(files: Sequence[Path], start: int, stop: int, *, day: int) -> pa.Table:
    """Return the documents ``[start, stop)`` of *files*, fetched on a *day* of January.

    Raises:
        ValueError: There are not enough documents.
    """
    tables, before = [], 0
    for file in files:
        table = pq.read_table(file, columns=["id", "text"])
        low, high = max(start - before, 0), min(stop - before, table.num_rows)
        if low < high:
            tables.append(table.slice(low, high - low))
        before += table.num_rows
    if before < stop:
        raise ValueError(f"the files have {before:,} documents, not {stop:,}")
    rows = pa.concat_tables(tables)
    fetched = pa.array([datetime(2024, 1, day, tzinfo=UTC)] * rows.num_rows, pa.timestamp("us", tz="UTC"))
    return rows.append_column("fetched_at", fetched)


def prepare(folder: Path, *, incremental: bool, **tables: pa.Table) -> Path:
    """Write a recipe and its data to *folder* and return the recipe."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        for part in range(0, table.num_rows, 25_000):
            pq.write_table(
                table.slice(part, 25_000), folder / "data" / f"{name}-{part:07}.parquet", row_group_size=5000
            )
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(incremental=str(incremental).lower()))
    return recipe


def stored(workspace: Path) -> set[Path]:
    """Return the results of tasks and steps in *workspace*."""
    return {*workspace.glob("tasks/*/*.json"), *workspace.glob("steps/*/manifest.json")}


def computed(workspace: Path, before: set[Path]) -> list[dict[str, Any]]:
    """Return the steps of the stage that a run computed, with the CPU time of the tasks that were not stored *before*.

    The costs in the result of a run count the tasks of earlier runs too.
    """
    steps = []
    for path in stored(workspace) - before:
        if path.name != "manifest.json":
            continue
        step = json.loads(path.read_text())
        if step["name"].partition(".")[0] != "near_dedup" or step["rounds"]:
            continue
        names = [(task, f"{task['fingerprint']}.json") for task in step["tasks"]]
        tasks = [task for task, name in names if workspace / "tasks" / name[:2] / name not in before]
        cpu_s = step["moved_cpu_s"] + sum(task["cpu_s"] for task in tasks)
        steps.append({"step": step["name"], "tasks": len(tasks), "rows": step["rows"], "cpu s": cpu_s})
    return sorted(steps, key=lambda step: -step["cpu s"])


def measured(folder: Path, options: Sequence[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run the recipe in *folder* and return its cost and the computed steps of the stage."""
    program = [sys.executable, "-m", "corpusmill"]
    common = [str(folder / "recipe.yaml"), "--workspace", str(folder / "w"), "--quiet", "--json"]
    measure([*program, "load", *common])
    before = stored(folder / "w")
    cost = measure([*program, "run", *common, *options])
    steps = computed(folder / "w", before)
    return {
        "published": json.loads(cost.output)["counts"]["published"],
        "stage cpu s": sum(step["cpu s"] for step in steps),
        "run cpu s": cost.cpu_s,
        "wall s": cost.wall_s,
        "peak MB": round(cost.peak_bytes / 1e6),
    }, steps


def main() -> None:
    """Print the machine, then a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--new", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--save", type=Path, help="folder for the workspace of the first version")
    parser.add_argument("--steps", action="store_true", help="print the steps of the incremental run")
    parser.add_argument("--only", default="first,added,all,alone", help="which runs to measure, with commas")
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("*.parquet"))
    options = ["--workers", str(arguments.workers)]
    total = arguments.documents + arguments.new
    only = arguments.only.split(",")
    print(machine(), flush=True)
    rows: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []

    def run(name: str, folder: Path) -> list[dict[str, Any]]:
        cost, done = measured(folder, options)
        rows.append({"run": name, **cost})
        return done

    with tempfile.TemporaryDirectory(dir=arguments.save and arguments.save.parent) as temporary:
        new = rows_of(files, arguments.documents, total, day=2)
        first = arguments.save or Path(temporary) / "first"
        if not (first / "w").exists():
            prepare(first, incremental=True, old=rows_of(files, 0, arguments.documents, day=1))
            run("first version", first)
        if "added" in only:
            grown = Path(temporary) / "grown"
            shutil.copytree(first, grown, symlinks=True)
            prepare(grown, incremental=True, new=new)
            steps = run("new documents added", grown)
        if "all" in only:
            old = rows_of(files, 0, arguments.documents, day=1)
            prepare(Path(temporary) / "all", incremental=False, old=old, new=new)
            run("all at once", Path(temporary) / "all")
        if "alone" in only:
            prepare(Path(temporary) / "alone", incremental=False, new=new)
            run("new documents alone", Path(temporary) / "alone")
    print_table(rows)
    if arguments.steps:
        print_table(steps)


if __name__ == "__main__":
    main()
