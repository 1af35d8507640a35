"""`select` and `drop` of a source: they choose the parts of its pages that are extracted, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.engines.tasks import built
from corpusmill.pipelines.stages.extract import page as page_module
from corpusmill.schemas.errors import RecipeError
from tests.crawlers.sites import CONTACT, Answer, page, serve
from tests.shared_engines import SharedEngines
from tests.test_promises import run_once

MENU = "The menu of the day is soup, bread and a small salad with herbs from the garden."
NEWS = "The harbor reopened on Tuesday, after the storm had kept all ships in for a week."
AD = "Buy two lamps and take home three, only this week and only in our shop."
POLITE = f"contact: {CONTACT}, delay: 0, allow_private: true"


def article(text: str) -> Answer:
    return Answer(
        f"<title>t</title><div class=menu><p>{MENU}</p></div><article><p>{text}</p><p class=ad>{AD}</p></article>"
    )


def publish(folder: Path, *sources: str, stages: str = "[extract]", **options: Any) -> Version:
    folder.mkdir(exist_ok=True)
    recipe = folder / "recipe.yaml"
    lines = "".join(f"  - {source}\n" for source in sources)
    recipe.write_text(f"dataset: d\nsources:\n{lines}stages: {stages}\n")
    result, _ = run_once(recipe, folder / "corpus", **options)
    return version_in(Path(result["path"]))


def texts(version: Version) -> dict[str, str]:
    """Return the published texts by the last part of their id."""
    rows = [row for batch in version.batches("shard") for row in batch.to_pylist()]
    return {row["source"] + "/" + row["source_id"].rpartition("/")[2]: row["text"] for row in rows}


def rules(version: Version) -> dict[str, tuple[str, str]]:
    rows = [row for batch in version.batches("ledger") for row in batch.to_pylist()]
    return {row["source_id"].rpartition("/")[2]: (row["rule"], row["message"]) for row in rows}


@pytest.fixture
def build_again() -> Iterator[None]:
    """Let functions be built again, because those of other tests do not call what this test replaces."""
    built.cache_clear()
    yield
    built.cache_clear()


@pytest.mark.usefixtures("build_again")
def test_a_crawl_is_extracted_from_the_chosen_parts_and_changes_without_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page without a match is set aside with its selectors. Only the changed source is extracted again."""
    (tmp_path / "kept.html").write_text(f"<p>{NEWS}</p><p class=ad>{AD}</p>")
    kept = f"load: {{name: kept, format: html, path: {tmp_path}/kept.html, drop: [.ad]}}"
    extracted: list[str | None] = []

    def recorded(html: bytes, url: str | None, **options: Any) -> page_module.Page:
        extracted.append(url)
        return extract_page(html, url, **options)

    extract_page = page_module.extract_page
    monkeypatch.setattr(page_module, "extract_page", recorded)
    with serve({"/": page("/a", "/c"), "/a": article(NEWS), "/c": page(text=NEWS)}) as site:
        crawl = f"crawl: {{name: s, start_urls: ['{site.url}/'], {POLITE}"
        first = publish(tmp_path, f"{crawl}, select: [article], drop: [.ad]}}", kept)
        requests, extracted = len(site.seen), []
        second = publish(tmp_path, f"{crawl}, select: [.menu]}}", kept)

    assert texts(first) == {"s/a": NEWS, "kept/kept.html": NEWS}
    assert rules(first) == dict.fromkeys(("", "c"), ("extract.no_match", "no element matches article"))
    assert texts(second) == {"s/a": MENU, "kept/kept.html": NEWS}
    assert len(site.seen) == requests
    assert sorted(filter(None, extracted)) == [f"{site.url}/{rest}" for rest in ("", "a", "c")]
    assert None not in extracted


def test_the_selectors_of_a_source_come_before_those_of_the_stage(tmp_path: Path) -> None:
    """`select` is replaced, also that of a site; `drop` is added. Sources without selectors use those of the stage."""
    for name in ("own", "others"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.html").write_text(
            f"<main><p>{MENU}</p></main><div><p>{NEWS}</p><p class=ad>{AD}</p></div>"
        )
    sources = [
        f"load: {{name: own, format: html, path: '{tmp_path}/own/*.html', select: [div]}}",
        f"load: {{name: others, format: html, path: '{tmp_path}/others/*.html'}}",
    ]

    version = publish(tmp_path, *sources, stages="[extract: {select: [main], drop: [.ad]}]")

    assert texts(version) == {"own/p.html": NEWS, "others/p.html": MENU}


@pytest.mark.parametrize(
    ("name", "batch_rows"),
    [("local", 1), *(pytest.param(name, None, marks=pytest.mark.engine) for name in ("beam", "spark"))],
)
def test_engines_and_batches_change_nothing(
    tmp_path: Path, name: str, batch_rows: int | None, shared_engine: SharedEngines
) -> None:
    """Promise 1."""
    for number in range(5):
        (tmp_path / f"{number}.html").write_text(str(article(f"{NEWS} {number}").body))
    source = f"load: {{name: s, format: html, path: '{tmp_path}/*.html', select: [article], drop: [.ad]}}"

    one = publish(tmp_path / "one", source)
    other = publish(
        tmp_path / "other", source, engine=None if batch_rows else shared_engine(name), batch_rows=batch_rows
    )

    assert other.manifest.version == one.manifest.version
    assert texts(one)["s/3.html"] == f"{NEWS} 3"


@pytest.mark.parametrize(
    "source",
    [
        f"crawl: {{name: s, start_urls: ['https://example.org/'], contact: {CONTACT}, select: ['p >']}}",
        "load: {name: s, format: html, path: a.html, select: ['p >']}",
    ],
)
def test_an_invalid_selector_is_refused_when_the_recipe_is_read(tmp_path: Path, source: str) -> None:
    """With file, line, field, value, the position of the mistake, and a hint."""
    (tmp_path / "a.html").write_text("<p>a")

    with pytest.raises(RecipeError) as caught:
        publish(tmp_path, source)

    message = str(caught.value)
    assert "recipe.yaml:3: source 1 (`s`)" in message
    assert "field `select.0`: not a CSS selector: invalid character ' ' at position 1, got `p >`" in message
    assert caught.value.hint == "for example `select: [article]`"
