"""Measure the removal of long repeated substrings: CPU, memory and exchanged rows, for easy and for hostile corpora.

    python -m benchmarks.substrings [--case plain repeats …] [--megabytes 200] [--min-bytes 500] [--folder DIR]

Each case is one process with one worker. Documents are generated and stored first, which is not counted. *mb_per_cpu_s*
is 10^6 bytes of text per CPU second of all steps of the stage. *decided_rows* are the rows that each exchange gives,
*disk_mb* is what the steps leave, and *peak_mb* includes the 130 MB of an interpreter with pyarrow and numpy.

    plain      documents of 4 kB, without repeats
    repeats    the same; every fourth contains one of 200 stretches of 1,600 bytes (10 % of the text)
    footer     the same; each ends with the same 600 bytes
    shifted    documents that are long slices of one text, each beginning elsewhere
    copies     copies of one document of 10 kB
    one_byte   documents of 31.9 MB of one character
    phrase     the same with a phrase of 20 bytes
    random     the same with random digits
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from corpusmill.pipelines.engines.base import Batches, Function, Scan
from corpusmill.pipelines.engines.driver import Silent, run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.engines.store import TaskStore
from corpusmill.pipelines.stages.apply import text_bytes
from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.dedup.substrings.stage import SubstringDedup
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.identity import document_id

NAME: Final = "substring_dedup"
LARGEST: Final = 31_900_000
"""Bytes of the largest text that a document may have, nearly."""
TASK_BYTES: Final = 32_000_000
"""Bytes of the documents that one task of the scan makes."""


def prose(chance: random.Random, size: int) -> str:
    """Return *size* characters of words that nobody else uses in this order."""
    return " ".join(chance.choices(WORDS, k=size // 5 + 1))[:size]


def plain(chance: random.Random) -> str:
    return prose(chance, 4_000)


def repeats(chance: random.Random) -> str:
    text = prose(chance, 4_000)
    if chance.randrange(4):
        return text
    place = chance.randrange(2_400)
    return text[:place] + chance.choice(STRETCHES) + text[place + 1_600 :]


def footer(chance: random.Random) -> str:
    return prose(chance, 3_400) + STRETCHES[0][:600]


def shifted(chance: random.Random) -> str:
    place = chance.randrange(200_000)
    return LONG[place : place + 100_000]


def copies(_: random.Random) -> str:
    return LONG[:10_000]


def one_byte(_: random.Random) -> str:
    return "a" * LARGEST


def phrase(_: random.Random) -> str:
    return "the quick brown fox " * (LARGEST // 20)


def digits(chance: random.Random) -> str:
    return chance.randbytes(LARGEST // 2).hex()


CASES: Final[dict[str, Callable[[random.Random], str]]] = {
    **{"plain": plain, "repeats": repeats, "footer": footer, "shifted": shifted, "copies": copies},
    **{"one_byte": one_byte, "phrase": phrase, "random": digits},
}
_FIXED: Final = random.Random(1)
WORDS: Final = ["".join(_FIXED.choices("etaoinshrdlucmfwypvbgk", k=_FIXED.randrange(2, 11))) for _ in range(20_000)]
STRETCHES: Final = [prose(_FIXED, 1_600) for _ in range(200)]
LONG: Final = prose(_FIXED, 300_000)


class Generate(Function):
    """Makes documents of a case: the input has the number of the task and its bytes."""

    case: str

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (
            made for batch in batches for row in batch.to_pylist() for made in _documents(self.case, **row)
        )


def _documents(case: str, number: int, size: int) -> Iterator[pa.RecordBatch]:
    chance = random.Random(f"{case} {number}")
    texts: list[str] = []
    made = 0
    while made < size:
        texts.append(CASES[case](chance))
        made += len(texts[-1])
        if len(texts) == 500 or made >= size:
            yield _captures(texts, f"{number} {made}")
            texts = []


def _captures(texts: list[str], name: str) -> pa.RecordBatch:
    column = pa.array(texts, pa.string())
    names = [f"{name} {place}" for place in range(len(texts))]
    columns = {
        **{field.name: pa.nulls(len(texts), field.type) for field in CAPTURE},
        **{"id": pa.array([document_id("benchmark", name) for name in names]), "source_id": pa.array(names)},
        **{"source": pa.repeat("benchmark", len(texts)), "record_sha256": pa.repeat("", len(texts))},
        **{"text": column, "text_bytes": text_bytes(column)},
    }
    return pa.RecordBatch.from_arrays([columns[field.name] for field in CAPTURE], schema=CAPTURE)


def measure(case: str, *, megabytes: float, min_bytes: int, folder: Path) -> dict[str, Any]:
    """Run the stage on *megabytes* MB of a case in this process, and return the costs."""
    pa.set_cpu_count(1)
    size = round(megabytes * 1e6)
    tasks = [
        ScanTask(({"number": number, "size": min(TASK_BYTES, size - number * TASK_BYTES)},), number)
        for number in range(-(-size // TASK_BYTES))
    ]
    scan = Scan(name="documents", function=Generate(case=case), schema=CAPTURE)
    steps = SubstringDedup(min_bytes=min_bytes).steps(NAME, Documents("documents", CAPTURE))
    store, engine = TaskStore(folder), LocalEngine(0)
    run_plan(Plan((scan,), {"documents": tasks}), store, engine, observer=Silent())
    cpu, wall = time.process_time(), time.perf_counter()
    finished = run_plan(Plan((scan, *steps), {"documents": tasks}), store, engine, observer=Silent())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    law = {name.rpartition("/")[2]: number for name, number in finished[NAME].counters.items()}
    cut = law.get("bytes_cut", 0) + law.get("bytes_ledger", 0)
    return {
        "documents": law["documents_in"],
        "mb": round(law["bytes_in"] / 1e6),
        "cut_mb": round(cut / 1e6, 1),
        "cpu_s": round(cpu, 1),
        "wall_s": round(wall, 1),
        "mb_per_cpu_s": round(law["bytes_in"] / 1e6 / cpu, 1),
        "anchors_cpu_s": round(sum(task.cpu_s for task in finished[f"{NAME}.anchors"].tasks), 1),
        "decided_rows": {
            level: sum(task.rows for task in finished[f"{NAME}.{level}"].tasks)
            for level in ("shared", "blocks", "parts", "windows")
        },
        "disk_mb": round(sum(task.bytes for step in steps for task in finished[step.name].tasks) / 1e6, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def in_child(case: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one case in a separate process, so that its peak memory does not include other cases."""
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="substrings-") as folder:
        command = [sys.executable, "-m", "benchmarks.substrings", "--child", "--case", case, "--folder", folder]
        command += ["--megabytes", str(options.megabytes), "--min-bytes", str(options.min_bytes)]
        completed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(completed.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=list(CASES), nargs="+", default=list(CASES))
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument("--min-bytes", type=int, default=500)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        size = {"megabytes": options.megabytes, "min_bytes": options.min_bytes}
        print(json.dumps(measure(options.case[0], **size, folder=options.folder)))
        return
    versions = {"python": platform.python_version(), "numpy": np.__version__, "pyarrow": pa.__version__}
    print(json.dumps({"machine": f"{platform.machine()}, {os.cpu_count()} cores", "versions": versions}))
    for case in options.case:
        print(json.dumps({"case": case, **in_child(case, options)}), flush=True)


if __name__ == "__main__":
    main()
