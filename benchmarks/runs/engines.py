"""Check that every engine, number of workers and store publishes the same bytes.

    python -m benchmarks.runs.engines [RECIPE | --demo | --documents 20000] [--engines local,spark,beam]
        [--stores none,file,s3] [--workers 1,2,4]

The sources are acquired once. Each run then starts in a workspace that contains only the sources; with a store, the
sources are only on the store. `s3` is the server of moto on 127.0.0.1. The local engine without a store runs with each
number of workers; all other runs use the last but one. The script compares the version id, which is a function of all
published rows, and the SHA-256 of every published Parquet file. `--demo` runs `recipes/handbook.yaml`, whose site is
crawled first.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.runs.inputs import ROOT, THIS, Installation, add_input, input_recipe
from benchmarks.runs.measuring import machine, print_table
from corpusmill.schemas.storage import Store, open_store
from recipes.pydoc_site import DEMO_PORT, make_site, serve

DEMO: Final = ROOT / "recipes" / "handbook.yaml"
FILES: Final = {"CORPUSMILL_SITE_PACKAGES": sysconfig.get_paths()["purelib"]}
NO_STORE: Final = "none"


@dataclass(frozen=True)
class Case:
    """One run: its engine, number of workers and kind of store."""

    engine: str
    workers: int
    store: str


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_input(parser, documents=20_000)
    parser.add_argument("--demo", action="store_true", help="Run the recipe of the demo.")
    parser.add_argument("--engines", type=_names, default=["local", "spark", "beam"], metavar="A,B")
    parser.add_argument("--stores", type=_names, default=[NO_STORE, "file", "s3"], metavar="A,B")
    parser.add_argument("--workers", type=_numbers, default=[1, 2, 4], metavar="N,N")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="engines-") as name, contextlib.ExitStack() as servers:
        folder = Path(name)
        recipe = DEMO if options.demo else input_recipe(options, folder)
        urls = {kind: servers.enter_context(_store(kind, folder)) for kind in options.stores}
        sources = acquire_sources(recipe, folder, is_demo=options.demo)
        print(machine())
        rows = [run(recipe, sources, folder, case, urls[case.store]) for case in cases(options)]
    print_table([{name: value for name, value in row.items() if name != "files"} for row in rows])
    if not is_same(rows):
        sys.exit("error: not all runs published the same bytes")
    print(f"all {len(rows)} runs published the same bytes")


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Yield the runs that *options* select."""
    default_workers = options.workers[-2:][0]
    for store in options.stores:
        for engine in options.engines:
            for workers in options.workers if (engine, store) == ("local", NO_STORE) else [default_workers]:
                yield Case(engine, workers, store)


def acquire_sources(recipe: Path, folder: Path, *, is_demo: bool) -> Path:
    """Return a new workspace that contains only the sources of *recipe*."""
    workspace = folder / "sources"
    with contextlib.ExitStack() as site:
        if is_demo:
            make_site(folder / "site")
            site.enter_context(serve(folder / "site", DEMO_PORT))
            call("crawl", str(recipe), "--workspace", str(workspace))
        call("load", str(recipe), "--workspace", str(workspace))
    return workspace


def run(recipe: Path, sources: Path, folder: Path, case: Case, url: str | None) -> dict[str, Any]:
    """Run *case* and return its row: what it published, and the hashes of the files."""
    workspace = folder / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    options = ["--engine", case.engine, "--workers", str(case.workers), "--workspace", str(workspace), "--json"]
    if url is None:
        shutil.copytree(sources, workspace)
    else:
        store_url = f"{url}/{case.engine}-{case.workers}"
        copy_raw(sources / "raw", open_store(f"{store_url}/raw"))
        options += ["--store", store_url]
    result = json.loads(call("run", str(recipe), *options))
    return {
        "engine": case.engine,
        "workers": case.workers,
        "store": case.store,
        "read": result["counts"]["read"],
        "published": result["counts"]["published"],
        "version": result["version"],
        "files": file_hashes(open_store(result["path"])),
    }


def copy_raw(folder: Path, store: Store) -> None:
    """Copy the raw files below *folder* to *store*, as a crawl or a load does."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        store.put(path, path.relative_to(folder).as_posix())


def file_hashes(version: Store) -> dict[str, str]:
    """Return the SHA-256 of the published files by name."""
    manifest = json.loads(version.read_text("manifest.json"))
    return {file["path"]: file["sha256"] for file in [*manifest["files"], *manifest["side_files"]]}


def call(*arguments: str) -> str:
    """Run a corpusmill command and return its standard output."""
    installation = Installation()
    assert installation.name == THIS
    environment = installation.environment(**FILES)
    completed = subprocess.run(
        installation.call(*arguments), env=environment, capture_output=True, text=True, check=False
    )
    if completed.returncode:
        sys.exit(f"{' '.join(arguments)} exited with {completed.returncode}\n{completed.stderr[-2000:]}")
    return completed.stdout


def is_same(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether all *rows* have the same version and the same files."""
    return all((row["version"], row["files"]) == (rows[0]["version"], rows[0]["files"]) for row in rows)


@contextlib.contextmanager
def _store(kind: str, folder: Path) -> Iterator[str | None]:
    """Open a store of *kind* and yield its URL; None means no store: the files are in the workspace."""
    if kind == "s3":
        from tests.s3 import BUCKET, running_server

        with running_server():
            yield f"s3://{BUCKET}/engines-{os.getpid()}"
    else:
        yield (folder / "store").as_uri() if kind == "file" else None


def _names(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> Sequence[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()
