"""Sources are acquired once, and must not change afterwards."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

import corpusmill
from corpusmill.pipelines.engines.driver import Silent
from corpusmill.pipelines.planning.definitions import describe_change
from corpusmill.pipelines.planning.sources import new_files_warnings, refuse_changed, source_input
from corpusmill.pipelines.projects.init import init
from corpusmill.pipelines.recipes.reading import LoadedRecipe, load_recipe
from corpusmill.pipelines.running.sources import acquire
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError, RecipeError, SourceError, UnfinishedError
from corpusmill.schemas.raw import RawManifest
from tests.corpora import write_project
from tests.crawlers.sites import CONTACT, SITE_FILES, Site, page, serve
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


def acquired(
    workspace: Workspace, source: str = LOAD, *, force: bool = False, copy: bool = False, observer: Silent | None = None
) -> RawManifest:
    """Acquire the only source of a recipe."""
    loaded = recipe_of(workspace, source)
    (only,) = loaded.recipe.sources
    return acquire(loaded, only, workspace, ACQUISITION, force=force, copy=copy, observer=observer)


class Changes(Silent):
    """Records why sources are acquired again."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def source_changed(self, source: str, change: str) -> None:
        self.messages.append(change)


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


def test_a_corrected_definition_registers_the_files_again(workspace: Workspace) -> None:
    """The hint for a wrong field is to correct it. `refresh` does not define a source."""
    first = acquired(workspace)
    changes = Changes()

    corrected = acquired(workspace, LOAD.replace("CC0-1.0", "MIT"), observer=changes)

    change = "`license` was `CC0-1.0` when `notes` was first loaded and is `MIT` now"
    assert changes.messages == [f"{change}; its files are registered again"]
    assert (corrected.definition["license"], corrected.files) == ("MIT", first.files)
    assert acquired(workspace, LOAD.replace("CC0-1.0", "MIT").replace("7d", "9d"), observer=changes) == corrected
    assert len(changes.messages) == 1


def test_several_changes_are_in_one_sentence(workspace: Workspace) -> None:
    """Values are written as in the recipe, and a field that was absent is not shown as `None`."""
    first = acquired(workspace)
    loaded = recipe_of(workspace, "load: {name: notes, format: jsonl, path: [notes], text_field: body, refresh: 7d}")

    change = describe_change(loaded.recipe.sources[0], first)

    assert change == (
        "`license` was `CC0-1.0` when `notes` was first loaded and is not set now; "
        "`path` was `notes` and is `[notes]` now; `text_field` was `text` and is `body` now"
    )


def test_a_name_has_one_definition_in_all_recipes_of_a_workspace(workspace: Workspace) -> None:
    """Ids contain the name, so unrelated documents of two recipes could have the same id."""
    acquired(workspace)
    other = workspace.root.parent / "other.yaml"
    other.write_text((workspace.root.parent / "recipe.yaml").read_text())
    workspace.make()
    workspace.start_run(dataset="d", recipe=str(other), engine="local")

    for force in (False, True):
        with pytest.raises(RecipeError, match=r"recipe\.yaml:3: .*`MIT` now; .*other\.yaml still has") as caught:
            acquired(workspace, LOAD.replace("CC0-1.0", "MIT"), force=force)
    assert (caught.value.exit_code, "use another workspace" in str(caught.value.hint)) == (2, True)
    other.unlink()

    assert acquired(workspace, LOAD.replace("CC0-1.0", "MIT")).definition["license"] == "MIT"


def test_copies_of_files_that_are_gone_are_not_dropped(workspace: Workspace) -> None:
    """The copy is the only one left. `load` drops it on request; copies whose files exist are copied again."""
    acquired(workspace, copy=True, force=True)
    mit = LOAD.replace("CC0-1.0", "MIT")
    again = acquired(workspace, mit)
    assert [file.is_in_place for file in again.files] == [False]

    (workspace.root.parent / "notes" / "one.jsonl").rename(workspace.root.parent / "notes" / "two.jsonl")
    with pytest.raises(RecipeError, match=r"1 copied file is no longer at `path`, such as one\.jsonl") as caught:
        acquired(workspace)

    assert f"corpusmill load {workspace.root.parent / 'recipe.yaml'} --source notes" in str(caught.value.hint)
    assert names(acquired(workspace, force=True)) == ["two.jsonl"]


def test_a_changed_definition_exports_again(workspace: Workspace) -> None:
    """The template `code` runs on its sample, and then on a repository of the user: only `path` changes."""
    for name in ("sample", "real"):
        init(workspace.root.parent / name, template="code", loaders=ACQUISITION.loaders)
    first = acquired(workspace, "load: {name: code, format: git, path: sample/repository}")

    again = acquired(workspace, "load: {name: code, format: git, path: real/repository, license: MIT}")

    assert (len(first.files), len(again.files)) == (1, 1)
    assert (again.definition["path"], again.definition["license"]) == ("real/repository", "MIT")


def test_a_crawl_cannot_become_files(workspace: Workspace) -> None:
    """Their ids would have another form, also if the user asks for it."""
    first = acquired(workspace)
    crawl = first.model_copy(update={"kind": "crawl"})
    workspace.raw("notes").write("manifest.json", crawl.model_dump_json())

    with pytest.raises(RecipeError, match="`kind` was `crawl` when `notes` was first crawled and is `load` now"):
        acquired(workspace, force=True)


