"""Measure the overhead of `PackedDataset` over a plain loop, and check that it resumes exactly.

Claims: on one core, it makes rows from text at 0.97 or more of the speed of a plain loop (pyarrow, tokenizers, numpy;
no shuffling, no state). More ranks need no more CPU per token. A resumed loader yields exactly the remaining rows.

    python benchmarks/packed_dataset.py [FOLDER OF PARQUET] [--vocabulary 32000]

Without a folder, the corpus is the Python files of the standard library. The loops alternate every 128 rows, so a
machine whose speed changes slows all of them equally. The script prints JSON; times are CPU seconds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "0"

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tokenizers
import torch

from corpusmill.training.data import PackedDataset, load_tokenizer, open_corpus, train_tokenizer
from corpusmill.training.data.tokenizer import end_of_text

SEQUENCE_LENGTH = 1024
LANES = 8
DOCUMENTS_PER_CALL = 64
ROWS_PER_TURN = 128


def main() -> None:
    arguments = read_arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or write_standard_library(Path(scratch) / "corpus")
        train_tokenizer(folder, vocabulary_size=arguments.vocabulary, out=scratch)
        print(json.dumps(machine() | measure(folder, Path(scratch)), indent=1))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--vocabulary", type=int, default=32_000)
    return parser.parse_args()


def write_standard_library(folder: Path, *, max_files: int | None = None) -> Path:
    """Write the first *max_files* Python files of the standard library as one shard with row groups of 8 MB of text."""
    folder.mkdir()
    texts: list[str] = []
    size = 0
    path = folder / "train-00000-of-00001.parquet"
    files = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())]), compression="zstd") as writer:
        for file in itertools.islice((file for file in files if "site-packages" not in file.parts), max_files):
            texts.append(file.read_text(encoding="utf-8", errors="replace"))
            size += len(texts[-1])
            if size > 8_000_000:
                writer.write_table(pa.table({"text": texts}))
                texts, size = [], 0
        writer.write_table(pa.table({"text": texts}))
    return folder


def measure(folder: Path, tokenizer: Path) -> dict[str, Any]:
    cost = cost_per_token({name: rows_of(name, folder, tokenizer) for name in ("plain", "packed", "packed_4_ranks")})
    return {
        "tokens_per_cpu_s": {name: round(1 / seconds) for name, seconds in cost.items()},
        "packed_to_plain_speed": round(cost["plain"] / cost["packed"], 3),
        "cpu_per_token_4_ranks_to_1": round(cost["packed_4_ranks"] / cost["packed"], 3),
        "first_row_s": round(first_row(folder, tokenizer), 3),
        "rows_after_resume": count_resumed(folder, tokenizer),
    }


def cost_per_token(loops: dict[str, Iterator[torch.Tensor]]) -> dict[str, float]:
    """Return the CPU seconds per token of each of *loops*, which alternate until they end."""
    seconds, tokens = dict.fromkeys(loops, 0.0), dict.fromkeys(loops, 0)
    running = dict(loops)
    while running:
        for name, rows in list(running.items()):
            started = time.process_time()
            taken = sum(len(row) for row in itertools.islice(rows, ROWS_PER_TURN))
            seconds[name] += time.process_time() - started
            tokens[name] += taken
            if not taken:
                del running[name]
    return {name: seconds[name] / tokens[name] for name in loops}


def rows_of(name: str, folder: Path, tokenizer: Path) -> Iterator[Any]:
    if name == "plain":
        return plain_loop(folder, tokenizer)
    ranks = 4 if name == "packed_4_ranks" else 1
    return itertools.chain.from_iterable(
        packed(folder, tokenizer, rank=rank, world_size=ranks) for rank in range(ranks)
    )


def packed(folder: Path, tokenizer: Path, **options: int) -> PackedDataset:
    return PackedDataset(folder, tokenizer, SEQUENCE_LENGTH, batch_size=LANES, **options)


def plain_loop(folder: Path, tokenizer: Path) -> Iterator[torch.Tensor]:
    """Yield the rows of a minimal loop: documents in file order, without a state to resume from."""
    encoder = load_tokenizer(tokenizer)
    end = end_of_text(encoder)
    rest = np.empty(0, dtype=np.int64)
    for shard in open_corpus(folder).shards:
        for batch in pq.ParquetFile(shard.path).iter_batches(batch_size=DOCUMENTS_PER_CALL, columns=["text"]):
            encodings = encoder.encode_batch_fast(batch.column(0).to_pylist(), add_special_tokens=False)
            parts = [np.array([*encoding.ids, end], dtype=np.int64) for encoding in encodings]
            stream = np.concatenate([rest, *parts])
            whole = len(stream) // SEQUENCE_LENGTH
            yield from torch.from_numpy(stream[: whole * SEQUENCE_LENGTH]).view(whole, SEQUENCE_LENGTH)
            rest = stream[whole * SEQUENCE_LENGTH :]


def first_row(folder: Path, tokenizer: Path) -> float:
    started = time.perf_counter()
    next(iter(packed(folder, tokenizer)))
    return time.perf_counter() - started


def count_resumed(folder: Path, tokenizer: Path) -> dict[str, int]:
    """Stop halfway, resume in a new data set, and count the rows that equal those of an uninterrupted one."""
    whole = [row.numpy().tobytes() for row in packed(folder, tokenizer)]
    before = len(whole) // 2 + 3
    first, second = packed(folder, tokenizer), packed(folder, tokenizer)
    started = [row.numpy().tobytes() for row in itertools.islice(first, before)]
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    again = started + [row.numpy().tobytes() for row in second]
    return {"equal": sum(a == b for a, b in zip(whole, again, strict=False)), "of": max(len(whole), len(again))}


def machine() -> dict[str, Any]:
    return {
        "python": sys.version.split()[0],
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "versions": {"pyarrow": pa.__version__, "tokenizers": tokenizers.__version__, "torch": torch.__version__},
        "sequence_length": SEQUENCE_LENGTH,
        "lanes": LANES,
    }


if __name__ == "__main__":
    main()
