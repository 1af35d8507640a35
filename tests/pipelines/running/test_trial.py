"""Trying one document: the stages do the same as in a run, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import corpusmill
from corpusmill.pipelines.recipes.reading import load_recipe
from corpusmill.pipelines.running.sources import acquire
from corpusmill.pipelines.running.trial import MAX_RECORDS, trial
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UsageError
from tests.corpora import records
from tests.crawlers.sites import CONTACT, page, serve

ACQUISITION = corpusmill.acquisition()
SOURCE = "load: {name: lines, format: jsonl, path: lines.jsonl}"
STAGES = "[extract, normalize, language: {min_score: 0.2}, quality, pii, exact_dedup, near_dedup]"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A file of ten records, of which number 7 has personal data and number 9 is too short."""
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in records(10)))
    return path


def tried(document: str | Path, folder: Path, *, source: str = SOURCE) -> list[dict[str, Any]]:
    recipe = folder / "recipe.yaml"
    recipe.write_text(f"dataset: d\nsources:\n  - {source}\nstages: {STAGES}\n")
    return trial(recipe, str(document), workspace=Workspace(folder / "corpus"), acquisition=ACQUISITION)


def one_record(number: int, folder: Path) -> Path:
    """Write the record *number* to a separate file."""
    path = folder / "one.jsonl"
    path.write_text(json.dumps(records(10)[number]) + "\n")
    return path


def test_a_document_is_shown_at_every_stage(lines: Path, tmp_path: Path) -> None:
    """The result has the changes and signals of each stage, except for stages that compare documents."""
    (result,) = tried(one_record(7, tmp_path), tmp_path)

    stages = {stage["stage"]: stage for stage in result["stages"]}
    assert list(stages) == [
        *("read", "extract", "normalize", "language.measure", "language", "quality.measure", "quality", "pii"),
        *("exact_dedup", "near_dedup"),
    ]
    assert [stage["verdict"] for stage in stages.values()] == ["kept"] * 8 + ["skipped"] * 2
    assert stages["language.measure"]["columns"]["language"] == "en"
    assert stages["quality.measure"]["columns"]["gopher.word_count"] > 50
    assert stages["pii"]["columns"]["pii.email"] == 1
    assert stages["pii"]["change"].endswith("characters")
    assert stages["near_dedup"]["change"] == "compares documents"
    assert "<EMAIL>" in result["text"]
    assert (result["source_id"], result["title"], result["loader"]) == ("record-7", "Record 7", "lines")
    assert not (tmp_path / "corpus").exists()


def test_a_rejected_document_skips_the_later_stages(lines: Path, tmp_path: Path) -> None:
    """Like in a run, it has one verdict, with value, bound and text."""
    (result,) = tried(one_record(9, tmp_path), tmp_path)

    stages = {stage["stage"]: stage for stage in result["stages"]}
    (rejected,) = [stage for stage in result["stages"] if stage["verdict"] == "rejected"]
    assert (rejected["stage"], rejected["rule"], rejected["threshold"]) == ("quality", "gopher.word_count", 50)
    assert rejected["value"] == len(records(10)[9]["text"].split())
    assert stages["pii"]["verdict"] == "passed by"
    assert [stages["near_dedup"][name] for name in ("verdict", "rule", "value")] == ["skipped", None, None]
    assert "pii.email" not in {name for name, value in stages["pii"]["columns"].items() if value is not None}


def test_a_record_that_cannot_be_read_is_rejected_where_it_is_read(lines: Path, tmp_path: Path) -> None:
    """The rule is the same as in the ledger."""
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(b"{not json\n")

    (result,) = tried(broken, tmp_path)

    assert [(result["stages"][0][name]) for name in ("stage", "verdict", "rule")] == [
        "read",
        "rejected",
        "error.not_json",
    ]
    assert {stage["verdict"] for stage in result["stages"][1:]} == {"passed by", "skipped"}


def test_of_a_file_with_many_records_the_first_are_shown(lines: Path, tmp_path: Path) -> None:
    """A file may have millions of records."""
    ways = tried(lines, tmp_path)

    assert [result["source_id"] for result in ways] == [f"record-{number}" for number in range(MAX_RECORDS)]


def test_a_page_is_read_by_every_recipe(lines: Path, tmp_path: Path) -> None:
    """If no source of the recipe reads HTML, the loader is selected by the name of the file."""
    path = tmp_path / "page.html"
    path.write_text("<title>Tide</title><p>" + "The harbour reopened on Tuesday after the storm. " * 5)

    (result,) = tried(path, tmp_path)

    assert (result["loader"], result["title"]) == ("html", "Tide")
    assert result["text"].startswith("The harbour reopened")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("missing.jsonl", "there is no file"),
        ("picture.png", r"no source of the recipe reads picture\.png"),
        ("https://example.org/", "no crawled page has the URL"),
    ],
)
def test_an_invalid_document_is_refused_with_the_valid_ones(
    lines: Path, tmp_path: Path, document: str, message: str
) -> None:
    """Valid documents are files with a known format, and crawled pages."""
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n")
    target = document if "://" in document else tmp_path / document

    with pytest.raises(UsageError, match=message) as caught:
        tried(target, tmp_path)

    assert caught.value.hint


def test_a_crawled_page_is_found_by_its_url(tmp_path: Path) -> None:
    """The page is read from the archive, without another request."""
    text = "The harbour reopened on Tuesday after the storm. " * 5
    with serve({"/": page("/a"), "/a": page(text=text)}) as site:
        options = f'name: site, start_urls: ["{site.url}/"], contact: "{CONTACT}", delay: 0, allow_private: true'
        source = f"crawl: {{{options}}}"
        with pytest.raises(UsageError, match="no crawled page"):
            tried(f"{site.url}/a", tmp_path, source=source)
        loaded = load_recipe(tmp_path / "recipe.yaml", loaders=ACQUISITION.loaders)
        acquire(loaded, loaded.recipe.sources[0], Workspace(tmp_path / "corpus"), ACQUISITION)
        url = f"{site.url}/a"

    (result,) = tried(url, tmp_path, source=source)

    assert (result["url"], result["loader"]) == (url, "site")
    assert result["text"].startswith("The harbour reopened")
