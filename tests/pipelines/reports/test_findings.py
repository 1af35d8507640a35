from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpusmill.pipelines.reports.findings import findings
from corpusmill.pipelines.reports.statistics import statistics
from tests.pipelines.reports.corpus import captures, make_version


def by_code(figures: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {finding["code"]: finding for finding in findings(figures)}


def test_the_small_version_has_its_findings(figures: dict[str, Any]) -> None:
    """Each sentence has its figures."""
    result = by_code(figures)

    assert (
        result["unknown_license"]["text"]
        == "The license of 68.8 % of the documents (172) is unknown: `site` (150) and `readmes` (22)."
    )
    assert result["restricted_license"]["level"] == "warning"
    assert "CC-BY-NC-4.0" in result["restricted_license"]["text"]
    assert result["errors"]["text"] == "5 records (1.2 %) could not be read: `error.encoding`."
    assert result["duplicates"]["text"] == "Near duplicates: 75.0 % of the records of `licences` were copies."
    assert result["personal_data"]["text"] == "Personal data masked in published documents: 30 × email."
    assert result["top_rule"]["text"].startswith("Apart from copies, `gopher.word_count` rejected the most: 60 records")


def test_records_that_are_not_documents_are_counted_by_kind(figures: dict[str, Any]) -> None:
    """A user of a dump looks for its redirects, and finds them neither in the shards nor in the ledger."""
    kinds = {"redirect": 1_200, **{f"kind_{n}": 10 - n for n in range(8)}}
    assert "not_documents" not in by_code(figures)
    source = next(source for source in figures["sources"] if source["kind"] == "load")
    changed = [{**row, "not_documents": kinds} if row is source else row for row in figures["sources"]]

    assert by_code({**figures, "sources": changed})["not_documents"]["text"] == (
        f"Source `{source['source']}`: 1,252 more records are not documents: 1,200 `redirect`, 10 `kind_0`, "
        "9 `kind_1`, 8 `kind_2`, 7 `kind_3`, 6 `kind_4` and 12 of other kinds."
    )


def test_warnings_come_first(figures: dict[str, Any]) -> None:
    """Readers see the most important findings first."""
    levels = [finding["level"] for finding in findings(figures)]

    assert levels == sorted(levels, key=lambda level: level != "warning")


def test_an_empty_version_says_why(tmp_path: Path) -> None:
    """The finding has the rules that rejected most."""
    rejected = [c for c in captures() if c.stage == "quality"]

    result = by_code(statistics(make_version(tmp_path / "v", rejected)))

    assert result["empty"]["text"] == (
        "No document is published: 80 records read; most were rejected by `gopher.word_count` "
        "and `gopher.alphabetic_words`."
    )


def test_an_empty_split_is_named(tmp_path: Path) -> None:
    """An empty split breaks a later evaluation."""
    train = [c for c in captures() if c.rule is None and c.split == "train"]

    result = findings(statistics(make_version(tmp_path / "v", train)))

    texts = [finding["text"] for finding in result if finding["code"] == "empty_split"]
    assert texts == [f"The split `{name}` is empty; the recipe sets 10.0 %." for name in ("validation", "test")]


@pytest.mark.parametrize(("share", "origin"), [(0.01, "the default is 1.0 %"), (0.02, "the recipe sets 2.0 %")])
def test_a_share_that_no_recipe_sets_is_the_default(tmp_path: Path, share: float, origin: str) -> None:
    """The manifest has the shares of a recipe without `split`, too."""
    train = [c for c in captures() if c.rule is None and c.split == "train"]
    figures = statistics(make_version(tmp_path / "v", train))
    for split in figures["splits"]:
        split["wanted"] = 1 - 2 * share if split["split"] == "train" else share

    texts = [finding["text"] for finding in findings(figures) if finding["code"] == "empty_split"]

    assert texts == [f"The split `{name}` is empty; {origin}." for name in ("validation", "test")]


def test_a_recipe_without_safeguards_is_warned_about(tmp_path: Path) -> None:
    """Without these stages, personal data and copies may be present."""
    result = by_code(statistics(make_version(tmp_path / "v", signals=False, near_dedup=False)))

    assert result["no_pii"]["level"] == "warning"
    assert result["no_dedup"]["level"] == "warning"


def test_leaked_texts_are_a_warning(tmp_path: Path) -> None:
    """Test texts in the training split make an evaluation worthless."""
    page = next(c for c in captures() if c.source == "site" and c.rule is None)
    copies = [replace(page, source_id=f"copy-{index}") for index in range(40)]

    result = by_code(statistics(make_version(tmp_path / "v", copies)))

    assert result["leaked_texts"]["level"] == "warning"


def test_missing_records_are_the_first_finding(figures: dict[str, Any]) -> None:
    """The other findings are then unreliable."""
    law = {**figures["conservation"], "holds": False, "broken_stages": ["quality"]}

    first = findings({**figures, "conservation": law})[0]

    assert first["code"] == "conservation"
    assert "The counts do not add up at quality." in first["text"]
