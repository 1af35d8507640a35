"""Measure the cost of a whole run in one installation or several: CPU, time, memory, disk.

    python -m benchmarks.runs.end_to_end [RECIPE | --documents 20000 | --pages 1000]
                                         [--corpusmill OLD/bin/corpusmill --corpusmill this]
                                         [--workers 2] [--engine local] [--repeat 1]

Each run starts from an empty workspace, and the installations alternate. *cpu s* is the CPU time of the process tree,
*peak MB* the peak of its proportional memory, *written MB* everything written to disk, *left MB* and *files* the final
content of the workspace. The last lines compare the lowest CPU time of each installation with that of the first one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.runs.inputs import Installation, add_input, add_installations, input_recipe, installations
from benchmarks.runs.measuring import machine, print_table, size_of


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_input(parser, documents=20_000)
    add_installations(parser)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="local")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="Folder for temporary input and workspaces.")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="end-to-end-") as folder:
        recipe = input_recipe(options, Path(folder))
        print(machine())
        rows = [
            table_row(installation, recipe, Path(folder), options)
            for _ in range(options.repeat)
            for installation in installations(options)
        ]
        print_table(rows)
        compare(rows)


def table_row(installation: Installation, recipe: Path, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the row of the table for one run."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="workspace-") as workspace:
        cost = installation.run(recipe, Path(workspace), "--engine", options.engine, "--workers", str(options.workers))
        left_bytes, files = size_of(Path(workspace))
    result = json.loads(cost.output)
    documents = result["counts"]["read"]
    return {
        "installation": installation.name,
        "documents": documents,
        "cpu s": cost.cpu_s,
        "ms/document": cost.cpu_s / max(1, documents) * 1e3,
        "wall s": cost.wall_s,
        "peak MB": cost.peak_bytes // 1_000_000,
        "written MB": cost.written_bytes // 1_000_000,
        "left MB": left_bytes // 1_000_000,
        "files": files,
        "published": result["counts"]["published"],
        "version": result["version"],
    }


def compare(rows: list[dict[str, Any]]) -> None:
    """Print the ratio of the CPU time of each installation to that of the first one."""
    lowest: dict[str, float] = {}
    for row in rows:
        lowest[row["installation"]] = min(row["cpu s"], lowest.get(row["installation"], row["cpu s"]))
    first, *others = lowest
    for name in others:
        print(f"{name}: {lowest[name] / lowest[first]:.2f} times the CPU of {first}")


if __name__ == "__main__":
    main()
