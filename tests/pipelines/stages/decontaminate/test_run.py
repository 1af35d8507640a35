"""Whole runs: tables of a version, `explain`, the report, warnings, and recipes that are refused."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import corpusmill
from corpusmill.command import cli
from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.recipes.paths import matching_files
from corpusmill.pipelines.reports.report import report
from corpusmill.pipelines.reports.statistics import statistics
from corpusmill.pipelines.running.trial import trial
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import RecipeErrors
from corpusmill.schemas.identity import document_id
from tests.pipelines.stages.decontaminate.sets import write_lines
from tests.test_promises import hashes, run_once

ACQUISITION = corpusmill.acquisition()
QUESTION = "Which of these rivers of northern Europe flows to the sea at the port where jane@mail.example.org lives"
TEXT = f"A quiz. {QUESTION.replace(' ', '  ').upper()}? Nobody knows."
RECIPE = """\
dataset: clean
sources:
  - load: {name: pages, format: jsonl, path: pages.jsonl}
stages:
  - normalize
  - decontaminate: {against: [eval/*.gz, {path: "${EVALUATIONS}/b.jsonl", columns: [answer]}], action: ACTION}
  - pii
"""


def write_project(folder: Path, *, action: str = "remove", recipe: str = RECIPE) -> Path:
    """Write a project in which 5 of 25 documents contain a question of an evaluation set."""
    texts = [TEXT if number % 5 == 2 else f"Page {number} has words of its own." for number in range(25)]
    write_lines(folder / "pages.jsonl", [{"id": str(number), "text": text} for number, text in enumerate(texts)])
    (folder / "eval").mkdir()
    (folder / "eval" / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps({"q": QUESTION, "a": "the Elbe"}).encode()))
    write_lines(folder / "more" / "b.jsonl", [{"answer": "an answer that is in no document", "note": TEXT}])
    (folder / "recipe.yaml").write_text(recipe.replace("ACTION", action))
    return folder / "recipe.yaml"


@pytest.fixture(autouse=True)
def evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable of the recipe."""
    monkeypatch.setenv("EVALUATIONS", str(tmp_path / "more"))


def version_of(folder: Path) -> Version:
    (path,) = (path for path in (folder / "corpus" / "versions" / "clean").iterdir() if path.is_dir())
    return version_in(path)


def rows_of(version: Version, kind: str) -> list[dict[str, Any]]:
    files = sorted(version.path.glob(f"{kind}-*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_removed_documents_are_in_the_ledger_and_their_hits_in_the_version(tmp_path: Path) -> None:
    """Also a document that was removed is explained with both texts; personal data in them is masked."""
    run_once(write_project(tmp_path), tmp_path / "corpus")
    version = version_of(tmp_path)

    ledger, hits = rows_of(version, "ledger"), rows_of(version, "decontaminate.hits")

    assert [(row["stage"], row["rule"]) for row in ledger] == [("decontaminate", "decontaminate.overlap")] * 5
    assert {row["message"] for row in ledger} == {"eval/a.jsonl.gz, record 1, `q`"}
    assert sorted(hit["id"] for hit in hits) == sorted(row["id"] for row in ledger)
    assert {"<EMAIL>" in hit["text"] for hit in hits} == {True}
    assert {hit["evaluation_text"] for hit in hits} == {QUESTION}
    names = {"decontaminate.against.0:eval/a.jsonl.gz", "decontaminate.against.1"}
    assert set(version.manifest.contents) == names


def test_explain_and_report_show_the_hits(tmp_path: Path) -> None:
    """The counts name the file; `explain` has the texts."""
    run_once(write_project(tmp_path), tmp_path / "corpus")
    identity = document_id("pages", "2")

    explained = explain(identity, Workspace(tmp_path / "corpus"))
    shown = CliRunner().invoke(cli, ["explain", identity, "--workspace", str(tmp_path / "corpus")])
    figures = statistics(version_of(tmp_path).path)

    (table,) = explained["side_tables"]
    assert (table["name"], table["count"], table["rows"][0]["field"]) == ("decontaminate.hits", 1, "q")
    assert f"evaluation: {QUESTION}" in table["notes"][0].splitlines()
    assert "remove: 100% of eval/a.jsonl.gz, record 1, `q`" in shown.output
    (counts,) = report(figures)["side_counts"]
    assert (counts["heading"], counts["rows"]) == (
        "Decontamination",
        [{"value": "eval/a.jsonl.gz", "documents": 5, "items": 1}],
    )
    page = (version_of(tmp_path).path / "report.html").read_text()
    assert "eval/a.jsonl.gz" in page.partition("<h2>Decontamination</h2>")[2]


def test_masked_documents_are_published_in_the_same_bytes_from_anywhere(tmp_path: Path) -> None:
    """The version does not depend on where the files are."""
    places = [tmp_path / "one", tmp_path / "two"]
    recipe = RECIPE.replace("${EVALUATIONS}", "more")
    manifests = [run_once(write_project(place, action="mask", recipe=recipe), place / "corpus")[1] for place in places]

    assert hashes(manifests[0]) == hashes(manifests[1])
    texts = [row["text"] for row in rows_of(version_of(places[0]), "train")]
    assert texts.count("A quiz. <EVALUATION>? Nobody knows.") == 5


def test_masked_spans_are_explained_and_counted(tmp_path: Path) -> None:
    """As text that any other stage cut, with the benchmark; samples are masked, as the ledger's."""
    run_once(write_project(tmp_path, action="mask"), tmp_path / "corpus")
    version, identity = version_of(tmp_path), document_id("pages", "2")

    explained = explain(identity, Workspace(tmp_path / "corpus"))
    shown = CliRunner().invoke(cli, ["explain", identity, "--workspace", str(tmp_path / "corpus")]).output
    counted = {one["heading"]: one["rows"] for one in report(statistics(version.path))["side_counts"]}

    (cut,) = explained["cuts"]
    assert (explained["status"], explained["number_of_cuts"]) == ("published", 1)
    assert (cut["stage"], cut["rule"], cut["message"]) == (
        "decontaminate",
        "decontaminate.overlap",
        "eval/a.jsonl.gz, record 1, `q`",
    )
    assert "<EMAIL>" in cut["sample_text"]
    line = next(line for line in shown.splitlines() if line.startswith("  decontaminate.overlap  bytes"))
    assert f"bytes {cut['start']} to {cut['end']}, eval/a.jsonl.gz, record 1, `q`: WHICH" in line
    assert "passed  evaluation texts with a coverage of 50% or more were masked; the greatest one was 100%" in shown
    assert counted["Masked evaluation texts"] == [{"value": "eval/a.jsonl.gz", "documents": 5, "items": 5}]
    spans = rows_of(version, "decontaminate.cuts")
    (law,) = (stage for stage in version.manifest.counts.stages if stage.name == "decontaminate")
    assert law.bytes_cut == sum(span["end"] - span["start"] for span in spans)
    assert "<h2>Masked evaluation texts</h2>" in (version.path / "report.html").read_text()


def test_the_stage_may_come_before_one_that_reads_the_captured_bytes(tmp_path: Path) -> None:
    """Those stages run while the records are read, where a stage has no files and no side tables."""
    recipe = write_project(tmp_path, recipe=RECIPE.replace("  - normalize\n", "").replace("  - pii", "  - extract"))

    run_once(recipe, tmp_path / "corpus")

    assert len(rows_of(version_of(tmp_path), "decontaminate.hits")) == 5


def test_short_texts_are_a_warning_and_a_document_can_be_tried(tmp_path: Path) -> None:
    """What is not compared is counted before and after a run."""
    recipe = write_project(tmp_path, action="mask")
    workspace = Workspace(tmp_path / "corpus")

    planned = CliRunner().invoke(cli, ["plan", str(recipe), "--workspace", str(workspace.root)])
    tried = trial(recipe, str(tmp_path / "pages.jsonl"), workspace=workspace, acquisition=ACQUISITION)
    result, _ = run_once(recipe, workspace.root)

    warning = "eval/a.jsonl.gz has 1 of 2 texts with fewer than 5 words, which are not compared"
    assert warning in planned.output
    assert f"`decontaminate`: {warning}" in result["warnings"]
    assert "<EVALUATION>" in tried[2]["text"]


@pytest.mark.parametrize(
    ("against", "field", "message", "hint"),
    [
        ("[evil/*.gz]", "against.0", "no such file, got `evil/*.gz`", "did you mean `eval`?"),
        ("[eval]", "against.0", "not a file, but a folder, got `eval`", "name its files: `eval/*`"),
        ("[{path: x.jsonl}]", "against.0.path", "no such file, got `x.jsonl`", "looked for"),
        ('["${UNSET_ONE}/a"]', "against.0", "UNSET_ONE is not set", "export UNSET_ONE=…"),
        ("[recipe.yaml]", "against.0", "recipe.yaml: line 1: not JSON", "JSON Lines"),
        ("[empty.jsonl]", "against.0", "empty.jsonl: the file has no text, got `empty.jsonl`", "name a file"),
        ("[{path: more/*, columns: [note, anser]}]", "against.0.columns.1", "column `anser`", "did you mean `answer`?"),
    ],
)
def test_unusable_files_are_refused_before_any_work(
    tmp_path: Path, against: str, field: str, message: str, hint: str
) -> None:
    """File, line, field, value and hint, as for every other problem of a recipe."""
    recipe = write_project(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    recipe.write_text(re.sub(r"against: .*, action", f"against: {against}, action", RECIPE.replace("ACTION", "mask")))

    with pytest.raises(RecipeErrors) as caught:
        read_recipe(recipe, Workspace(tmp_path / "corpus"), ACQUISITION)

    (error,) = caught.value.errors
    assert (error.line, error.field) == (6, f"stages.1.decontaminate.{field}")
    assert message in error.message
    assert hint in (error.hint or "")


def test_names_of_files_are_as_the_recipe_writes_them(tmp_path: Path) -> None:
    """They are part of the version, so they may not depend on the machine."""
    write_project(tmp_path)

    def names(path: str) -> list[str]:
        return list(matching_files(path, base=tmp_path))

    assert names("eval/*") == ["eval/a.jsonl.gz"]
    assert names("./more/../more/b.jsonl") == ["./more/../more/b.jsonl"]
    assert names("**/*.jsonl") == ["more/b.jsonl", "pages.jsonl"]
    assert names("${EVALUATIONS}/?.jsonl") == ["${EVALUATIONS}/b.jsonl"]
    assert names("s3://bucket/a*.jsonl") == ["s3://bucket/a*.jsonl"]
    assert names("none/*") == names("a\0*") == []
