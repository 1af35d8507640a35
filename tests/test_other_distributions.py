"""Stages of another distribution, really installed: they do everything that ours do, on every engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = Path(__file__).parent / "example_distribution"
RECIPE = """
dataset: example
sources:
  - load: {name: pages, format: html, path: pages}
stages:
  - plain_html
  - mask_names: {names: [Ada]}
  - shards
  - limit_words: {words: 50}
  - shouting: {max_share: 0.5}
  - chained
split: {train: 1.0, validation: 0.0, test: 0.0}
"""
PAGES = {
    "a": "<p>start\nAda wrote LOUD words here\nlink one</p>",
    "b": "<p>link one\nmore of it\nlink two</p>",
    "c": "<p>link two\nthe END of the chain\nlast</p>",
    "alone": "<p>nobody\nshares THIS line\nwith it</p>",
    "loud": "<p>ADA AND OTHERS SHOUT ALL DAY</p>",
    "long": f"<p>{'word ' * 60}</p>",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the example installed beside the libraries of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    # The same libraries, and this checkout before them.
    (packages / "libraries.pth").write_text("\n".join([str(ROOT), *libraries]))
    source = shutil.copytree(EXAMPLE, folder / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(packages), str(source)], check=True, capture_output=True)
    return folder / "venv"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pages").mkdir()
    for name, page in PAGES.items():
        (tmp_path / "pages" / f"{name}.html").write_text(page)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def corpusmill(environment: Path, project: Path, *arguments: str) -> Any:
    # A test of Spark in this process leaves the interpreter of this one in the environment.
    variables = {name: value for name, value in os.environ.items() if name != "PYSPARK_PYTHON"}
    done = subprocess.run(
        [environment / "bin" / "python", "-m", "corpusmill", *arguments, "--json"],
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted(folder.glob(f"{kind}-*.parquet"))]
    return [row for table in tables for row in table.to_pylist()]


def test_stages_of_another_distribution_do_what_ours_do(environment: Path, project: Path) -> None:
    """An extractor gets the captured bytes, a signal keeps its type, a masking stage masks samples, rounds end."""
    (result,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "2")

    folder = Path(result["path"])
    documents = {row["source_id"]: row for row in rows(folder, "train")}
    ledger = {row["source_id"]: row for row in rows(folder, "ledger")}
    chain = sorted(documents.keys() - {"alone.html"})
    assert (len(documents), result["counts"]) == (2, {"read": 6, "published": 2, "ledger": 4})
    assert documents["alone.html"]["loud_words"] == ["THIS"]
    assert documents["alone.html"]["first_word"] == {"word": "nobody", "at": 0}
    assert {row["stage"] for row in ledger.values()} == {"limit_words", "shouting", "chained"}
    assert {row["duplicate_of"] for row in ledger.values() if row["stage"] == "chained"} == {documents[chain[0]]["id"]}
    assert all("Ada" not in (row["sample_text"] or "") for row in ledger.values())
    schema = pq.read_schema(next(folder.glob("train-*.parquet")))
    assert schema.field("loud_words").type.value_type == pa.string()
    signals = pq.read_schema(next(folder.glob("signals-*.parquet")))
    assert signals.field("shouting.share").type == pa.float64()
    assert signals.field("shouting.is_loud").type == pa.bool_()
    assert signals.field("shards.letters").type == pa.int32()


def test_a_published_side_table_is_part_of_the_version(environment: Path, project: Path) -> None:
    """Spans, sorted by document, beside the shards and in the manifest."""
    (result,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")

    folder = Path(result["path"])
    spans = rows(folder, "shouting.spans")
    assert [row["id"] for row in spans] == sorted(row["id"] for row in spans)
    assert {row["word"] for row in spans} >= {"LOUD", "THIS", "END", "SHOUT"}
    manifest = json.loads((folder / "manifest.json").read_text())
    (side,) = [file for file in manifest["side_files"] if file["kind"] == "shouting.spans"]
    assert side["rows"] == len(spans)


def test_inspect_shows_every_type(environment: Path, project: Path) -> None:
    """What is published can be looked at."""
    corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")

    found = corpusmill(environment, project, "inspect", "example", "--where", '"shouting.is_loud" = false')

    assert {row["first_word"]["word"] for row in found} >= {"nobody"}
    assert all(isinstance(row["loud_words"], list) for row in found)


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["spark", "beam"])
def test_every_engine_gives_the_same_version(environment: Path, project: Path, engine: str) -> None:
    """The first promise holds for stages that we have never seen."""
    pytest.importorskip({"spark": "pyspark", "beam": "apache_beam"}[engine])
    (local,) = corpusmill(environment, project, "run", "recipe.yaml", "--workspace", "local", "--workers", "0")

    (other,) = corpusmill(environment, project, "run", "recipe.yaml", "--workspace", engine, "--engine", engine)

    assert other["version"] == local["version"]
