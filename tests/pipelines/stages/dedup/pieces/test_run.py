from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from corpusmill.command import cli
from corpusmill.pipelines.dataset.cut import MAX_SHOWN
from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.identity import document_id
from tests.shared_engines import SharedEngines
from tests.test_promises import hashes, run_once

RECIPE = """\
dataset: shared
sources:
  - load: {name: wiki, format: jsonl, path: wiki.jsonl}
  - load: {name: web, format: jsonl, path: web.jsonl}
stages:
  - repetition_dedup
  - paragraph_dedup: {keep: first_source}
  - line_dedup: {max_documents: 2}
  - pii
split: {train: 1, validation: 0, test: 0}
checks: {max_rejected: 0.5}
"""
FIRST = "Write to ada@mail.example.org about this paragraph, which two sources have."
SECOND = "A paragraph of the wiki and of the page that is a copy of all its paragraphs."
LICENSE = "All rights reserved by the makers of this site, who wrote none of its texts."
DOCUMENTS = {
    "wiki": {"a": f"{FIRST}\n\n{SECOND}", "b": f"Own words of b.\n{LICENSE}"},
    "web": {
        "copy": f"{SECOND.upper()}\n\n{FIRST}",
        "page": f"Own words of a page.\n\n{FIRST}\n\nAgain:\n{LICENSE}\n{LICENSE}",
        "last": f"Own words of the last page.\n{LICENSE}",
    },
}


