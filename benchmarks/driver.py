"""What the driver costs per task: listing tasks, and finding them finished.

    python benchmarks/driver.py [--tasks 1000 10000]

Each task of a scan is empty, and three maps follow it, so a slice has four results. *found_cpu_s* is a second run that
finds all steps finished; *listed_cpu_s* one whose steps have lost their manifests, so that each task is looked for at
its address. Both have to be linear: a terabyte of raw files is 16,000 tasks.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from corpusmill.pipelines.engines.base import Batches, ColumnFunction, Function, Map, Scan
from corpusmill.pipelines.engines.driver import Silent, run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.engines.store import TaskStore

SCHEMA = pa.schema([pa.field("n", pa.int64(), nullable=False)])


class Nothing(Function):
    """Gives no rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda _: iter(())


class Zero(ColumnFunction):
    """Adds a column of zeros."""

    into: str

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        return lambda batch: pa.record_batch({self.into: pa.array([0] * batch.num_rows, pa.int64())})


def plan(tasks: int) -> Plan:
    """Return a plan of one scan of *tasks* empty tasks, and three maps over it."""
    maps = [
        Map(name=f"m{i}", of="n" if i == 0 else f"m{i - 1}", function=Zero(into=f"c{i}"), reads=("n",),
            writes=pa.schema([(f"c{i}", pa.int64())]))
        for i in range(3)
    ]  # fmt: skip
    scan = Scan(name="n", function=Nothing(), schema=SCHEMA)
    return Plan([scan, *maps], {"n": [ScanTask(({"n": number},), number) for number in range(tasks)]})


def cpu_s(store: TaskStore, made: Plan) -> float:
    """Return the CPU seconds of a run of *made*."""
    started = time.process_time()
    run_plan(made, store, LocalEngine(0), observer=Silent())
    return round(time.process_time() - started, 2)


def main() -> None:
    """Print one line of JSON per number of tasks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="+", default=[1000, 10000])
    for tasks in parser.parse_args().tasks:
        with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
            store, made = TaskStore(Path(folder)), plan(tasks)
            first = cpu_s(store, made)
            found = cpu_s(store, made)
            store.store.remove_folder("steps")
            listed = cpu_s(store, made)
        figures = {"tasks": tasks, "first_cpu_s": first, "found_cpu_s": found, "listed_cpu_s": listed}
        print(json.dumps({**figures, "results_per_task": 4, "python": platform.python_version()}))


if __name__ == "__main__":
    main()
