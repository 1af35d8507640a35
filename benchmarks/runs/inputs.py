"""The inputs of a benchmark (a recipe, generated documents, or real pages), and the installations that run them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from benchmarks.runs.documents import write_archive, write_documents
from benchmarks.runs.measuring import Cost, measure

SHARED: Final = Path(os.environ.get("CORPUSMILL_SHARED", "shared"))
ROOT: Final = Path(__file__).resolve().parents[2]
THIS: Final = "this"
PAGES: Final = SHARED / "data" / "extraction" / "public.parquet"
_FORMATS: Final = {".jsonl": "jsonl", ".parquet": "parquet", ".warc": "warc"}
_RECIPE: Final = """\
dataset: measured
sources:
  - load: {{name: source, format: {format}, path: {path}}}
stages:
{extract}  - normalize
  - language: {{min_score: 0.1}}
  - quality
  - pii
  - exact_dedup
  - near_dedup
shards: {{target_bytes: 256MB}}
split: {{train: 0.8, validation: 0.1, test: 0.1}}
"""


@dataclass(frozen=True)
class Installation:
    """A `corpusmill` command to measure.

    Args:
        command: The executable of another environment; None means the code in this folder.
    """

    command: Path | None = None

    @property
    def name(self) -> str:
        return THIS if self.command is None else str(self.command)

    def call(self, *arguments: str) -> list[str]:
        """Return the command line with *arguments*."""
        return [sys.executable, "-m", "corpusmill", *arguments] if self.command is None else [self.name, *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a call, in which Python finds only the modules of this installation."""
        variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        return variables | ({"PYTHONPATH": str(ROOT)} if self.command is None else {}) | more

    def run(self, recipe: Path, workspace: Path, *options: str, **environment: str) -> Cost:
        """Run *recipe* and return what it cost; the output is the result of the run as JSON.

        The current folder is the parent of *workspace*: from the root of this repository, Spark's workers would import
        its modules instead of those of the installation.
        """
        call = self.call("run", str(recipe.absolute()), "--workspace", str(workspace), "--json", *options)
        return measure(call, environment=self.environment(**environment), folder=workspace.parent)


def add_installations(parser: argparse.ArgumentParser) -> None:
    """Add the option `--corpusmill` to *parser*."""
    text = "An installed command, or `this` for the code in this folder; repeat to compare. [default: this]"
    parser.add_argument("--corpusmill", action="append", metavar="PATH", help=text)


def installations(options: argparse.Namespace) -> list[Installation]:
    """Return the installations that *options* name."""
    names = options.corpusmill or [THIS]
    return [Installation(None if name == THIS else Path(name).absolute()) for name in names]


def add_input(parser: argparse.ArgumentParser, *, documents: int) -> None:
    """Add the options for the input to *parser*. The default is a generated file with *documents* documents."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("recipe", type=Path, nargs="?", help="Run this recipe.")
    group.add_argument("--documents", type=int, metavar="N", default=documents, help="Run N generated documents.")
    group.add_argument("--pages", type=int, metavar="N", help="Run N real pages (at most 2,884), in one WARC file.")
    parser.add_argument("--data", type=Path, default=PAGES, help="Parquet file of the pages: `url`, `html`.")


def input_recipe(options: argparse.Namespace, folder: Path) -> Path:
    """Return the recipe that *options* select, and write its input to *folder* if needed."""
    if options.recipe is not None:
        return Path(options.recipe)
    if options.pages is not None:
        archive = folder / "pages.warc.gz"
        write_archive(archive, pages(options.data, options.pages))
        return write_recipe(archive)
    path = folder / "documents.jsonl"
    write_documents(path, options.documents)
    return write_recipe(path)


def write_recipe(path: Path) -> Path:
    """Write a recipe with *path* as its only source beside *path*, and return the path of the recipe."""
    file_format = _FORMATS[path.suffixes[0]]
    recipe = path.with_name(f"{path.name}.yaml")
    recipe.write_text(
        _RECIPE.format(
            format=file_format, path=path.absolute(), extract="  - extract\n" if file_format == "warc" else ""
        )
    )
    return recipe


def pages(data: Path, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield URL and HTML of the first *count* pages of the Parquet file *data*, with a made-up URL if it has none."""
    number = 0
    for batch in pq.ParquetFile(data).iter_batches(batch_size=64, columns=["url", "html"]):
        for row in batch.to_pylist():
            if number == count:
                return
            yield row["url"] or f"https://example.com/{number}", _as_bytes(row["html"])
            number += 1


def _as_bytes(page: Any) -> bytes:
    return page if isinstance(page, bytes) else str(page).encode()
