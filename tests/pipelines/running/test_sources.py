"""Sources are acquired once, and must not change afterwards."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import corpusmill
from corpusmill.pipelines.planning.sources import source_input
from corpusmill.pipelines.recipes.reading import LoadedRecipe, load_recipe
from corpusmill.pipelines.running.sources import acquire, refuse_changed
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError, RecipeError, UnfinishedError
from corpusmill.schemas.raw import RawManifest
from tests.corpora import write_project
from tests.crawlers.sites import CONTACT, Site, page, serve
from tests.test_promises import run_once

ACQUISITION = corpusmill.acquisition()
LOAD = "load: {name: notes, format: jsonl, path: notes, license: CC0-1.0, refresh: 7d}"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "one.jsonl").write_text('{"id": "1", "text": "one"}\n')
    return Workspace(tmp_path / "corpus")


def recipe_of(workspace: Workspace, source: str = LOAD) -> LoadedRecipe:
    path = workspace.root.parent / "recipe.yaml"
    path.write_text(f"dataset: d\nsources:\n  - {source}\nstages: [normalize]\n")
    return load_recipe(path, loaders=ACQUISITION.loaders)


def acquired(workspace: Workspace, source: str = LOAD, *, force: bool = False) -> RawManifest:
    """Acquire the only source of a recipe."""
    loaded = recipe_of(workspace, source)
    return acquire(loaded, loaded.recipe.sources[0], workspace, ACQUISITION, force=force)


def names(manifest: RawManifest) -> list[str]:
    return [file.name for file in manifest.files]


def made_older(workspace: Workspace, source: str, by: timedelta) -> None:
    """Change the manifest of *source* as if it had been acquired earlier."""
    manifest = workspace.raw_manifest(source)
    assert manifest is not None
    older = manifest.model_copy(update={"created_at": manifest.created_at - by})
    workspace.raw(source).write("manifest.json", older.model_dump_json())


def test_an_acquired_source_is_not_acquired_again(workspace: Workspace) -> None:
    """Runs use the same bytes; new files are only registered on request."""
    first = acquired(workspace)
    (workspace.root.parent / "notes" / "two.jsonl").write_text('{"id": "2", "text": "two"}\n')

    assert acquired(workspace) == first
    assert names(acquired(workspace, force=True)) == ["one.jsonl", "two.jsonl"]


@pytest.mark.parametrize(("age", "files"), [(timedelta(days=6), 1), (timedelta(days=8), 2)])
def test_a_source_older_than_its_refresh_is_acquired_again(workspace: Workspace, age: timedelta, files: int) -> None:
    """`refresh: 7d` is the maximum age of the files."""
    acquired(workspace)
    (workspace.root.parent / "notes" / "two.jsonl").write_text('{"id": "2", "text": "two"}\n')
    made_older(workspace, "notes", age)

    assert len(acquired(workspace).files) == files


def test_another_source_of_the_same_name_is_refused(workspace: Workspace) -> None:
    """Both sources would have documents with the same ids. `refresh` does not define a source."""
    first = acquired(workspace)

    with pytest.raises(RecipeError, match=r"the source `notes` has another definition .*: license differ"):
        acquired(workspace, LOAD.replace("CC0-1.0", "MIT"))

    assert acquired(workspace, LOAD.replace("7d", "9d")) == first


def test_a_source_is_acquired_by_one_process_at_a_time(workspace: Workspace) -> None:
    """A crawl must not overwrite an unfinished one."""
    workspace.make()

    with workspace.lock("source", "notes"), pytest.raises(UnfinishedError, match="source `notes`"):
        acquired(workspace)

    assert workspace.raw_manifest("notes") is None


def crawl_of(site: Site) -> str:
    options = f'name: site, start_urls: ["{site.url}/"], contact: "{CONTACT}", delay: 0, allow_private: true'
    return f"crawl: {{{options}}}"


def test_an_unfinished_crawl_is_resumed(workspace: Workspace) -> None:
    """A finished crawl sends no further request."""
    with serve({"/": page("/a"), "/a": page()}) as site:
        first = acquired(workspace, crawl_of(site))
        requests = len(site.paths)
        again = acquired(workspace, crawl_of(site))
        unfinished = first.model_copy(update={"finished": False})
        workspace.raw("site").write("manifest.json", unfinished.model_dump_json())

        resumed = acquired(workspace, crawl_of(site))

    assert (first.finished, first.counts["pages"], again) == (True, 2, first)
    assert resumed.finished
    assert len(site.paths) > requests


def test_a_planned_source_has_loader_parameters_and_license(workspace: Workspace) -> None:
    """All of them affect the records, so they are part of the address."""
    loaded = recipe_of(workspace, LOAD.replace("refresh: 7d", "text_field: body"))
    (source,) = loaded.recipe.sources
    manifest = acquire(loaded, source, workspace, ACQUISITION)

    planned = source_input(loaded, source, manifest, workspace, ACQUISITION.loaders)

    assert (planned.name, planned.license, planned.raw) == ("notes", "CC0-1.0", workspace.raw("notes"))
    assert planned.loader == ACQUISITION.loaders["jsonl"]
    assert '"text_field":"body"' in planned.params


@pytest.mark.parametrize("text", [None, '{"id": "1", "text": "two"}\n'])
def test_a_missing_or_changed_file_is_named(workspace: Workspace, text: str | None) -> None:
    """Its records would differ; equal bytes written later are accepted."""
    loaded = recipe_of(workspace)
    (source,) = loaded.recipe.sources
    manifest = acquire(loaded, source, workspace, ACQUISITION)
    inputs = [source_input(loaded, source, manifest, workspace, ACQUISITION.loaders)]
    file = workspace.root.parent / "notes" / "one.jsonl"
    file.write_text(file.read_text())
    refuse_changed(loaded, ACQUISITION, inputs)

    file.unlink()
    if text is not None:
        file.write_text(text)

    with pytest.raises(DamagedFileError, match="1 of 1 files of the source `notes` changed") as caught:
        refuse_changed(loaded, ACQUISITION, inputs)
    assert caught.value.file == str(file)
    assert str(caught.value.hint).startswith(f"`corpusmill load {loaded.path} --source notes`")


def test_a_file_that_changed_since_it_was_loaded_is_named(tmp_path: Path) -> None:
    """The file no longer matches the manifest, so nothing is published."""
    recipe = write_project(tmp_path / "project")
    run_once(recipe, tmp_path / "workspace")
    changed = next((tmp_path / "project" / "lines").iterdir())
    changed.write_bytes(changed.read_bytes() + b'{"id": "late", "text": "x"}\n')

    with pytest.raises(DamagedFileError, match=changed.name) as caught:
        run_once(recipe, tmp_path / "workspace")

    assert "corpusmill load" in str(caught.value.hint)