def test_new_files_are_reported_without_a_registration(workspace: Workspace) -> None:
    """Otherwise a document that a user added is missing without a word."""
    loaded = recipe_of(workspace)
    manifest = acquired(workspace)
    folder = workspace.root.parent / "notes"
    assert new_files_warnings(loaded, ACQUISITION, {"notes": manifest}) == []

    for name in ("two", "three"):
        (folder / f"{name}.jsonl").write_text('{"id": "2", "text": "two"}\n')
        warning = new_files_warnings(loaded, ACQUISITION, {"notes": manifest})
    shutil.rmtree(folder)

    command = f"`corpusmill load {loaded.path} --source notes`"
    assert warning == [
        "2 new files match `path` of the source `notes` and are not registered, such as three.jsonl: run " + command
    ]
    assert new_files_warnings(loaded, ACQUISITION, {"notes": manifest}) == []


def test_a_source_is_acquired_by_one_process_at_a_time(workspace: Workspace) -> None:
    """A crawl must not overwrite an unfinished one."""
    workspace.make()

    with workspace.lock("source", "notes"), pytest.raises(UnfinishedError, match="source `notes`"):
        acquired(workspace)

    assert workspace.raw_manifest("notes") is None


def crawl_of(site: Site, options: str = "allow_private: true") -> str:
    return f'crawl: {{name: site, start_urls: ["{site.url}/"], contact: "{CONTACT}", delay: 0, {options}}}'


def test_a_crawl_without_pages_takes_another_definition(workspace: Workspace) -> None:
    """The hint for a private address is a change of the definition."""
    changes = Changes()
    with serve({"/": page()}) as site:
        with pytest.raises(SourceError, match="nothing could be fetched"):
            acquired(workspace, crawl_of(site, "max_pages: 5"))
        manifest = acquired(workspace, crawl_of(site, "allow_private: true, max_pages: 5"), observer=changes)

    assert changes.messages == ["`allow_private` was `false` when `site` was first crawled and is `true` now"]
    assert manifest.counts["pages"] == 1


def test_a_list_of_urls_that_vanished_is_a_mistake_in_the_recipe(workspace: Workspace) -> None:
    """The recipe can be read when a crawl exists, so the crawl itself must name the place."""
    folder = workspace.root.parent
    with serve({"/": page()}) as site:
        (folder / "urls.txt").write_text(f"{site.url}/\n")
        source = f'crawl: {{name: site, urls: urls.txt, contact: "{CONTACT}", delay: 0, allow_private: true}}'
        acquired(workspace, source)
        loaded = recipe_of(workspace, source)
        (folder / "urls.txt").rename(folder / "urls.text")

        with pytest.raises(RecipeError) as caught:
            acquire(loaded, loaded.recipe.sources[0], workspace, ACQUISITION, force=True)

    error = caught.value
    assert (error.exit_code, error.line, error.value) == (2, 3, "urls.txt")
    assert (error.file, error.field) == (str(loaded.path), "sources.0.crawl.urls")
    assert str(error) == f"{loaded.path}:3: field `urls`: no file matches urls.txt"
    assert error.hint is not None
    assert "urls.text" in error.hint


def test_a_crawl_without_an_address_names_the_field_that_has_none(workspace: Workspace) -> None:
    """It has no `start_urls` that could be corrected."""
    (workspace.root.parent / "urls.txt").write_text("# none yet\n")

    with pytest.raises(SourceError) as caught:
        acquired(workspace, f'crawl: {{name: site, urls: urls.txt, contact: "{CONTACT}", delay: 0}}')

    error = caught.value
    assert (error.field, error.line, error.value) == ("sources.0.crawl.urls", 3, "urls.txt")
    assert error.hint == "name at least one address of a page in `urls`"


@pytest.mark.parametrize("budget", ["max_pages: {}", "budgets: {{per_host: {{pages: {}}}}}"])
def test_a_crawl_that_ended_at_its_budget_can_be_extended(budget: str, workspace: Workspace) -> None:
    """The archived pages stay, and are not fetched again."""
    options = f"allow_private: true, {budget}"
    with serve({"/": page("/a", "/b", "/c"), "/a": page(), "/b": page(), "/c": page()}) as site:
        first = acquired(workspace, crawl_of(site, options.format(2)))
        before = list(site.paths)
        extended = acquired(workspace, crawl_of(site, options.format(3)))
        fetched = site.paths[len(before) :]
        crawled_again = acquired(workspace, crawl_of(site, options.format(3)), force=True)

    assert (first.counts["pages"], extended.counts["pages"]) == (2, 3)
    assert len(set(fetched) - SITE_FILES) == 1
    assert not set(fetched) & set(before) - SITE_FILES
    assert extended.files[: len(first.files)] == first.files
    assert len(extended.files) == 2
    assert site.paths.count("/") == 2
    assert crawled_again.counts["pages"] == 3


@pytest.mark.parametrize("change", ["max_pages: 1", "max_pages: 2, deny: [/b]", "max_pages: 2, budgets: {queued: 9}"])
def test_a_crawl_with_pages_keeps_its_definition_until_it_is_repeated(change: str, workspace: Workspace) -> None:
    """Its pages would be discarded; `crawl` does so on request."""
    with serve({"/": page("/a", "/b"), "/a": page(), "/b": page()}) as site:
        first = acquired(workspace, crawl_of(site, "allow_private: true, max_pages: 2"))
        changed = crawl_of(site, f"allow_private: true, {change}")
        with pytest.raises(RecipeError, match=r"source `site`: `\w+` was .* when `site` was first crawled") as caught:
            acquired(workspace, changed)
        assert workspace.raw_manifest("site") == first
        again = acquired(workspace, changed, force=True)

    assert "`corpusmill crawl " in str(caught.value.hint)
    assert again.files != first.files


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
