"""Records that a file of a data set deletes are not published, whichever file has them."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest

from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.workspace import Workspace
from tests.crawlers.loaders.papers.test_medline import as_set, record
from tests.shared_engines import SharedEngines
from tests.test_promises import run_once

DELETIONS = "<DeleteCitation>\n<PMID Version='1'>2</PMID>\n<PMID Version='1'>77</PMID></DeleteCitation>"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    citations = as_set(*(record(number, title=f"On rain {number}.") for number in (1, 2, 3)))
    (tmp_path / "in" / "a.xml").write_text(citations)
    path = tmp_path / "recipe.yaml"
    source = "{name: m, format: medline, path: in/*, license: CC0-1.0}"
    path.write_text(f"dataset: d\nsources:\n  - load: {source}\nstages: [normalize]\n")
    return path


def run(recipe: Path, **options: Any) -> Version:
    shutil.rmtree(recipe.parent / "corpus" / "raw", ignore_errors=True)  # so that new files are found
    return version_in(Path(run_once(recipe, recipe.parent / "corpus", **options)[0]["path"]))


def ids(version: Version) -> list[str]:
    return sorted(id for batch in version.batches("shard", columns=["source_id"]) for id in batch[0].to_pylist())


@pytest.mark.parametrize("name", ["b.xml.gz", "0.xml"])
def test_an_update_takes_a_citation_out(recipe: Path, name: str) -> None:
    """The order of files does not matter, and the reason is in the ledger."""
    first = run(recipe)
    update = as_set(record(4), DELETIONS)
    path = recipe.parent / "in" / name
    path.write_bytes(gzip.compress(update.encode()) if name.endswith(".gz") else update.encode())

    second = run(recipe)

    assert ids(first) == ["1", "2", "3"]
    assert ids(second) == ["1", "3", "4"]
    (left,) = [row for batch in second.batches("ledger") for row in batch.to_pylist()]
    assert (left["source_id"], left["stage"], left["rule"]) == ("2", "deletions", "deleted")
    explained = explain(left["id"], Workspace(recipe.parent / "corpus"))
    assert (explained["status"], explained["trail"][-1]["rule"]) == ("rejected", "deleted")
    (counts,) = [stage for stage in second.manifest.counts.stages if stage.name == "deletions"]
    assert counts.rules == {"deleted": 1}


@pytest.mark.engine
@pytest.mark.parametrize("name", ["beam", pytest.param("spark", marks=pytest.mark.slow)])
def test_other_engines_leave_out_the_same_records(recipe: Path, shared_engine: SharedEngines, name: str) -> None:
    """The deletions are a table like any other."""
    (recipe.parent / "in" / "b.xml").write_text(as_set(record(4), DELETIONS))
    local = run(recipe)

    other, _ = run_once(recipe, recipe.parent / "elsewhere", engine=shared_engine(name))

    assert other["version"] == local.manifest.version
