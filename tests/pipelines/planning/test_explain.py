"""`plan` announces what `run` would do, and refuses what `run` would refuse."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import corpusmill
from corpusmill.pipelines.planning.explain import explain_plan
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError, RecipeError
from tests.crawlers.sites import CONTACT, page, serve
from tests.test_promises import run_once

STAGES = "stages: [extract, normalize, near_dedup]\n"


def recipe_in(folder: Path, source: str = "{name: notes, format: jsonl, path: notes}", kind: str = "load") -> Path:
    path = folder / "recipe.yaml"
    path.write_text(f"dataset: d\nsources:\n  - {kind}: {source}\n{STAGES}")
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe that was run."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "one.jsonl").write_text('{"id": "1", "text": "a text", "body": "another text"}\n')
    path = recipe_in(tmp_path)
    run_once(path, tmp_path / "corpus")
    return path


def planned(recipe: Path) -> dict[str, Any]:
    return explain_plan(recipe, workspace=Workspace(recipe.parent / "corpus"), acquisition=corpusmill.acquisition())


def test_a_corrected_source_is_the_reason_to_read_again(recipe: Path) -> None:
    """The files did not change, the recipe did."""
    plan = planned(recipe_in(recipe.parent, "{name: notes, format: jsonl, path: notes, text_field: body}"))

    change = "`text_field` was `text` when `notes` was first loaded and is `body` now"
    assert (plan["sources_changed"], plan["sources_missing"]) == ({"notes": change}, [])
    assert plan["steps"][0]["reason"] == "the definition of `notes` changed"
    assert plan["disk_bytes"] > 0


def test_what_run_refuses_is_refused_by_plan(recipe: Path) -> None:
    """A plan that says `computed before` promises that the run succeeds."""
    file = recipe.parent / "notes" / "one.jsonl"
    file.write_text('{"id": "1", "text": "a changed text"}\n')
    with pytest.raises(DamagedFileError, match="1 of 1 files of the source `notes` changed"):
        planned(recipe)

    recipe_in(recipe.parent, "{name: notes, format: jsonl, path: notes, refresh: 1m}")
    workspace = Workspace(recipe.parent / "corpus")
    manifest = workspace.raw_manifest("notes")
    assert manifest is not None
    older = manifest.model_copy(update={"created_at": manifest.created_at - timedelta(minutes=2)})
    workspace.raw("notes").write("manifest.json", older.model_dump_json())

    assert not planned(recipe)["sources_changed"]


def test_a_crawl_that_cannot_take_the_new_definition_is_refused_by_plan(tmp_path: Path) -> None:
    """Its pages would be lost."""
    with serve({"/": page("/a"), "/a": page()}) as site:
        common = f'name: site, start_urls: ["{site.url}/"], contact: "{CONTACT}", delay: 0, allow_private: true'
        run_once(recipe_in(tmp_path, f"{{{common}, max_pages: 1}}", "crawl"), tmp_path / "corpus")
        requests = len(site.seen)
        extended = planned(recipe_in(tmp_path, f"{{{common}, max_pages: 2}}", "crawl"))
        with pytest.raises(RecipeError, match="`deny` was"):
            planned(recipe_in(tmp_path, f"{{{common}, max_pages: 1, deny: [/b]}}", "crawl"))

    assert extended["sources_changed"] == {
        "site": "`max_pages` was `1` when `site` was first crawled and is `2` now",
    }
    assert len(site.seen) == requests


def test_new_files_are_a_warning_of_plan_and_run(recipe: Path) -> None:
    """Otherwise everything seems to be reused, and the added file is missing."""
    assert planned(recipe)["warnings"] == []
    (recipe.parent / "notes" / "two.jsonl").write_text('{"id": "2", "text": "another text"}\n')

    (warning,) = planned(recipe)["warnings"]
    result, _ = run_once(recipe, recipe.parent / "corpus")

    assert warning.startswith(
        "1 new file matches `path` of the source `notes` and is not registered, such as two.jsonl"
    )
    assert warning in result["warnings"]


@pytest.mark.parametrize(
    ("status", "reason"), [("interrupted", "the last run did not finish it"), (None, "its output was removed")]
)
def test_a_step_that_was_interrupted_was_not_removed(recipe: Path, status: str | None, reason: str) -> None:
    """After an interrupt, nothing was removed; after `gc` or by hand, something was."""
    workspace = Workspace(recipe.parent / "corpus")
    last = next(step for step in planned(recipe)["steps"] if step["name"].startswith("near_dedup"))
    if status is not None:
        workspace.update_run(workspace.runs()[0]["run"], status=status, version=None)

    (recipe.parent / "corpus" / "steps" / last["fingerprint"] / "manifest.json").unlink()

    assert {step["reason"] for step in planned(recipe)["steps"] if step["name"] == last["name"]} == {reason}
