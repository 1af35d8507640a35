from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset as ds
import pytest
import yaml

from corpusmill.pipelines.reports.card import card, write_card
from corpusmill.pipelines.reports.statistics import statistics
from tests.pipelines.reports.corpus import Capture, make_version


@pytest.fixture(scope="session")
def text(version: Path) -> str:
    return (version / "README.md").read_text()


def front(text: str) -> dict[str, Any]:
    _, yaml_text, _ = text.split("---\n", 2)
    loaded: dict[str, Any] = yaml.safe_load(yaml_text)
    return loaded


def test_front_matter_lists_the_files_of_each_split(text: str, version: Path) -> None:
    """A hub loads the data set by these patterns, so each must match."""
    matter = front(text)

    files = matter["configs"][0]["data_files"]
    assert [item["split"] for item in files] == ["train", "validation", "test"]
    assert [config["config_name"] for config in matter["configs"]] == ["default", "ledger", "origin", "signals"]
    assert all(list(version.glob(item["path"])) for config in matter["configs"] for item in config["data_files"])
    assert matter["size_categories"] == ["n<1K"]
    assert matter["language"] == ["en", "fr"]
    assert matter["license"] == "other"


def test_side_tables_of_stages_are_listed_with_their_columns(tmp_path: Path) -> None:
    """Users see the files in the folder and need to know their content."""
    text = card(statistics(make_version(tmp_path / "v", spans=True)))

    line = next(line for line in text.splitlines() if line.startswith("| `shouting.spans-*.parquet` |"))
    assert "the stage `shouting`" in line
    assert line.endswith(r"`id` (string), `start` (int64), `words` (list\<string\>) |")
    assert "shouting.spans" in [config["config_name"] for config in front(text)["configs"]]


def test_a_license_of_all_documents_is_that_of_the_data_set(tmp_path: Path) -> None:
    """This holds only if every document has the license."""
    items = [Capture("s", str(index), f"text {index}", license="CC-BY-SA-4.0") for index in range(9)]

    one = card(statistics(make_version(tmp_path / "one", items)))
    mixed = card(statistics(make_version(tmp_path / "mixed", [*items, Capture("s", "x", "without")])))

    assert front(one)["license"] == "cc-by-sa-4.0"
    assert front(mixed)["license"] == "other"


def test_the_card_lists_every_stage_and_source(text: str) -> None:
    """Readers need the sources, and the stages with their parameters."""
    for stage in ("extract", "normalize", "language", "quality", "pii", "exact_dedup", "near_dedup"):
        assert f"**{stage}**" in text
    for section in ("How to load it", "Sources", "Licenses", "Personal data", "Known limits", "How to cite"):
        assert f"## {section}" in text
    assert "| quality | 370 | 290 | 80 |" in text
    assert "| site | crawl, warc | 235 | 150 |" in text


def test_the_card_counts_the_records_that_are_not_documents(version: Path) -> None:
    """Who counts the pages of a dump finds the redirects."""
    figures = statistics(version)
    source = next(source for source in figures["sources"] if source["kind"] == "load")
    source["not_documents"] = {"redirect": 4}

    assert f"Source `{source['source']}`: 4 more records are not documents: 4 `redirect`." in card(figures)


def test_the_examples_in_the_card_work(text: str, version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers copy the examples."""
    monkeypatch.chdir(version)
    python, sql = (
        re.findall(r"```python\n(import pyarrow.*?)```", text, re.DOTALL),
        re.findall(r"```sql\n(.*?)```", text, re.DOTALL),
    )

    exec(compile(python[0], "card", "exec"), {})
    with duckdb.connect() as connection:
        rows = [connection.execute(query).fetchall() for query in sql[0].split(";") if query.strip()]

    assert all(rows)
    assert ds.dataset(sorted(map(str, version.glob("train-*.parquet")))).count_rows() == 200


def test_names_from_the_data_stay_text_in_the_card(tmp_path: Path) -> None:
    """Markdown in a license or language must not break a table."""
    odd = Capture("s", "1", "text", license="A|B`<script>", language="x|y<b>")

    text = card(statistics(make_version(tmp_path / "v", [odd])))

    assert text.count("<script>") == text.count("`A/B'<script>`") == 1
    assert "language" not in front(text)
    assert "x\\|y\\<b\\>" in text


def test_an_empty_version_has_a_card(tmp_path: Path) -> None:
    """An empty version has no split to load."""
    folder = make_version(tmp_path / "v", [], signals=False, near_dedup=False)

    write_card(statistics(folder), folder)

    text = (tmp_path / "v/README.md").read_text()

    assert front(text)["configs"] == []
    assert "No document is published." in text
    assert "does not detect personal data" in text
