"""The checks before publication."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.pipelines.running.checks import broken_records, check, empty_splits, failed_checks
from corpusmill.schemas.errors import ChecksFailedError
from corpusmill.schemas.manifest import Counts, ShardFile, StageCounts
from corpusmill.schemas.recipe import Checks
from tests.corpora import write_project
from tests.test_promises import run_once

NO_CHECKS = Checks(min_documents=None)


def counts(*, read: int = 100, rejected: int = 0, broken: int = 0, created: int = 0) -> Counts:
    """Return the counts of a run with rejected and broken records and created ledger rows."""
    stage = StageCounts(
        name="stage",
        documents_in=read,
        created=created,
        documents_out=read - rejected - broken,
        ledger=rejected + broken + created,
        bytes_in=0,
        bytes_out=0,
        bytes_ledger=0,
        rules={"stage.rule": rejected, "stage.piece": created, "error.encoding": broken},
    )
    ledger = rejected + broken + created
    return Counts(read=read, created=created, published=read - rejected - broken, ledger=ledger, stages=(stage,))


@pytest.mark.parametrize(
    ("checks", "at", "beyond", "message"),
    [
        (
            Checks(max_rejected=0.2),
            counts(rejected=20),
            counts(rejected=21),
            "max_rejected: 21 of 100 records are rejected, above 0.2",
        ),
        (
            Checks(min_documents=80),
            counts(rejected=20),
            counts(rejected=21),
            "min_documents: 79 documents are left, fewer than 80",
        ),
        (
            Checks(max_error_rate=0.05),
            counts(broken=5),
            counts(broken=6),
            "max_error_rate: 6 of 100 records are broken, above 0.05",
        ),
        (
            Checks(max_rejected=0),
            counts(),
            counts(rejected=1),
            "max_rejected: 1 of 100 records is rejected, above 0",
        ),
        (Checks(min_documents=1), counts(read=1), counts(read=0), "min_documents: 0 documents are left, fewer than 1"),
        (Checks(), counts(rejected=99), counts(read=0), "min_documents: 0 documents are left, fewer than 1"),
        (
            Checks(min_documents=2),
            counts(read=2),
            counts(read=1),
            "min_documents: 1 document is left, fewer than 2",
        ),
        (
            Checks(),
            counts(rejected=60, broken=39),
            counts(rejected=60, broken=40),
            "min_documents: 0 documents are left, fewer than 1 (60 of 100 records: `stage.rule`)",
        ),
    ],
)
def test_bounds_are_inclusive(checks: Checks, at: Counts, beyond: Counts, message: str) -> None:
    """A value equal to the bound passes, and 0 is a bound."""
    assert failed_checks(at, checks) == []
    assert failed_checks(beyond, checks) == [message]


def test_without_checks_everything_passes() -> None:
    """Null means no bound, and an empty run must not divide by 0."""
    assert failed_checks(counts(rejected=100), NO_CHECKS) == []
    assert failed_checks(counts(rejected=100), Checks(min_documents=0)) == []
    assert failed_checks(counts(read=0), Checks(min_documents=0, max_rejected=0, max_error_rate=0)) == []


def test_created_rows_do_not_count_as_rejected_documents() -> None:
    """A template of a site may have more pieces than pages."""
    assert failed_checks(counts(rejected=20, created=500), Checks(max_rejected=0.2)) == []


def test_broken_records_are_those_of_the_rules_error() -> None:
    """Documents that other rules reject are not broken records."""
    assert broken_records(counts(rejected=20, broken=3, created=4)) == 3


def test_all_failed_checks_are_reported_with_a_hint() -> None:
    """Users should be able to correct the recipe in one step."""
    with pytest.raises(ChecksFailedError, match=r"max_rejected: .*; min_documents: ") as caught:
        check(counts(rejected=30), Checks(max_rejected=0.2, min_documents=90), dataset="d", accept=False)

    assert "--accept" in str(caught.value.hint)


def test_accepted_failures_and_broken_records_are_warnings() -> None:
    """The version is published, but users see the failed checks."""
    failed = check(counts(broken=6), Checks(max_error_rate=0.05), dataset="d", accept=True)
    broken = check(counts(broken=1), NO_CHECKS, dataset="d", accept=False)

    assert failed == ["max_error_rate: 6 of 100 records are broken, above 0.05"]
    assert broken == ["1 of 100 records is broken; see `corpusmill inspect d --ledger`"]
    assert check(counts(rejected=6), NO_CHECKS, dataset="d", accept=False) == []


def test_an_empty_configured_split_is_a_warning() -> None:
    """A split with a share of 0 is intentionally empty."""
    shards = [_shard("train", 9), _shard("train", 0), _shard("test", 0)]

    assert empty_splits({"train": 0.9, "validation": 0.0, "test": 0.1}, shards) == ["the split `test` is empty"]


def _shard(split: str, rows: int) -> ShardFile:
    same = {"path": f"{split}.parquet", "bytes": 1, "text_bytes": 1, "sha256": "", "logical_hash": ""}
    return ShardFile.model_validate({**same, "split": split, "rows": rows, "first_id": None, "last_id": None})


def test_a_failed_check_publishes_nothing_unless_it_is_accepted(tmp_path: Path) -> None:
    """`--accept` publishes despite failed checks."""
    recipe = write_project(tmp_path / "project")
    recipe.write_text(recipe.read_text() + "checks: {max_error_rate: 0.001, min_documents: 10000}\n")

    with pytest.raises(ChecksFailedError, match=r"min_documents: \d+ documents are left, .*; max_error_rate"):
        run_once(recipe, tmp_path / "workspace")
    result, _ = run_once(recipe, tmp_path / "workspace", accept=True)

    assert result["status"] == "published"
    assert len(result["warnings"]) >= 2


def recipe_of(folder: Path, lines: str, *more: str, source: str = "s") -> Path:
    """Write a recipe that loads *lines* of JSON."""
    (folder / f"{source}.jsonl").write_text(lines)
    path = folder / "recipe.yaml"
    path.write_text(
        "\n".join(
            ["dataset: d", "sources:", f"  - load: {{name: {source}, format: jsonl, path: {source}.jsonl}}", *more]
        )
    )
    return path


@pytest.mark.parametrize(
    ("lines", "stages", "messages", "hint"),
    [
        (
            '{"id": 1, "body": "A text."}\n{"id": 2, "body": "Another."}\n',
            "stages: []",
            ("2 of 2 records: `error.no_text`", "has no field `text`; text fields: `body`; other fields: `id`"),
            "text_field",
        ),
        ('{"text": 7}\nbroken\n{"text": 8}', "stages: []", ("2 of 3 records: `error.no_text`",), "text_field"),
        (
            '{"text": "Too short."}\n',
            "stages: [{quality: {profile: gopher}}]",
            ("1 of 1 record: `gopher.",),
            "--accept",
        ),
        ("", "stages: []", ("0 documents are left, fewer than 1",), "--accept"),
    ],
)
def test_an_empty_version_is_no_success(
    tmp_path: Path, lines: str, stages: str, messages: tuple[str, ...], hint: str
) -> None:
    """A scheduled run must not replace the current version by an empty one, unless the recipe allows it."""
    workspace = tmp_path / "workspace"
    good, _ = run_once(recipe_of(tmp_path, '{"text": "Words."}\n', "stages: []", source="good"), workspace)

    with pytest.raises(ChecksFailedError, match="nothing is published") as caught:
        run_once(recipe_of(tmp_path, lines, stages), workspace)

    assert caught.value.exit_code == 3
    assert all(message in caught.value.message for message in messages)
    assert hint in str(caught.value.hint)
    assert [path.name for path in (workspace / "versions" / "d").glob("*/manifest.json")] == ["manifest.json"]
    allowed, _ = run_once(recipe_of(tmp_path, lines, stages, "checks: {min_documents: 0}"), workspace)
    assert (allowed["status"], allowed["counts"]["published"]) == ("published", 0)
    assert allowed["version"] != good["version"]


def test_earlier_captures_of_a_recrawled_site_are_not_rejected_records() -> None:
    """Otherwise a nightly job whose pages change would fail some day."""
    nightly = counts(rejected=60).model_copy(update={"earlier": 50})

    assert failed_checks(nightly, Checks(max_rejected=0.2)) == []
    assert failed_checks(nightly, Checks(max_rejected=0.19)) == [
        "max_rejected: 10 of 50 records are rejected, above 0.19"
    ]
