"""Compare the architectures of `training/models/` on one corpus, with one budget of CPU time for each.

Claims: none; the table in `docs/concepts/architectures.md` is from here.

    python -m benchmarks.architectures [VERSION OR FOLDER OF PARQUET] [--minutes 2] [--rates 3e-3,1e-2]

Without a folder, the corpus is Python files of the standard library, one in twenty of them for validation. All models
have the same tokenizer, embedding, rows of tokens and optimizer, and about 800,000 weights besides the embedding: four
layers of a Transformer, or two wider ones of a recurrent network. Each trains on one thread, in a process of its own. A
first run of a few steps measures the CPU time of a step, from which the steps that fit into the budget follow, so that
each schedule ends with its budget. Each learning rate gets the whole budget, and the best run is shown.

The script prints JSON. Loss is in bits per byte of validation text; that of `bert` is in nats per masked token, and can
not be compared with the others. Memory is the peak of the process above a process that has only imported torch.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.packed_dataset import machine, write_standard_library

WIDTH = 128
LENGTH = 128
VOCABULARY = 4096
SEQUENCES = 4
SIZES: dict[str, dict[str, Any]] = {
    "rnn": {"layers": 2, "width": 480, "embedding_width": WIDTH},
    "lstm": {"layers": 2, "width": 232, "embedding_width": WIDTH},
    "gru": {"layers": 2, "width": 272, "embedding_width": WIDTH},
    "gpt": {"layers": 4, "heads": 4, "width": WIDTH},
    "llama": {"layers": 4, "heads": 4, "width": WIDTH},
    "bert": {"layers": 4, "heads": 4, "width": WIDTH},
}
PROBE_STEPS = 20


def main() -> None:
    arguments = read_arguments()
    if arguments.one is not None:
        print(json.dumps(train_here(**json.loads(arguments.one))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        corpus = arguments.corpus or with_validation(Path(scratch))
        tokenizer = train_tokenizer(corpus, Path(scratch))
        rows = [
            compare(name, str(corpus), tokenizer, rates=arguments.rates, minutes=arguments.minutes)
            for name in arguments.models
        ]
    shape = {"sequence_length": LENGTH, "lanes": SEQUENCES, "minutes": arguments.minutes, "corpus": str(corpus)}
    print(json.dumps(machine() | shape | {"models": rows}, indent=1))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=2.0, help="CPU time of training for each model")
    parser.add_argument("--rates", type=lambda text: [float(one) for one in text.split(",")], default=[3e-3, 1e-2])
    parser.add_argument("--models", type=lambda text: text.split(","), default=list(SIZES))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def with_validation(scratch: Path) -> Path:
    """Write the standard library as a corpus with two splits."""
    folder = write_standard_library(scratch / "corpus", max_files=600)
    file = next(folder.glob("*.parquet"))
    table = pq.read_table(file)
    numbers = list(range(len(table)))
    pq.write_table(table.take([n for n in numbers if n % 20]), file, row_group_size=40)
    pq.write_table(table.take([n for n in numbers if not n % 20]), folder / "validation-00000-of-00001.parquet")
    return folder


def train_tokenizer(corpus: Path, scratch: Path) -> str:
    from corpusmill.training import train_tokenizer

    return str(train_tokenizer(corpus, vocabulary_size=VOCABULARY, out=scratch / "tokenizer")["path"])


def compare(name: str, corpus: str, tokenizer: str, *, rates: list[float], minutes: float) -> dict[str, Any]:
    """Return the figures of the model *name* with the learning rate that gives the lowest loss."""

    def run(rate: float, steps: int) -> dict[str, Any]:
        fields = {"name": name, "corpus": corpus, "tokenizer": tokenizer, "rate": rate, "steps": steps}
        command = (sys.executable, "-m", "benchmarks.architectures", "--one", json.dumps(fields))
        result: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        print(f"{name}: {result}", file=sys.stderr, flush=True)
        return result

    probe = run(rates[0], PROBE_STEPS)
    steps = int(60 * minutes / probe["cpu_s_per_step"])
    return min((run(rate, steps) for rate in rates), key=lambda result: float(result["validation_loss"]))


def train_here(*, name: str, corpus: str, tokenizer: str, rate: float, steps: int) -> dict[str, Any]:
    """Train in this process, and return figures."""
    import torch

    from corpusmill.training import TrainConfig, fit
    from corpusmill.training.models.costs import model_costs

    torch.set_num_threads(1)
    before = peak()
    fields = {
        "run": name,
        "version": "corpus",
        "tokenizer": {"path": tokenizer},
        "model": {"name": name, "sequence_length": LENGTH, **SIZES[name]},
        "optimizer": {"learning_rate": rate},
        "schedule": {"warm_up_steps": steps // 10, "final_fraction": 0.02},
        "batch": {"sequences": SEQUENCES},
        "steps": steps,
        "seed": 1,
        "validate_every": steps,
        "validation_bytes": 1 if steps == PROBE_STEPS else None,
        "checkpoint_every": steps,
        "threads": 1,
        "device": "cpu",
    }
    config = TrainConfig.model_validate(fields)
    times: list[float] = []
    with tempfile.TemporaryDirectory() as workspace:
        result = fit(
            config,
            version_dir=corpus,
            workspace=workspace,
            progress=lambda _: times.append(time.process_time()),
        )
    # The first step warms up, and the last one validates.
    per_step = (times[-2] - times[0]) / (len(times) - 2)
    costs = model_costs(config, vocabulary_size=VOCABULARY)
    return {
        "model": name,
        "learning_rate": rate,
        "steps": steps,
        "cpu_s_per_step": per_step,
        "tokens": steps * SEQUENCES * LENGTH,
        "tokens_per_cpu_s": round(SEQUENCES * LENGTH / per_step),
        "validation_loss": result["validation_loss"],
        "bits_per_byte": result["bits_per_byte"],
        "masked_accuracy": result["masked_accuracy"],
        "parameters": costs.parameters,
        "flops_per_token": costs.flops_per_token,
        "computed_memory_mb": round(costs.memory / 1e6),
        "peak_memory_mb": round((peak() - before) / 1e6),
    }


def peak() -> int:
    """Return the peak of the memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
