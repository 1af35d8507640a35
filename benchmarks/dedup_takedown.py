"""Check that an incremental run after a take-down publishes what the taken documents alone had displaced.

    python -m benchmarks.dedup_takedown FOLDER [--documents 200000] [--taken 100] [--workers 2] [--memory 2GB]

FOLDER has Parquet files with the string columns `id` and `text`; the first documents of them are a data set with
`near_dedup` and `incremental: true`. After its first version, `--taken` kept documents that had displaced others are
removed from the files, and a second version is published. A third run, in a workspace of its own, reads the same files
from nothing.

The script prints one line a run with CPU seconds and peak memory (proportional set size) of all processes, then what
happened to the displaced documents. It exits with 1 if the second and the third version differ in a published document
or in one of the ledger, or if a displaced document neither is published nor names a published one.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.runs.measuring import Cost, machine, measure, print_table
from corpusmill.pipelines.dataset.version import version_in

RECIPE = """\
dataset: taken
incremental: {incremental}
sources:
  - load: {{name: documents, format: parquet, path: "data/*.parquet"}}
stages:
  - near_dedup
split: {{train: 0.98, validation: 0.01, test: 0.01}}
"""


class Version(NamedTuple):
    """A published version by the ids of its files: published documents with their texts, removed ones with the kept."""

    published: Mapping[str, str]
    kept_of: Mapping[str, str]


class Takedown(NamedTuple):
    """The versions before and after documents were taken from the files, and the one of a run from nothing."""

    before: Version
    taken: frozenset[str]
    after: Version
    from_nothing: Version

    def figures(self) -> dict[str, int]:
        """Count what happened to the documents that the taken ones had displaced."""
        displaced = {name for name, kept in self.before.kept_of.items() if kept in self.taken}
        names_a_kept = {name for name in displaced if self.after.kept_of.get(name) in self.after.published}
        return {
            "taken": len(self.taken),
            "displaced": len(displaced),
            "published again": len(displaced & self.after.published.keys()),
            "similar to another": len(names_a_kept),
            "neither": len(displaced - self.after.published.keys() - names_a_kept),
            "other than from nothing": _differences(self.after, self.from_nothing),
        }


def _differences(one: Version, other: Version) -> int:
    """Return the number of documents that only one version publishes or removes, or with another text."""
    texts = set(one.published.items()) ^ set(other.published.items())
    return len(texts) + len(one.kept_of.keys() ^ other.kept_of.keys())


def read_version(path: Path) -> Version:
    """Read the version in the folder *path*."""
    shards, ledger = (_table(path, kind) for kind in ("shard", "ledger"))
    names = dict(zip(shards["id"].to_pylist(), shards["source_id"].to_pylist(), strict=True))
    pairs = zip(ledger["source_id"].to_pylist(), ledger["duplicate_of"].to_pylist(), strict=True)
    texts = zip(shards["source_id"].to_pylist(), shards["text"].to_pylist(), strict=True)
    return Version(dict(texts), {name: names[kept] for name, kept in pairs})


def _table(path: Path, kind: str) -> pa.Table:
    return pa.concat_tables([pq.read_table(path / file.key) for file in version_in(path).stored(kind)])


def choose(version: Version, count: int) -> frozenset[str]:
    """Return *count* published documents that displaced others, the same ones in each call.

    Raises:
        ValueError: The version has fewer.
    """
    displacing = sorted(set(version.kept_of.values()))
    if len(displacing) < count:
        raise ValueError(f"only {len(displacing):,} documents displaced others, not {count:,}: use more documents")
    return frozenset(random.Random(count).sample(displacing, count))


def write_documents(files: Sequence[Path], documents: int, folder: Path, *, without: frozenset[str]) -> None:
    """Write the first *documents* of *files* to *folder*, except those with an id in *without*.

    Raises:
        ValueError: There are not enough documents.
    """
    left, ids = documents, pa.array(sorted(without), pa.string())
    for number, file in enumerate(files):
        table = pq.read_table(file, columns=["id", "text"]).slice(0, left)
        left -= table.num_rows
        pq.write_table(table.filter(pc.invert(pc.is_in(table["id"], ids))), folder / f"part-{number:05}.parquet")
        if not left:
            return
    raise ValueError(f"the files have {documents - left:,} documents, not {documents:,}")


def publish(project: Path, options: Sequence[str], *, incremental: bool) -> tuple[Version, Cost]:
    """Register the files of *project*, publish a version of it, and return the version and the cost of its run."""
    recipe = project / "recipe.yaml"
    recipe.write_text(RECIPE.format(incremental=str(incremental).lower()))
    program = [sys.executable, "-m", "corpusmill"]
    common = [str(recipe), "--workspace", str(project / f"workspace-{incremental}"), "--quiet", "--json"]
    measure([*program, "load", *common])
    cost = measure([*program, "run", *common, *options])
    return read_version(Path(json.loads(cost.output)["path"])), cost


def take_down(files: Sequence[Path], documents: int, count: int, work: Path, options: Sequence[str]) -> Takedown:
    """Publish the three versions and print what each run cost."""
    data = work / "data"
    data.mkdir()
    write_documents(files, documents, data, without=frozenset())
    before, first = publish(work, options, incremental=True)
    taken = choose(before, count)
    write_documents(files, documents, data, without=taken)
    after, second = publish(work, options, incremental=True)
    from_nothing, third = publish(work, options, incremental=False)
    runs = {"first version": (before, first), "after": (after, second), "from nothing": (from_nothing, third)}
    print_table([_row(name, version, cost) for name, (version, cost) in runs.items()])
    return Takedown(before, taken, after, from_nothing)


def _row(name: str, version: Version, cost: Cost) -> dict[str, Any]:
    counts = {"published": len(version.published), "removed": len(version.kept_of)}
    return {"run": name, **counts, "cpu s": cost.cpu_s, "wall s": cost.wall_s, "peak MB": round(cost.peak_bytes / 1e6)}


def main() -> None:
    """Print the machine, the cost of the runs, and the figures of the take-down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--taken", type=int, default=100, help="kept documents to remove from the files")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", help="bound of a worker, such as 2GB")
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("*.parquet"))
    options = ["--workers", str(arguments.workers), *(["--memory", arguments.memory] if arguments.memory else [])]
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as work:
        figures = take_down(files, arguments.documents, arguments.taken, Path(work), options).figures()
    print_table([figures])
    if figures["neither"] or figures["other than from nothing"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
