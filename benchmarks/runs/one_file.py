"""How much two workers gain over one when the input is a single file, by its form.

    python -m benchmarks.runs.one_file [--documents 20000] [--forms .jsonl .jsonl.gz .jsonl.zst .parquet .warc .warc.gz]
                                       [--workers 1 2] [--repeat 1] [--corpusmill PATH]

Wall time of whole runs, each in an empty workspace. Goals: two workers are 1.8 times as fast where the file can be
split (JSON Lines, Parquet, WARC, WARC with a gzip member a record), 1.5 times where it is one stream (`.jsonl.gz`,
`.jsonl.zst`). It needs a machine with as many idle cores as workers: of several repetitions the fastest counts, and
*cores* (CPU by wall time) says how many cores a run had.
"""

from __future__ import annotations

import argparse
import tempfile
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
    parser.add_argument("--forms", nargs="+", choices=list(GOALS), default=list(GOALS), metavar="SUFFIX")
    parser.add_argument("--workers", type=int, nargs=2, default=[1, 2])
    parser.add_argument("--repeat", type=int, default=1)
    add_installations(parser)
    options = parser.parse_args(arguments)
    print(machine())
    rows = [measured(form, one, options) for form in options.forms for one in installations(options)]
    print_table(rows)


def measured(form: str, installation: Installation, options: argparse.Namespace) -> dict[str, Any]:
    """Return the row of the table for one form of file."""
    few, many = options.workers
    with tempfile.TemporaryDirectory(prefix="one-file-") as folder:
        path = Path(folder) / f"documents{form}"
        write_documents(path, options.documents)
        recipe = write_recipe(path)
        size = path.stat().st_size
        costs: dict[int, list[Cost]] = {few: [], many: []}
        for _ in range(options.repeat):
            for workers, of in costs.items():
                of.append(run(installation, recipe, Path(folder), workers))
    best = {workers: min(of, key=lambda cost: cost.wall_s) for workers, of in costs.items()}
    columns = {f"{name} {unit}": figure for workers in (few, many) for name, unit, figure in (
        (f"{workers}:", "wall s", best[workers].wall_s),
        (f"{workers}:", "cpu s", best[workers].cpu_s),
        (f"{workers}:", "cores", best[workers].cpu_s / best[workers].wall_s),
    )}  # fmt: skip
    speedup = best[few].wall_s / best[many].wall_s
    row = {"form": form, "installation": installation.name, "MB": size // 1_000_000, **columns}
    return {**row, "speedup": speedup, "goal": GOALS[form]}


def run(installation: Installation, recipe: Path, folder: Path, workers: int) -> Cost:
    """Run *recipe* in an empty workspace in *folder*."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="workspace-") as workspace:
        return installation.run(recipe, Path(workspace), "--workers", str(workers))


if __name__ == "__main__":
    main()
