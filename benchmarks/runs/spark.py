"""Measure the CPU of the demo's recipe on Spark, including Java processes, in one installation or several.

    python -m benchmarks.runs.spark [--corpusmill OLD/bin/corpusmill --corpusmill this] [--workers 2] [--repeat 1]

The site is generated and crawled, and the files are registered, before anything is measured. Each installation then
runs `recipes/handbook.yaml` in its own workspace, on the local engine and on Spark. Both engines must publish the same
version. *cpu s* is the CPU time of the process tree. *java s* and *python s* split it by process, as last sampled.
Goal: at most 25 s on Spark.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.runs.inputs import ROOT, Installation, add_installations, installations
from benchmarks.runs.measuring import machine, print_table
from recipes.pydoc_site import DEMO_PORT, make_site, serve

RECIPE: Final = ROOT / "recipes" / "handbook.yaml"
ENGINES: Final = ("local", "spark")
FILES: Final = {"CORPUSMILL_SITE_PACKAGES": sysconfig.get_paths()["purelib"]}
"""The environment variable that the recipe needs; all installations read the same files."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_installations(parser)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="spark-") as folder:
        print(machine())
        chosen = installations(options)
        sources = [with_sources(one, Path(folder), number) for number, one in enumerate(chosen)]
        rows = [
            table_row(one, workspace, Path(folder), engine, options.workers)
            for _ in range(options.repeat)
            for engine in ENGINES
            for one, workspace in zip(chosen, sources, strict=True)
        ]
        print_table(rows)
    different = {name for name in {row["installation"] for row in rows} if len(versions(rows, name)) > 1}
    if different:
        sys.exit(f"error: the engines published different versions with {', '.join(sorted(different))}")


def with_sources(installation: Installation, folder: Path, number: int) -> Path:
    """Return a new workspace that contains the sources of the recipe."""
    workspace = folder / f"sources-{number}"
    environment = installation.environment(**FILES)
    make_site(folder / "site")
    with serve(folder / "site", DEMO_PORT):
        for name in ("crawl", "load"):
            command = installation.call(name, str(RECIPE), "--workspace", str(workspace))
            completed = subprocess.run(
                command, env=environment, cwd=folder, capture_output=True, text=True, check=False
            )
            if completed.returncode:
                sys.exit(completed.stderr)
    return workspace


def table_row(installation: Installation, sources: Path, folder: Path, engine: str, workers: int) -> dict[str, Any]:
    """Return the row of the table for one run."""
    workspace = folder / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    shutil.copytree(sources, workspace)
    cost = installation.run(RECIPE, workspace, "--engine", engine, "--workers", str(workers), **FILES)
    result = json.loads(cost.output)
    java = cost.cpu_by_name.get("java", 0.0)
    return {
        "installation": installation.name,
        "engine": engine,
        "documents": result["counts"]["read"],
        "cpu s": cost.cpu_s,
        "java s": java,
        "python s": sum(cost.cpu_by_name.values()) - java,
        "wall s": cost.wall_s,
        "peak MB": cost.peak_bytes // 1_000_000,
        "version": result["version"],
    }


def versions(rows: list[dict[str, Any]], installation: str) -> set[str]:
    """Return the versions that *installation* published."""
    return {row["version"] for row in rows if row["installation"] == installation}


if __name__ == "__main__":
    main()
