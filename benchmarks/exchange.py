"""Measure an exchange alone: CPU, memory and disk for sorting generated rows into spills and merging them.

    python benchmarks/exchange.py [--gigabytes 0.5 1 2 4] [--rows 5000000] [--kind narrow texts]
                                  [--memory 1GB] [--open-files 256] [--folder DIR]

*narrow* rows have two int64 and a string of 32 bytes. They are sorted by the first number, which has 1.25 million
values, then by the second. *texts* are 3 kB each, sorted by an id of 32 bytes. Each line of the output is one process,
which may open `--open-files` files. It writes the spills of slices of 64 MiB, as the tasks of a run do, and merges
partitions of 128 MiB one after the other. *cpu_s* and *wall_s* exclude generating the rows and checking the result.
*peak_mb* includes the memory for both, and the 100 MB of an interpreter with pyarrow and numpy. *anonymous_mb* is the
peak without mapped files. Without sizes, the script sorts 5 million narrow rows; other engines were measured with the
same number.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from corpusmill.pipelines.engines.memory import PeakMemory
from corpusmill.pipelines.engines.merging import merged
from corpusmill.pipelines.engines.spills import Order, write_spills
from corpusmill.schemas.quantities import parse_size

SLICE_BYTES = 64 * 2**20
PARTITION_BYTES = 128 * 2**20
BATCH_BYTES = 4_000_000


class Kind(NamedTuple):
    """Rows of one shape."""

    schema: pa.Schema
    by: str
    order: tuple[str, ...]
    row_bytes: int
    batch: Callable[[np.random.Generator, int], pa.RecordBatch]


def narrow(random: np.random.Generator, rows: int) -> pa.RecordBatch:
    keys = random.integers(0, 1_250_000, rows)
    columns = [pa.array(keys), pa.array(random.integers(0, 2**62, rows)), hexadecimal(random, rows)]
    return pa.RecordBatch.from_arrays(columns, schema=KINDS["narrow"].schema)


def texts(random: np.random.Generator, rows: int) -> pa.RecordBatch:
    starts = random.integers(0, len(PROSE) - 6_000, rows)
    lengths = random.integers(500, 5_500, rows)
    values = [PROSE[start : start + length] for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)]
    columns = [hexadecimal(random, rows), pa.array(lengths), pa.array(values, pa.string())]
    return pa.RecordBatch.from_arrays(columns, schema=KINDS["texts"].schema)


def hexadecimal(random: np.random.Generator, rows: int) -> pa.Array:
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)[random.integers(0, 16, rows * 32, np.uint8)]
    offsets = np.arange(0, 32 * (rows + 1), 32, np.int32)
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(digits)])


def prose() -> str:
    """Return 4 MB of words, few of which are frequent, as in a natural language."""
    random = np.random.default_rng(1)
    letters = np.array(list("etaoinshrdlucmfwygpbvk"))
    words = ["".join(random.choice(letters, length)) for length in random.integers(2, 10, 20_000)]
    ranks = np.minimum(random.zipf(1.3, 650_000), len(words)) - 1
    return " ".join([words[rank] for rank in ranks.tolist()])


def required(**kinds: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in kinds.items()])


PROSE = prose()
KINDS = {
    "narrow": Kind(required(key=pa.int64(), number=pa.int64(), id=pa.string()), "key", ("number",), 52, narrow),
    "texts": Kind(required(id=pa.string(), length=pa.int64(), text=pa.string()), "id", (), 3_048, texts),
}


class Clock:
    """CPU and wall seconds inside its `with` blocks."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def __enter__(self) -> None:
        self.cpu -= time.process_time()
        self.wall -= time.perf_counter()

    def __exit__(self, *details: object) -> None:
        self.cpu += time.process_time()
        self.wall += time.perf_counter()


def generated_rows(kind: Kind, rows: int, clock: Clock) -> Iterator[pa.RecordBatch]:
    """Yield *rows* rows. The running *clock* is paused while they are generated."""
    random = np.random.default_rng(2)
    batch_rows = BATCH_BYTES // kind.row_bytes
    for start in range(0, rows, batch_rows):
        clock.__exit__()
        batch = kind.batch(random, min(batch_rows, rows - start))
        clock.__enter__()
        yield batch


