"""Measure how CPU and memory of near-duplicate removal grow with the number of documents.

    python -m benchmarks.dedup_growth FOLDER [--documents 50000,200000,800000] [--copies 0.6 | --template]
        [--through command,recipe] [--workers 2] [--memory 2GB]

FOLDER has Parquet files with the string columns `id` and `text`; a set consists of the first files of it. With
`--copies SHARE`, that share of each set is replaced by changed copies of other documents of the set: half of the copies
have one word in fifty changed, a quarter lost up to a tenth at the end, and a quarter are equal but for letter case.
With `--template`, each document is a page of one template: 400 words that all have and 85 of its own, so that any two
have a similarity of 0.69, and nearly all share a bucket.

``command`` measures `corpusmill dedup`, ``recipe`` a whole run that reads, deduplicates, splits and publishes. The
script prints one line a measurement: CPU seconds and peak memory (proportional set size) of all processes, and CPU
milliseconds a document, which are constant if the growth is linear.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.runs.measuring import machine, measure, print_table

RECIPE = """\
dataset: grown
sources:
  - load: {name: documents, format: parquet, path: "data/*.parquet"}
stages:
  - near_dedup
split: {train: 0.98, validation: 0.01, test: 0.01}
"""


TEMPLATE_WORDS: Final = 400
OWN_WORDS: Final = 85


def write_set(
    files: Sequence[Path], documents: int, folder: Path, *, copies: float | None = None, has_template: bool = False
) -> None:
    """Write the first *documents* of *files* to *folder*: as links where a file is used whole and unchanged.

    Args:
        copies: Share of the documents to replace by changed copies of others.
        has_template: Whether to make each document a page of one template.

    Raises:
        ValueError: There are not enough documents.
    """
    left = documents
    for number, file in enumerate(files):
        if not left:
            return
        rows = pq.ParquetFile(file).metadata.num_rows
        target = folder / f"part-{number:05}.parquet"
        if rows <= left and copies is None and not has_template:
            target.symlink_to(file.resolve())
        else:
            table = pq.read_table(file, columns=["id", "text"]).slice(0, left)
            table = table if copies is None else with_copies(table, copies, seed=number)
            pq.write_table(with_template(table) if has_template else table, target)
        left -= min(rows, left)
    if left:
        raise ValueError(f"the files have {documents - left:,} documents, not {documents:,}")


def with_copies(table: pa.Table, share: float, *, seed: int) -> pa.Table:
    """Return *table* with the last *share* of its texts replaced by changed copies of the others."""
    chance = random.Random(seed)
    texts = table["text"].to_pylist()
    own = max(1, round(len(texts) * (1 - share)))
    texts[own:] = [changed(texts[chance.randrange(own)], chance) for _ in texts[own:]]
    return pa.table({"id": table["id"], "text": pa.array(texts, pa.string())})


def with_template(table: pa.Table) -> pa.Table:
    """Return *table* with the same words before and after `OWN_WORDS` words of each text."""
    shared = [f"template{number}" for number in range(TEMPLATE_WORDS)]
    half = TEMPLATE_WORDS // 2
    texts = [
        " ".join([*shared[:half], *text.split(" ", OWN_WORDS)[:OWN_WORDS], *shared[half:]])
        for text in table["text"].to_pylist()
    ]
    return pa.table({"id": table["id"], "text": pa.array(texts, pa.string())})


def changed(text: str, chance: random.Random) -> str:
    """Return a near duplicate of *text*."""
    kind = chance.randrange(4)
    if kind == 0:
        return text.upper()
    words = text.split(" ")
    if kind == 1:
        return " ".join(words[: len(words) - chance.randrange(1 + len(words) // 10)])
    for _ in range(len(words) // 50):
        words[chance.randrange(len(words))] = chance.choice(words)
    return " ".join(words)


def measured(data: Path, work: Path, options: Sequence[str], *, through: str) -> dict[str, Any]:
    """Run corpusmill over the files in *data* and return its cost and the number of documents kept."""
    program = [sys.executable, "-m", "corpusmill"]
    if through == "command":
        arguments = ["dedup", *map(str, sorted(data.iterdir())), "--out", str(work / "out")]
    else:
        (work / "recipe.yaml").write_text(RECIPE)
        (work / "data").symlink_to(data)
        arguments = ["run", str(work / "recipe.yaml"), "--workspace", str(work / "w")]
    cost = measure([*program, *arguments, *options, "--quiet", "--json"])
    result = json.loads(cost.output)
    kept = result["kept"] if through == "command" else result["counts"]["published"]
    return {"kept": kept, "cpu s": cost.cpu_s, "wall s": cost.wall_s, "peak MB": round(cost.peak_bytes / 1e6)}


def measurements(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each size and way."""
    files = sorted(arguments.folder.glob("*.parquet"))
    options = ["--workers", str(arguments.workers), *(["--memory", arguments.memory] if arguments.memory else [])]
    for documents in map(int, arguments.documents.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            data.mkdir()
            write_set(files, documents, data, copies=arguments.copies, has_template=arguments.template)
            for through in arguments.through.split(","):
                with tempfile.TemporaryDirectory() as work:
                    row = measured(data, Path(work), options, through=through)
                each = {"ms each": 1000 * row["cpu s"] / documents}
                yield {"documents": documents, "through": through, **row, **each}


def main() -> None:
    """Print the machine, then a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", default="50000,200000,800000", help="sizes of the sets, with commas")
    parser.add_argument("--copies", type=float, help="share of each set that is replaced by changed copies")
    parser.add_argument("--template", action="store_true", help="make all documents pages of one template")
    parser.add_argument("--through", default="command", help="command, recipe, or both with a comma")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", help="bound of a worker, such as 2GB")
    arguments = parser.parse_args()
    print(machine(), flush=True)
    print_table(list(measurements(arguments)))


if __name__ == "__main__":
    main()
