from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from corpusmill.command import cli
from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.stages.dedup.substrings.cutting import NOTHING_LEFT, REPEATED
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.identity import document_id
from tests.corpora import prose
from tests.shared_engines import SharedEngines
from tests.test_promises import hashes, run_once

RECIPE = """\
dataset: notes
sources:
  - load: {name: notes, format: jsonl, path: notes.jsonl}
stages:
  - normalize
  - substring_dedup: {min_bytes: 100}
  - pii
"""
SHARED = (
    "Write to the authors at <EMAIL> with any question about this license. " + "No warranty is given. " * 2 + "None."
)
BEFORE = SHARED.replace("<EMAIL>", "jane.roe@mail.example.org")


def write_project(folder: Path, recipe: str = RECIPE) -> Path:
    """Write a project with 20 notes, of which every third ends with the same license, and one that is the license.

    Note 01 was captured twice.
    """
    chance = random.Random(3)
    texts = [(f"{n:02}", prose(chance, 6) + (f"\n\n{BEFORE}" if n % 3 == 0 else "")) for n in range(20)]
    texts += [("license", BEFORE), ("01", f"{texts[1][1]} Edited.")]
    rows = [{"id": name, "text": text, "fetched_at": f"2024-01-{n + 1:02}"} for n, (name, text) in enumerate(texts)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "recipe.yaml").write_text(recipe)
    return folder / "recipe.yaml"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace of a run."""
    folder = tmp_path_factory.mktemp("notes")
    run_once(write_project(folder), folder / "corpus")
    return Workspace(folder / "corpus")


@pytest.fixture(scope="module")
def version(workspace: Workspace) -> Version:
    """The version that the run published."""
    (path,) = (path for path in (workspace.versions / "notes").iterdir() if path.is_dir())
    return version_in(path)


def rows_of(version: Version, kind: str) -> list[dict[str, Any]]:
    files = sorted(version.path.glob(f"{kind}-*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_a_stretch_is_kept_once_and_the_account_closes(version: Version) -> None:
    """Of seven copies of the license, that of the oldest note is published."""
    (stage,) = (stage for stage in version.manifest.counts.stages if stage.name == "substring_dedup")
    texts = [row["text"] for kind in ("train", "validation", "test") for row in rows_of(version, kind)]

    assert sum(SHARED in text for text in texts) == 1
    assert sum(len(text) > 200 and text.endswith("Edited.") for text in texts) == 1
    assert (len(texts), stage.documents_in, stage.ledger, stage.rules) == (20, 21, 1, {NOTHING_LEFT: 1})
    assert stage.holds
    assert stage.bytes_cut > 5 * len(SHARED)


def test_the_side_table_is_published_with_masked_samples(version: Version) -> None:
    """Personal data that a later stage masks in the texts must not be in a table beside them."""
    cuts = rows_of(version, "substring_dedup.cuts")

    assert {cut["first_id"] for cut in cuts} == {document_id("notes", "00")}
    assert len({cut["id"] for cut in cuts}) == len(cuts) == 7
    assert all("<EMAIL>" in cut["sample_text"] and "jane" not in cut["sample_text"] for cut in cuts)


def test_explain_shows_what_was_cut_and_where_it_is_kept(workspace: Workspace) -> None:
    """A curator who misses a paragraph asks for the document."""
    note = explain(document_id("notes", "03"), workspace)
    rejected = explain(document_id("notes", "license"), workspace)

    (cut,) = note["cuts"]
    assert (cut["stage"], cut["rule"], cut["first_id"]) == ("substring_dedup", REPEATED, document_id("notes", "00"))
    (step,) = [step for step in note["trail"] if step["stage"] == "substring_dedup"]
    assert step["message"] == f"{cut['end'] - cut['start']:,} bytes that occur earlier were cut"
    assert (rejected["status"], rejected["trail"][-1]["rule"]) == ("rejected", NOTHING_LEFT)
    assert [one["first_id"] for one in rejected["cuts"]] == [document_id("notes", "00")]


def test_the_command_prints_each_cut_in_a_line(workspace: Workspace) -> None:
    """The place, the document that keeps the text, and how it begins."""
    arguments = ["explain", document_id("notes", "license"), "--workspace", str(workspace.root)]

    result = CliRunner().invoke(cli, arguments)

    line = (
        f"  {REPEATED}  bytes 0 to {len(BEFORE)}, kept in {document_id('notes', '00')}: Write to the authors at <EMAIL>"
    )
    assert "cut from it\n" in result.stdout
    assert any(one.startswith(line) for one in result.stdout.splitlines()), result.stdout


@pytest.mark.parametrize(("workers", "batch_rows"), [(0, 1), (0, 7), (2, None)])
def test_batches_and_workers_change_nothing(
    version: Version, tmp_path: Path, workers: int, batch_rows: int | None, shared_engine: SharedEngines
) -> None:
    """The same recipe gives the same bytes."""
    engine = shared_engine("local") if workers else None

    _, manifest = run_once(write_project(tmp_path), tmp_path / "corpus", engine=engine, batch_rows=batch_rows)

    assert hashes(manifest) == hashes(version.manifest)