def exchange(kind: Kind, *, rows: int, memory_bytes: int, folder: Path) -> dict[str, Any]:
    """Sort and merge *rows* rows, check their order, and return the costs."""
    parts = max(1, -(-rows * kind.row_bytes // PARTITION_BYTES))
    order = Order(kind.by, kind.order, parts)
    writing, reading = Clock(), Clock()
    batches = generated_rows(kind, rows, writing)
    spilled = []
    with writing:
        for number in range(-(-rows * kind.row_bytes // SLICE_BYTES)):
            slice_batches = islice(batches, SLICE_BYTES // BATCH_BYTES + 1)
            prefix = folder / f"{number:06d}"
            spilled.append(write_spills(slice_batches, kind.schema, order, prefix=prefix, memory_bytes=memory_bytes))
    merged_rows = merged_batches = 0
    for partition in range(parts):
        with reading:
            for batch in merged(folder, partition, order, memory_bytes=memory_bytes):
                reading.__exit__()
                merged_rows += batch.num_rows
                merged_batches += 1
                check(batch, order)
                reading.__enter__()
    assert merged_rows == rows == sum(one.rows for one in spilled), (merged_rows, rows)
    return {
        "rows": rows,
        "partitions": parts,
        "spills": sum(one.spills for one in spilled),
        "spill_mb": round(sum(one.bytes for one in spilled) / 1e6),
        "write_cpu_s": round(writing.cpu, 2),
        "merge_cpu_s": round(reading.cpu, 2),
        "cpu_s": round(writing.cpu + reading.cpu, 2),
        "wall_s": round(writing.wall + reading.wall, 2),
        "mean_batch_rows": round(merged_rows / max(1, merged_batches)),
    }


def check(batch: pa.RecordBatch, order: Order) -> None:
    """Raise unless *batch* is sorted by the first key."""
    values = np.asarray(batch[order.by].cast(pa.binary()) if order.by == "id" else batch[order.by])
    assert (values[1:] >= values[:-1]).all()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, nargs="*", default=[])
    parser.add_argument("--rows", type=int, nargs="*", default=[])
    parser.add_argument("--kind", choices=list(KINDS), nargs="+", default=list(KINDS))
    parser.add_argument("--memory", default="1GB")
    parser.add_argument("--open-files", type=int, default=256)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(KINDS[options.kind[0]], options)))
        return
    versions = {"python": platform.python_version(), "numpy": np.__version__, "pyarrow": pa.__version__}
    print(json.dumps({"machine": f"{platform.machine()}, {os.cpu_count()} cores", "versions": versions}))
    sizes = [(kind, round(size * 1e9 / KINDS[kind].row_bytes)) for kind in options.kind for size in options.gigabytes]
    sizes += [(kind, rows) for kind in options.kind for rows in options.rows]
    for kind, rows in sizes or [("narrow", 5_000_000)]:
        print(json.dumps({"kind": kind, "memory": options.memory, **in_child(kind, rows, options)}), flush=True)


def in_child(kind: str, rows: int, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one size in a separate process, so that its peak memory does not include other sizes."""
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="exchange-") as folder:
        arguments = ["--child", "--kind", kind, "--rows", str(rows), "--memory", options.memory, "--folder", folder]
        command = [sys.executable, __file__, *arguments, "--open-files", str(options.open_files)]
        completed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(completed.stdout)
    return result


def measure(kind: Kind, options: argparse.Namespace) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (options.open_files, options.open_files))
    pa.set_cpu_count(1)
    with PeakMemory() as peak:
        result = exchange(kind, rows=options.rows[0], memory_bytes=parse_size(options.memory), folder=options.folder)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {**result, "peak_mb": resident, "anonymous_mb": round(peak.bytes / 1e6)}


if __name__ == "__main__":
    main()
