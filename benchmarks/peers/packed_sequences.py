"""Parquet to packed sequences beside Hugging Face `datasets` (streaming): tokens/s/core, and stopping in the middle.

    python -m venv /tmp/peers/datasets
    /tmp/peers/datasets/bin/pip install -q -U pip
    /tmp/peers/datasets/bin/pip install datasets tokenizers numpy
    python -m benchmarks.peers.packed_sequences [FOLDER OF PARQUET | --files 600] [--repeat 2]

Without a folder the corpus is the first 600 Python files of the standard library. Both tokenize with the same
`tokenizer.json` (byte-level BPE trained on the corpus, 32,000 entries), on one core, and give shuffled rows of 1,024
tokens.

`datasets` tokenizes and packs 100 documents in each call of `map`, with arrays of numpy in place of the lists of the
usual examples, and shuffles the rows in a buffer of 1,000, its default. It drops what is left over of each call.

*Tokens a CPU second* is a pass from opening to the last row, without starting Python; of several repetitions, which
take turns, the fastest counts. For *lost* and *repeated* a pass is stopped after half of its rows, and its state
(`state_dict`) loaded into a new stream, which runs to the end.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.packed_dataset import SEQUENCE_LENGTH, write_standard_library
from benchmarks.peers.reporting import Row, cost_of, parser, program, report, versions
from corpusmill.training.data import train_tokenizer


def main(arguments: list[str] | None = None) -> None:
    options_parser = parser(__doc__, peer="datasets")
    options_parser.add_argument("folder", nargs="?", type=Path)
    options_parser.add_argument("--files", type=int, default=600, help="Files of the standard library.")
    options_parser.add_argument("--vocabulary", type=int, default=32_000)
    options_parser.add_argument("--repeat", type=int, default=2)
    options = options_parser.parse_args(arguments)
    peers = versions(options.peer, ("datasets", "tokenizers", "pyarrow"))
    with tempfile.TemporaryDirectory(prefix="packed-sequences-") as name:
        folder = options.folder or write_standard_library(Path(name) / "corpus", max_files=options.files)
        train_tokenizer(folder, vocabulary_size=options.vocabulary, out=name)
        what = (folder.absolute(), Path(name) / "tokenizer.json", SEQUENCE_LENGTH)
        commands = (program("packed_rows", *what), program("datasets_rows", *what, python=options.peer))
        turns = [[json.loads(cost_of(command).output) for command in commands] for _ in range(options.repeat)]
    ours, peer = (min(runs, key=lambda run: run["cpu_s"]) for runs in zip(*turns, strict=True))
    report(rows(ours, peer), peers)


def rows(ours: dict[str, float], peer: dict[str, float]) -> list[Row]:
    """Return the rows of the table from what the programs measured."""
    speeds = (f"{one['rows'] * SEQUENCE_LENGTH / one['cpu_s']:,.0f}" for one in (ours, peer))
    stops = (f"{one['lost']:,}; {one['repeated']:,} of {one['rows']:,}" for one in (ours, peer))
    return [
        Row("Parquet to packed sequences: tokens a CPU second", *speeds),
        Row("Shuffled sequences after stop and resume: lost; repeated", *stops),
    ]


if __name__ == "__main__":
    main()
