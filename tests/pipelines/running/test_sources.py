"""Sources are got once, and are what they were when they were got."""

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


def got(workspace: Workspace, source: str = LOAD, *, force: bool = False) -> RawManifest:
    """Get the one source of a recipe."""
    loaded = recipe_of(workspace, source)
    return acquire(loaded, loaded.recipe.sources[0], workspace, ACQUISITION, force=force)


def names(manifest: RawManifest) -> list[str]:
    return [file.name for file in manifest.files]


def made_older(workspace: Workspace, source: str, by: timedelta) -> None:
    """Write the manifest of *source* as it would be, had it been got earlier."""
    manifest = workspace.raw_manifest(source)
    assert manifest is not None
    older = manifest.model_copy(update={"created_at": manifest.created_at - by})
    workspace.raw(source).write("manifest.json", older.model_dump_json())


def test_what_was_got_is_not_got_again(workspace: Workspace) -> None:
    """A run goes on from the same bytes: new files wait until somebody asks for them."""
    first = got(workspace)
    (workspace.root.parent / "notes" / "two.jsonl").write_text('{"id": "2", "text": "two"}\n')

    assert got(workspace) == first
    assert names(got(workspace, force=True)) == ["one.jsonl", "two.jsonl"]


@pytest.mark.parametrize(("age", "files"), [(timedelta(days=6), 1), (timedelta(days=8), 2)])
def test_a_source_older_than_its_refresh_is_got_again(workspace: Workspace, age: timedelta, files: int) -> None:
    """`refresh: 7d` is the age up to which the files are good."""
    got(workspace)
    (workspace.root.parent / "notes" / "two.jsonl").write_text('{"id": "2", "text": "two"}\n')
    made_older(workspace, "notes", age)

    assert len(got(workspace).files) == files


def test_another_source_of_the_same_name_is_refused(workspace: Workspace) -> None:
    """Its documents would have the ids of the first one's; the age at which it is got again does not define it."""
    first = got(workspace)

    with pytest.raises(RecipeError, match=r"the source `notes` has another definition .*: license differ"):
        got(workspace, LOAD.replace("CC0-1.0", "MIT"))

    assert got(workspace, LOAD.replace("7d", "9d")) == first


def test_two_do_not_get_one_source(workspace: Workspace) -> None:
    """Half of a crawl may not be overwritten by another one."""
    workspace.make()

    with workspace.lock("source", "notes"), pytest.raises(UnfinishedError, match="source `notes`"):
        got(workspace)

    assert workspace.raw_manifest("notes") is None


def crawl_of(site: Site) -> str:
    options = f'name: site, start_urls: ["{site.url}/"], contact: "{CONTACT}", delay: 0, allow_private: true'
    return f"crawl: {{{options}}}"


def test_a_crawl_that_was_not_finished_goes_on(workspace: Workspace) -> None:
    """Finished, it is left alone: the site sees no request."""
    with serve({"/": page("/a"), "/a": page()}) as site:
        first = got(workspace, crawl_of(site))
        requests = len(site.paths)
        again = got(workspace, crawl_of(site))
        unfinished = first.model_copy(update={"finished": False})
        workspace.raw("site").write("manifest.json", unfinished.model_dump_json())

        resumed = got(workspace, crawl_of(site))

    assert (first.finished, first.counts["pages"], again) == (True, 2, first)
    assert resumed.finished
    assert len(site.paths) > requests


def test_a_plan_knows_of_a_source_its_loader_with_parameters_and_license(workspace: Workspace) -> None:
    """All of it decides what is read, so all of it is part of the address."""
    loaded = recipe_of(workspace, LOAD.replace("refresh: 7d", "text_field: body"))
    (source,) = loaded.recipe.sources
    manifest = acquire(loaded, source, workspace, ACQUISITION)

    given = source_input(loaded, source, manifest, workspace, ACQUISITION.loaders)

    assert (given.name, given.license, given.raw) == ("notes", "CC0-1.0", workspace.raw("notes"))
    assert given.loader == ACQUISITION.loaders["jsonl"]
    assert '"text_field":"body"' in given.params


@pytest.mark.parametrize("text", [None, '{"id": "1", "text": "two"}\n'])
def test_a_file_that_is_gone_or_has_another_content_is_named(workspace: Workspace, text: str | None) -> None:
    """It is not what its records were made from; equal bytes written later are."""
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
    """What the manifest promises is not there any more: nothing is published."""
    recipe = write_project(tmp_path / "project")
    run_once(recipe, tmp_path / "workspace")
    changed = next((tmp_path / "project" / "lines").iterdir())
    changed.write_bytes(changed.read_bytes() + b'{"id": "late", "text": "x"}\n')

    with pytest.raises(DamagedFileError, match=changed.name) as caught:
        run_once(recipe, tmp_path / "workspace")

    assert "corpusmill load" in str(caught.value.hint)
