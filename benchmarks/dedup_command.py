"""Measure `corpusmill dedup` as a user calls it: CPU seconds, wall time and memory of the whole command.

    python benchmarks/dedup_command.py [FOLDER] [--workers N] [--threshold 0.8]

FOLDER has Parquet files with the string columns `id` and `text`; without it, 4,000 generated documents are measured.
The script prints JSON: the figures of the command, *cpu_s* and *wall_s* of its process and workers, and *peak_mb*, the
largest resident memory of one of them.

`deduplicated` and its modes are also what a scorer calls that measures several tools in one way: a function of the
folder, a scratch folder, the mode and options, which returns the ids of the removed documents.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DOCUMENTS = 4_000
WORDS = 400


def deduplicated(folder: str, work: str, mode: str, options: Mapping[str, str]) -> list[str]:
    """Run the command on *folder* and return the ids of the removed documents.

    Args:
        work: Scratch folder. ``index`` notes *folder* in it, and ``add`` removes what is similar to that folder, too.
        mode: ``dedup``, ``index`` or ``add``.
        options: Options of the command by name, such as ``{"workers": "2"}``.

    Raises:
        ValueError: The command has no such mode.
    """
    known = Path(work) / "known.txt"
    if mode == "index":
        known.write_text(folder)
        return []
    if mode not in ("dedup", "add"):
        raise ValueError(f"`corpusmill dedup` has no mode {mode}")
    against = ["--against", known.read_text()] if mode == "add" else []
    out = Path(work) / "out"
    call([folder, *against, "--out", str(out)], options)
    files = sorted(out.glob("ledger-*.parquet"))
    return [name for file in files for name in pq.ParquetFile(file).read(columns=["id"])["id"].to_pylist()]


def call(arguments: list[str], options: Mapping[str, str]) -> dict[str, Any]:
    """Run the command with *arguments* and *options* and return what it prints."""
    named = [part for name, value in options.items() for part in (f"--{name}", value)]
    program = [sys.executable, "-m", "corpusmill", "dedup", *arguments, *named, "--quiet", "--json"]
    figures: dict[str, Any] = json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE).stdout)
    return figures


def write_documents(folder: Path) -> None:
    """Write `DOCUMENTS` documents, of which half are near duplicates of another one."""
    chance = random.Random(1)
    words = [f"w{number}" for number in range(20_000)]
    rows: list[dict[str, str]] = []
    for number in range(0, DOCUMENTS, 2):
        text = chance.choices(words, k=WORDS)
        rows.append({"id": f"{number:06}", "text": " ".join(text)})
        rows.append({"id": f"{number + 1:06}", "text": " ".join(["changed", *text[1:]])})
    pq.write_table(pa.Table.from_pylist(rows), folder / "documents.parquet")


def main() -> None:
    """Print the figures of one call."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--workers", default="1")
    parser.add_argument("--threshold", default="0.8")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = arguments.folder or Path(work) / "in"
        if arguments.folder is None:
            folder.mkdir()
            write_documents(folder)
        started = time.perf_counter()
        options = {"workers": arguments.workers, "threshold": arguments.threshold}
        figures = call([str(folder), "--out", f"{work}/out"], options)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cost = {
            "cpu_s": round(used.ru_utime + used.ru_stime, 2),
            "wall_s": round(time.perf_counter() - started, 2),
            "peak_mb": round(used.ru_maxrss / 1024),
        }
    print(json.dumps({**figures, **cost}))


if __name__ == "__main__":
    main()
