"""Near-duplicate removal beside rensa (MinHash in Rust): documents per CPU second, and what is removed.

    python -m venv /tmp/peers/rensa
    /tmp/peers/rensa/bin/pip install -q -U pip
    /tmp/peers/rensa/bin/pip install rensa pyarrow
    python -m benchmarks.peers.near_duplicates [FOLDER --pairs PAIRS.parquet]

FOLDER has Parquet files with `id` and `text`; PAIRS has every pair of similar documents with its exact Jaccard
similarity over word 5-grams. Both look for documents with a similarity of at least 0.8, with 20 bands of 6 rows.

*Recall* is the share of the pairs at 0.8 or more that do not both stay; *wrong* are removed documents that have no
document at 0.8 at all; *orphans* are removed documents without a kept one there, the wrong ones included.
CPU seconds of the whole process tree: start, reading, signing, removing. corpusmill's side is the stage's functions
alone (`benchmarks/near_dedup.py`), because rensa is a library without an engine too.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.near_dedup import scores
from benchmarks.peers.reporting import Row, cost_of, parser, program, report, versions
from benchmarks.runs.inputs import SHARED
from corpusmill.pipelines.stages.dedup.near import DEFAULT_BANDS, DEFAULT_ROWS

THRESHOLD: Final = 0.8
_TRUTH: Final = SHARED / "data" / "dedup" / "truth"
_PAIRS: Final = SHARED / "data" / "dedup" / "truth_pairs.parquet"


def main(arguments: list[str] | None = None) -> None:
    options_parser = parser(__doc__, peer="rensa")
    options_parser.add_argument("folder", type=Path, nargs="?", default=_TRUTH)
    options_parser.add_argument("--pairs", type=Path, default=_PAIRS)
    options = options_parser.parse_args(arguments)
    peers = versions(options.peer, ("rensa",))
    folder, pairs = options.folder.absolute(), pq.read_table(options.pairs)
    documents = sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))
    shape = (THRESHOLD, DEFAULT_BANDS, DEFAULT_ROWS)
    ours, peer = (
        cells(documents, pairs, *removed(command))
        for command in (
            lambda file: [sys.executable, "benchmarks/near_dedup.py", str(folder), "--removed", str(file)],
            lambda file: program("rensa_removal", folder, file, *shape, python=options.peer),
        )
    )
    rows = (Row(f"Near duplicates, {documents:,} documents: {name}", cell, peer[name]) for name, cell in ours.items())
    report(rows, peers)


def removed(command: Callable[[Path], list[str]]) -> tuple[set[str], float]:
    """Run *command*, which writes the names of the removed documents to a file; return them and its CPU seconds."""
    with tempfile.TemporaryDirectory(prefix="near-duplicates-") as folder:
        file = Path(folder) / "removed.json"
        cost = cost_of(command(file))
        return set(json.loads(file.read_text())), cost.cpu_s


def cells(documents: int, pairs: pa.Table, names: set[str], cpu_s: float) -> dict[str, str]:
    """Return the cells of one tool by what they say."""
    score = scores(names, pairs, threshold=THRESHOLD)
    return {
        "documents a CPU second": f"{documents / cpu_s:,.0f}",
        "recall at 0.8": f"{score['recall@0.8']:.4f}",
        "removed; wrong; orphans": f"{len(names):,}; {score['wrong']:,}; {score['orphans']:,}",
    }


if __name__ == "__main__":
    main()
