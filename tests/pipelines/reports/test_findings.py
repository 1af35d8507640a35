from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from corpusmill.pipelines.reports.findings import findings
from corpusmill.pipelines.reports.statistics import statistics
from tests.pipelines.reports.corpus import captures, make_version


def by_code(figures: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {finding["code"]: finding for finding in findings(figures)}


def test_the_small_version_has_its_findings(figures: dict[str, Any]) -> None:
    """Each sentence holds the figure that it is about."""
    found = by_code(figures)

    assert found["unknown_license"]["text"] == "The licence of 68.8 % of the documents (172) is unknown."
    assert found["restricted_license"]["level"] == "warning"
    assert "CC-BY-NC-4.0" in found["restricted_license"]["text"]
    assert found["errors"]["text"] == "5 records (1.2 %) could not be read: `error.encoding`."
    assert found["duplicates"]["text"] == "Near duplicates: 75.0 % of the records of `licences` were copies."
    assert found["personal_data"]["text"] == "Personal data masked in published documents: 30 × email."
    assert found["top_rule"]["text"].startswith("Apart from copies, `gopher.word_count` took most: 60 records, 15.0 %")


def test_warnings_come_first(figures: dict[str, Any]) -> None:
    """A reader who stops early has read what matters."""
    levels = [finding["level"] for finding in findings(figures)]

    assert levels == sorted(levels, key=lambda level: level != "warning")


def test_an_empty_version_says_why(tmp_path: Path) -> None:
    """The rules that took everything are named."""
    rejected = [c for c in captures() if c.stage == "quality"]

    found = by_code(statistics(make_version(tmp_path / "v", rejected)))

    assert found["empty"]["text"] == (
        "Nothing is published: 80 records read; most went by `gopher.word_count` and `gopher.alphabetic_words`."
    )


def test_an_empty_split_is_named(tmp_path: Path) -> None:
    """A configured split that stays empty breaks a later evaluation."""
    train = [c for c in captures() if c.rule is None and c.split == "train"]

    found = findings(statistics(make_version(tmp_path / "v", train)))

    texts = [finding["text"] for finding in found if finding["code"] == "empty_split"]
    assert texts == [f"The split `{name}` is empty; the recipe asks for 10.0 %." for name in ("validation", "test")]


def test_a_recipe_without_safeguards_is_warned_about(tmp_path: Path) -> None:
    """What was not looked for is not known to be absent."""
    found = by_code(statistics(make_version(tmp_path / "v", signals=False, near_dedup=False)))

    assert found["no_pii"]["level"] == "warning"
    assert found["no_dedup"]["level"] == "warning"


def test_leaked_texts_are_a_warning(tmp_path: Path) -> None:
    """A test text that was trained on makes the evaluation worthless."""
    page = next(c for c in captures() if c.source == "site" and c.rule is None)
    copies = [replace(page, source_id=f"copy-{index}") for index in range(40)]

    found = by_code(statistics(make_version(tmp_path / "v", copies)))

    assert found["leaked_texts"]["level"] == "warning"


def test_a_broken_account_is_the_first_finding(figures: dict[str, Any]) -> None:
    """Nothing else in the report can be trusted then."""
    law = {**figures["conservation"], "holds": False, "broken_stages": ["quality"]}

    first = findings({**figures, "conservation": law})[0]

    assert first["code"] == "conservation"
    assert "The account does not close at quality." in first["text"]