def write_project(folder: Path) -> Path:
    """Write a project with two sources that share paragraphs and lines."""
    folder.mkdir(parents=True, exist_ok=True)
    for source, rows in DOCUMENTS.items():
        lines = [json.dumps({"id": name, "text": text}) for name, text in rows.items()]
        (folder / f"{source}.jsonl").write_text("\n".join(lines))
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder / "recipe.yaml"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace of a run."""
    folder = tmp_path_factory.mktemp("shared")
    run_once(write_project(folder), folder / "corpus")
    return Workspace(folder / "corpus")


@pytest.fixture(scope="module")
def version(workspace: Workspace) -> Version:
    """The version that the run published."""
    (path,) = (path for path in (workspace.versions / "shared").iterdir() if path.is_dir())
    return version_in(path)


def rows_of(version: Version, kind: str) -> list[dict[str, Any]]:
    return [row for file in sorted(version.path.glob(f"{kind}-*.parquet")) for row in pq.read_table(file).to_pylist()]


def test_pieces_stay_in_the_document_that_comes_first(version: Version) -> None:
    """The order of sources decides between paragraphs, and what is everywhere stays nowhere."""
    texts = {row["source_id"]: row["text"] for row in rows_of(version, "train")}

    masked = FIRST.replace("ada@mail.example.org", "<EMAIL>")
    assert texts == {
        "a": f"{masked}\n\n{SECOND}",
        "b": "Own words of b.",
        "page": "Own words of a page.\n\nAgain:",
        "last": "Own words of the last page.",
    }
    assert [(row["source_id"], row["rule"]) for row in rows_of(version, "ledger")] == [
        ("copy", "paragraph_dedup.nothing_left")
    ]
    assert all(stage.holds for stage in version.manifest.counts.stages)


def test_explain_shows_what_was_cut_and_who_keeps_it(workspace: Workspace) -> None:
    """A document and the one that keeps its paragraph must lead to each other."""
    page = explain(document_id("web", "page"), workspace)
    copy = explain(document_id("web", "copy"), workspace)

    spans = [(cut["stage"], cut["rule"], cut["first_id"]) for cut in page["cuts"]]
    assert spans == [
        ("repetition_dedup", "repetition_dedup.line", document_id("web", "page")),
        ("paragraph_dedup", "paragraph_dedup.duplicate", document_id("wiki", "a")),
        ("line_dedup", "line_dedup.boilerplate", None),
    ]
    assert page["number_of_cuts"] == 3
    assert (copy["status"], copy["trail"][-1]["rule"]) == ("rejected", "paragraph_dedup.nothing_left")
    assert {cut["first_id"] for cut in copy["cuts"]} == {document_id("wiki", "a")}
    notes = [step["message"] for step in page["trail"] if step["stage"] == "paragraph_dedup"]
    assert notes == [f"{len(FIRST) + 2} bytes of paragraphs that other documents have were cut"]


def test_the_command_prints_the_spans(workspace: Workspace) -> None:
    """Most users ask on the command line."""
    arguments = ["explain", document_id("web", "page"), "--workspace", str(workspace.root)]

    result = CliRunner().invoke(cli, arguments)

    assert result.exit_code == 0
    place = f"bytes 22 to {22 + len(FIRST) + 2}, kept in {document_id('wiki', 'a')}"
    assert f"  paragraph_dedup.duplicate  {place}: Write to <EMAIL> about" in result.stdout
    assert "line_dedup.boilerplate" in result.stdout
    assert ", kept nowhere: All rights reserved" in result.stdout


def test_samples_are_masked_like_those_of_the_ledger(version: Version) -> None:
    """The table is published, and `pii` comes after the stage that filled it."""
    samples = {row["sample_text"] for row in rows_of(version, "paragraph_dedup.cuts")}

    assert samples == {FIRST.replace("ada@mail.example.org", "<EMAIL>"), SECOND.upper()}


def test_spans_are_bytes_of_the_text_before_the_stage(version: Version) -> None:
    """Whoever has the text before the stage can look up what was cut."""
    text = DOCUMENTS["web"]["copy"].encode()
    spans = [row for row in rows_of(version, "paragraph_dedup.cuts") if row["id"] == document_id("web", "copy")]

    assert [text[span["start"] : span["end"]].decode().strip() for span in spans] == [SECOND.upper(), FIRST]


def test_explain_counts_the_spans_that_it_does_not_list(tmp_path: Path) -> None:
    """A page may lose thousands of lines."""
    lines = [f"Line {n} of many lines that both documents have and that are long." for n in range(MAX_SHOWN + 20)]
    recipe = write_project(tmp_path)
    (tmp_path / "wiki.jsonl").write_text(json.dumps({"id": "a", "text": "\n".join(lines)}))
    (tmp_path / "web.jsonl").write_text(json.dumps({"id": "b", "text": "\n".join([*lines, "own"])}))
    recipe.write_text(RECIPE.replace("  - line_dedup: {max_documents: 2}\n", "  - line_dedup\n"))
    run_once(recipe, tmp_path / "corpus")
    names = [document_id("wiki", "a"), document_id("web", "b")]

    (result,) = [one for name in names if (one := explain(name, Workspace(tmp_path / "corpus")))["cuts"]]

    assert (len(result["cuts"]), result["number_of_cuts"]) == (MAX_SHOWN, MAX_SHOWN + 20)
    printed = CliRunner().invoke(cli, ["explain", result["id"], "--workspace", str(tmp_path / "corpus")]).stdout
    assert f"  and {MAX_SHOWN + 10} more spans" in printed


@pytest.mark.parametrize(("workers", "rows"), [(0, 1), (0, 7), (2, None)])
def test_batches_and_workers_change_nothing(
    version: Version, tmp_path: Path, workers: int, rows: int | None, shared_engine: SharedEngines
) -> None:
    """Promise 1, for a whole run."""
    engine = shared_engine("local") if workers else None

    _, manifest = run_once(write_project(tmp_path), tmp_path / "corpus", engine=engine, batch_rows=rows)

    assert hashes(manifest) == hashes(version.manifest)


def test_captures_of_one_document_do_not_cut_each_other(tmp_path: Path) -> None:
    """Only one of them is published, and it must have the whole text."""
    recipe = write_project(tmp_path)
    (tmp_path / "wiki.jsonl").write_text("\n".join([json.dumps({"id": "a", "text": FIRST})] * 2))

    _, manifest = run_once(recipe, tmp_path / "corpus")

    (path,) = (path for path in (tmp_path / "corpus" / "versions" / "shared").iterdir() if path.is_dir())
    cuts = rows_of(version_in(path), "paragraph_dedup.cuts")
    assert [row["id"] for row in cuts if row["id"] == document_id("wiki", "a")] == []
    assert manifest.counts.published == 4
