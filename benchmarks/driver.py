"""Measure the cost of the driver per task: listing tasks, and recognizing finished ones.

    python benchmarks/driver.py [--tasks 1000 10000]

The tasks of a scan are empty, and three maps follow, so each slice has four results. *first_cpu_s* is the first run,
*finished_cpu_s* a second run, in which all steps are finished, and *listed_cpu_s* a run in which the steps have lost
their manifests, so each task is looked up at its address. All three must be linear: a terabyte of raw files is 16,000
tasks.
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


class NoRows(Function):
    """Yields no rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda _: iter(())


class Zero(ColumnFunction):
    """Adds a column of zeros."""

    into: str

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        return lambda batch: pa.record_batch({self.into: pa.array([0] * batch.num_rows, pa.int64())})


def plan(tasks: int) -> Plan:
    """Return a plan of one scan with *tasks* empty tasks, and three maps over it."""
    maps = [
        Map(name=f"m{i}", of="n" if i == 0 else f"m{i - 1}", function=Zero(into=f"c{i}"), reads=("n",),
            writes=pa.schema([(f"c{i}", pa.int64())]))
        for i in range(3)
    ]  # fmt: skip
    scan = Scan(name="n", function=NoRows(), schema=SCHEMA)
    return Plan([scan, *maps], {"n": [ScanTask(({"n": number},), number) for number in range(tasks)]})


def run_cpu_s(store: TaskStore, empty_plan: Plan) -> float:
    """Return the CPU seconds of a run of *empty_plan*."""
    started = time.process_time()
    run_plan(empty_plan, store, LocalEngine(0), observer=Silent())
    return round(time.process_time() - started, 2)


def main() -> None:
    """Print one line of JSON per number of tasks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="+", default=[1000, 10000])
    for tasks in parser.parse_args().tasks:
        with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
            store, empty_plan = TaskStore(Path(folder)), plan(tasks)
            first = run_cpu_s(store, empty_plan)
            finished = run_cpu_s(store, empty_plan)
            store.store.remove_folder("steps")
            listed = run_cpu_s(store, empty_plan)
        figures = {"tasks": tasks, "first_cpu_s": first, "finished_cpu_s": finished, "listed_cpu_s": listed}
        print(json.dumps({**figures, "results_per_task": 4, "python": platform.python_version()}))


if __name__ == "__main__":
    main()
