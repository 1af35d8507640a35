"""After a recrawl, a run processes what changed, and each difference between the versions has its reason."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

import corpusmill
from corpusmill.command import cli
from corpusmill.pipelines.dataset.diff import diff
from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.planning.explain import explain_plan
from corpusmill.pipelines.recipes.reading import load_recipe
from corpusmill.pipelines.running.sources import acquire
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.recrawl.sites import articles, tagged
from tests.crawlers.sites import CONTACT, Answer, Site, page, serve
from tests.shared_engines import SharedEngines
from tests.test_promises import run_once

ACQUISITION = corpusmill.acquisition()
NAMES = [f"page-{number}" for number in range(12)]


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(articles(*NAMES)) as site:
        yield site


@pytest.fixture
def recipe(site: Site, tmp_path: Path) -> Path:
    source = f"name: s, start_urls: ['{site.url}/'], contact: {CONTACT}, delay: 0, allow_private: true, refresh: 1d"
    path = tmp_path / "recipe.yaml"
    path.write_text(f"dataset: d\nsources:\n  - crawl: {{{source}}}\nstages: [extract, normalize, exact_dedup]\n")
    return path


def recrawl(recipe: Path) -> RawManifest:
    """Do what `corpusmill crawl --recrawl` does."""
    loaded = load_recipe(recipe, loaders=ACQUISITION.loaders)
    (source,) = loaded.recipe.sources
    workspace = Workspace(recipe.parent / "corpus")
    return acquire(loaded, source, workspace, ACQUISITION, force=True, recrawl=True)


def run(recipe: Path) -> tuple[dict[str, Any], Version]:
    result, _ = run_once(recipe, recipe.parent / "corpus")
    return result, version_in(Path(result["path"]))


def paths(rows: list[dict[str, Any]]) -> set[str]:
    return {urlsplit(row["url"]).path for row in rows}


def test_a_run_after_a_recrawl_of_an_unchanged_site_reuses_everything(recipe: Path, site: Site) -> None:
    """A source that is as old as its `refresh` is recrawled by the run. An equal version has an equal id."""
    first, _ = run(recipe)
    workspace = Workspace(recipe.parent / "corpus")
    manifest = workspace.raw_manifest("s")
    assert manifest is not None
    older = manifest.model_copy(update={"created_at": manifest.created_at - timedelta(hours=22)})
    workspace.raw("s").write("manifest.json", older.model_dump_json())
    assert explain_plan(recipe, workspace=workspace, acquisition=ACQUISITION)["sources_due"] == ["s"]
    asked = len(site.seen)

    second, _ = run(recipe)

    assert second["status"] == "unchanged"
    assert second["version"] == first["version"]
    assert all(step["cached"] for step in second["steps"])
    pages = [headers for path, headers in zip(site.paths, site.headers, strict=True) if "page-" in path][-len(NAMES) :]
    assert len(site.seen) - asked == len(NAMES) + 4
    assert all("If-None-Match" in headers for headers in pages)


def test_exactly_what_changed_on_the_site_is_in_the_difference(recipe: Path, site: Site) -> None:
    """Documents that left have the rule of their page; the others are as they were."""
    _, first = run(recipe)
    site.answers |= articles(*NAMES, "new-1", "new-2")
    for name in NAMES[:3]:
        site.answers[f"/{name}"] = tagged(page(text=f"The page {name} has another text now."))
    for name in NAMES[3:5]:
        del site.answers[f"/{name}"]

    recrawl(recipe)
    _, second = run(recipe)
    recrawl(recipe)
    result, third = run(recipe)

    found = diff(first, second, examples=20)
    assert (found["added"], found["removed"], found["changed"], found["unchanged"]) == (2, 0, 4, 9)
    assert paths(found["examples"]["added"]) == {"/new-1", "/new-2"}
    assert paths(found["examples"]["changed"]) == {"/", *(f"/{name}" for name in NAMES[:3])}
    assert result["gone"] == {"gone.404": 2}
    left = diff(second, third, examples=20)
    assert (left["added"], left["removed"], left["changed"], left["unchanged"]) == (0, 2, 0, 13)
    # of the start page and three other pages an earlier capture, and of two pages that are gone the only one
    assert (first.manifest.counts.earlier, third.manifest.counts.earlier) == (0, 6)
    assert third.manifest.counts.ledger == 6
    again, _ = run_once(recipe, recipe.parent / "corpus", fresh=True, batch_rows=1)
    assert again["version"] == result["version"]
    assert paths(left["examples"]["removed"]) == {f"/{name}" for name in NAMES[3:5]}
    assert left["by_rule"] == {"gone.404": {"removed": 2, "added": 0}}
    assert [step["cached"] for step in result["steps"] if step["name"] in ("extract", ":optouts")] == [True, True]
    explained = explain(f"{site.url}/{NAMES[3]}", Workspace(recipe.parent / "corpus"))
    last = explained["trail"][-1]
    assert (explained["status"], last["stage"], last["rule"]) == ("rejected", "crawl", "gone.404")
    site.answers |= articles(NAMES[3])
    recrawl(recipe)
    assert paths(diff(third, run(recipe)[1])["examples"]["added"]) == {f"/{NAMES[3]}"}


def test_a_page_that_opts_out_later_leaves_the_next_version(recipe: Path, site: Site) -> None:
    """An earlier capture without the opt-out must not take its place."""
    _, first = run(recipe)
    site.answers["/page-0"].headers["X-Robots-Tag"] = "noai"
    robots = "User-agent: GPTBot\nDisallow: /page-1$\n"
    site.answers["/robots.txt"] = Answer(robots, headers={"Content-Type": "text/plain"})

    recrawl(recipe)
    _, second = run(recipe)

    left = diff(first, second, examples=20)
    assert (left["added"], left["changed"]) == (0, 0)
    assert paths(left["examples"]["removed"]) == {"/page-0", "/page-1"}
    assert left["by_rule"].keys() == {"optout.noai", "optout.agents"}


@pytest.mark.engine
@pytest.mark.parametrize("name", ["beam", pytest.param("spark", marks=pytest.mark.slow)])
def test_engines_agree_about_pages_that_are_gone(
    recipe: Path, site: Site, tmp_path: Path, shared_engine: SharedEngines, name: str
) -> None:
    """Promise 1, with the steps that exist only after a page is gone."""
    run(recipe)
    del site.answers["/page-0"]
    for _ in range(2):
        recrawl(recipe)
    expected, version = run(recipe)

    shutil.copytree(tmp_path / "corpus" / "raw", tmp_path / name / "raw")
    result, _ = run_once(recipe, tmp_path / name, engine=shared_engine(name))

    assert result["version"] == expected["version"]
    assert version.manifest.counts.ledger == 1


@pytest.mark.slow
def test_the_command_says_what_a_recrawl_found(recipe: Path, site: Site) -> None:
    """Without an earlier crawl it is a crawl, and says so."""
    arguments = ["crawl", str(recipe), "--recrawl", "--workspace", str(recipe.parent / "corpus")]
    first = CliRunner().invoke(cli, arguments)
    site.answers |= articles(*NAMES, "new")

    second = CliRunner().invoke(cli, arguments)

    assert "s: there was no finished crawl of this definition, so every page was fetched" in first.stderr
    assert "s: crawled 13 pages, 0 redirects, " in first.stdout
    assert "every page was fetched" not in second.stderr
    assert "s: recrawled 14 pages, 0 redirects, " in second.stdout
    assert "  pages: 1 changed, 1 new, 0 gone, 12 stored already, 0 carried over" in second.stdout


def test_the_hint_for_a_damaged_archive_names_the_command_for_crawls(recipe: Path) -> None:
    """`load` has no source that is crawled."""
    run(recipe)
    archive = recipe.parent / "corpus" / "raw" / "s" / "s-00000.warc.gz"
    archive.write_bytes(archive.read_bytes() + b"more")

    with pytest.raises(DamagedFileError) as raised:
        run(recipe)

    assert raised.value.hint == f"`corpusmill crawl {recipe} --source s --recrawl` fetches their pages again"
