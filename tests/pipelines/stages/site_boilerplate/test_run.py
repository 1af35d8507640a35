from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.inspect import Question, inspect
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.reports.statistics import statistics
from corpusmill.pipelines.stages.site_boilerplate.cutting import NOTHING_LEFT, TEMPLATE
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.identity import document_id
from tests.pipelines.stages.site_boilerplate.sites import FOOT, HEAD, site
from tests.shared_engines import SharedEngines
from tests.test_promises import hashes, run_once

RECIPE = """\
dataset: sites
sources:
  - load: {name: pages, format: jsonl, path: pages.jsonl}
stages:
  - extract
  - site_boilerplate: {share: 0.6}
  - normalize
  - pii
  - exact_dedup
checks: {max_rejected: 0.15}
"""


def write_project(folder: Path, recipe: str = RECIPE) -> Path:
    """Write a project with a site of 20 pages, of which one has no text of its own, and a file without a site."""
    pages = [
        *site("www.one.example", 20, pieces=(HEAD, "Write to news@mail.example.org", FOOT)),
        *site("two.example", 3),
    ]
    rows: list[dict[str, Any]] = [{"id": page["source_id"], "url": page["url"], "text": page["text"]} for page in pages]
    rows.append({"id": "login", "url": "https://one.example/login", "text": f"{HEAD}\n\n{FOOT}"})
    rows.append({"id": "file", "text": f"{HEAD}\n\nA file has no site."})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pages.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "recipe.yaml").write_text(recipe)
    return folder / "recipe.yaml"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace of a run."""
    folder = tmp_path_factory.mktemp("sites")
    run_once(write_project(folder), folder / "corpus")
    return Workspace(folder / "corpus")


@pytest.fixture(scope="module")
def version(workspace: Workspace) -> Version:
    """The version that the run published."""
    (path,) = (path for path in (workspace.versions / "sites").iterdir() if path.is_dir())
    return version_in(path)


def rows_of(version: Version, kind: str) -> list[dict[str, Any]]:
    files = sorted(version.path.glob(f"{kind}-*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_the_account_closes_with_rows_that_were_created(version: Version) -> None:
    """read + created = published + ledger; bytes that were cut or are in the ledger are part of the account."""
    counts = version.manifest.counts
    stage = next(stage for stage in counts.stages if stage.name == "site_boilerplate")

    assert (counts.read, counts.created, counts.published, counts.ledger) == (25, 3, 24, 4)
    assert counts.by_source["pages"] == {"read": 25, "published": 24, "ledger": 1, "created": 3}
    assert stage.holds
    assert (stage.created, stage.ledger, stage.rules) == (3, 4, {NOTHING_LEFT: 1, TEMPLATE: 3})
    assert stage.bytes_added < stage.bytes_cut
    assert len(rows_of(version, "origin")) == counts.read


def test_the_ledger_has_each_piece_masked_like_all_its_samples(version: Version) -> None:
    """The ledger is published with the version, so its samples pass the recipe's `pii` stage."""
    told = [row for row in rows_of(version, "ledger") if row["rule"] == TEMPLATE]

    assert {row["sample_text"] for row in told} == {HEAD, FOOT, "Write to <EMAIL>"}
    assert {row["message"] for row in told} == {"on 20 of 21 pages of one.example", "on 21 of 21 pages of one.example"}
    assert {row["source_id"].partition("#")[0] for row in told} == {"one.example"}
    texts = {
        row["source_id"]: row["text"] for kind in ("train", "validation", "test") for row in rows_of(version, kind)
    }
    assert [name for name, text in texts.items() if HEAD in text] == [
        name for name in texts if "one.example" not in name
    ]


def test_explain_shows_what_a_document_lost_and_where_a_piece_was(workspace: Workspace, version: Version) -> None:
    """Document and piece must lead to each other."""
    document = explain("https://www.one.example/3", workspace)
    piece = explain(next(row["id"] for row in rows_of(version, "ledger") if row["rule"] == TEMPLATE), workspace)
    emptied = explain(document_id("pages", "login"), workspace)

    (step,) = [step for step in document["trail"] if step["stage"] == "site_boilerplate"]
    assert (step["verdict"], document["status"]) == ("passed", "published")
    assert step["message"].endswith("bytes of its site's template were cut")
    assert [(step["stage"], step["rule"]) for step in piece["trail"]] == [("site_boilerplate", TEMPLATE)]
    assert piece["trail"][0]["message"].endswith("pages of one.example")
    assert explain("https://one.example/login", workspace)["id"] == emptied["id"]
    assert emptied["trail"][-1]["rule"] == NOTHING_LEFT


def test_inspect_finds_the_template_of_a_host(version: Version) -> None:
    """One line of SQL must show the template of a site."""
    question = Question(where=f"rule = '{TEMPLATE}' AND starts_with(source_id, 'one.example#')", ledger=True)

    found = list(inspect(version, question))

    assert [row["value"] for row in found if row["sample_text"] == HEAD] == [1.0]


def test_the_report_counts_records_and_not_pieces(version: Version) -> None:
    """A piece of a template was never read, so it was not rejected either."""
    figures = statistics(version.path)

    assert figures["conservation"]["holds"]
    assert figures["sizes"]["ledger"] == 1
    assert [rule["rule"] for rule in figures["rules"]] == [NOTHING_LEFT]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_and_workers_change_nothing(
    version: Version, tmp_path: Path, workers: int, shared_engine: SharedEngines
) -> None:
    """Promise 1, for a whole run."""
    engine, batch_rows = (shared_engine("local"), None) if workers else (None, 1)

    _, manifest = run_once(write_project(tmp_path), tmp_path / "corpus", engine=engine, batch_rows=batch_rows)

    assert hashes(manifest) == hashes(version.manifest)


def test_it_may_stand_behind_a_stage_that_compares(tmp_path: Path) -> None:
    """Duplicates are then removed before pages are counted; clusters and counts stay."""
    stages = "stages:\n  - exact_dedup\n  - site_boilerplate: {share: 0.6}\n  - normalize\n  - near_dedup\n"
    recipe = RECIPE.partition("stages:")[0] + stages

    _, manifest = run_once(write_project(tmp_path, recipe), tmp_path / "corpus")

    assert [stage.name for stage in manifest.counts.stages if stage.created] == ["site_boilerplate"]
    assert manifest.counts.created == 3


def test_two_of_them_are_refused_before_anything_runs(tmp_path: Path) -> None:
    """Both would add the signal, and the second would only see the output of the first."""
    recipe = write_project(tmp_path, RECIPE.replace("  - normalize\n", "  - site_boilerplate\n"))

    with pytest.raises(RecipeError, match=r"site_boilerplate\.cut_bytes"):
        run_once(recipe, tmp_path / "corpus")
