"""Warnings of a run about missing and repeated ids."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.dataset.version import version_in
from corpusmill.pipelines.stages.identity import SUPERSEDED, UNDECIDED
from corpusmill.schemas.storage import open_store
from tests.commands.conftest import Command

Run = Callable[..., tuple[int, Any]]
TWO_FILES = {
    "part-0.jsonl": [{"id": n, "text": f"document {n} of part 0"} for n in range(3)],
    "part-1.jsonl": [{"id": n, "text": f"document {n} of part 1"} for n in range(3)],
}


@pytest.fixture
def run(command: Command, tmp_path: Path) -> Run:
    """Run a recipe over JSON Lines; return the exit code with `--strict` and the output of `--json`."""

    def run_recipe(files: dict[str, list[dict[str, Any]]], *, fields: str = "") -> tuple[int, Any]:
        (tmp_path / "data").mkdir(exist_ok=True)
        for name, records in files.items():
            (tmp_path / "data" / name).write_text("".join(json.dumps(record) + "\n" for record in records))
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(
            f'dataset: d\nsources:\n  - load: {{name: s, format: jsonl, path: "data/*.jsonl"{fields}}}\nstages: []\n'
            "split: {train: 1.0, validation: 0.0, test: 0.0}\n"
        )
        answer = command("run", recipe, "--workers", 0, "--json", "--quiet", "--strict")
        return answer.code, json.loads(answer.out)

    return run_recipe


def test_ids_that_begin_again_in_each_file_are_a_warning(run: Run) -> None:
    """Half of the data is not published, which the ledger alone would hide."""
    code, result = run(TWO_FILES)

    assert code == 4
    assert result["counts"] == {"read": 6, "published": 3, "ledger": 3}
    (warning,) = result["warnings"]
    assert "source `s`: 3 records are not published" in warning
    assert "for example `0`" in warning
    assert "`id_from: [file, id]`" in warning
    (ledger,) = version_in(open_store(result["path"])).files("ledger")
    rows = pq.read_table(ledger).to_pylist()
    assert {(row["rule"], row["message"]) for row in rows} == {(SUPERSEDED, UNDECIDED)}


def test_a_run_that_is_reused_warns_again(run: Run) -> None:
    """The problem is still there."""
    first = run(TWO_FILES)

    code, second = run(TWO_FILES)

    assert code == 4
    assert (second["status"], second["warnings"]) == ("unchanged", first[1]["warnings"])


def test_the_remedy_publishes_all_records(run: Run) -> None:
    """The name of the file is a part of each id."""
    code, result = run(TWO_FILES, fields=", id_from: [file, id]")

    assert (code, result["warnings"]) == (0, [])
    assert result["counts"] == {"read": 6, "published": 6, "ledger": 0}
    shards = version_in(open_store(result["path"])).files("shard")
    names = pa.concat_tables(map(pq.read_table, shards))["source_id"].to_pylist()
    assert sorted(names) == [f"part-{part}.jsonl#{number}" for part in (0, 1) for number in (0, 1, 2)]


def test_a_file_that_is_renamed_is_read_again_where_its_name_is_a_part(
    run: Run, command: Command, tmp_path: Path
) -> None:
    """The address of a result includes everything that affects it."""
    run({"a.jsonl": [{"id": 1, "text": "one"}]}, fields=", id_from: [file, id]")
    (tmp_path / "data" / "a.jsonl").rename(tmp_path / "data" / "b.jsonl")
    command("load", tmp_path / "recipe.yaml")

    _, result = run({}, fields=", id_from: [file, id]")

    (shard,) = version_in(open_store(result["path"])).files("shard")
    assert pq.read_table(shard)["source_id"].to_pylist() == ["b.jsonl#1"]


@pytest.mark.parametrize(
    "records",
    [
        [{"id": 0, "text": "a"}, {"id": 0, "text": "a"}],
        [{"id": 0, "text": "a"}, {"id": 0, "text": "a", "title": "t"}],
        [
            {"id": 0, "text": "old", "fetched_at": "2024-01-01T00:00:00Z"},
            {"id": 0, "text": "new", "fetched_at": "2024-01-02T00:00:00Z"},
        ],
        [{"id": 0, "text": "old"}, {"id": 0, "text": "new", "fetched_at": "2024-01-02T00:00:00Z"}],
        [{"text": "no id"}, {"text": "at all"}],
    ],
)
def test_records_that_repeat_or_say_which_is_newer_are_no_warning(run: Run, records: list[dict[str, Any]]) -> None:
    """Users ignore a warning that always appears."""
    code, result = run({"a.jsonl": records})

    assert (code, result["warnings"]) == (0, [])


def test_two_texts_of_one_moment_are_a_warning(run: Run) -> None:
    """An equal `fetched_at` does not say which text is newer."""
    records = [{"id": 0.0, "text": text, "fetched_at": "2024-01-01T00:00:00Z"} for text in ("one", "other")]

    code, result = run({"a.jsonl": records})

    assert code == 4
    assert "1 record is not published" in result["warnings"][0]


@pytest.mark.parametrize(
    ("fields", "records", "expected"),
    [
        ("", [{"id": 5.0, "text": "a"}, {"id": None, "text": "b"}], "1 of 2 records have no id"),
        ("", [{"id": 5.0, "text": "a"}, {"text": "b"}], "1 of 2 records have no id"),
        (", id_field: key", [{"id": 1, "text": "a"}], "1 of 1 records have no id"),
        (
            "",
            [{"id": {"a": 1}, "text": "a"}, {"id": [1], "text": "b"}],
            "the id of 2 of 2 records is an object or a list",
        ),
    ],
)
def test_records_that_are_named_by_their_hash_are_a_warning(
    run: Run, fields: str, records: list[dict[str, Any]], expected: str
) -> None:
    """They are published, but cannot be found by their id."""
    code, result = run({"a.jsonl": records}, fields=fields)

    assert code == 4
    assert expected in result["warnings"][0]
    assert result["counts"] == {"read": len(records), "published": len(records), "ledger": 0}


@pytest.mark.parametrize(
    ("files", "fields"),
    [
        (TWO_FILES, ""),
        ({"a.jsonl": [{"id": 5, "text": "a"}, {"text": "b"}]}, ""),
        ({"a.jsonl": [{"id": 1, "text": "a"}]}, ", id_field: key"),
    ],
)
def test_check_and_report_repeat_what_the_run_warned_of(
    run: Run, command: Command, files: dict[str, list[dict[str, Any]]], fields: str
) -> None:
    """Recipients of a version have not seen the output of the run."""
    _, result = run(files, fields=fields)
    (warning,) = result["warnings"]

    check = command("check", "d", "--json", "--strict")
    report = command("report", "d", "--json")

    assert check.code == 4
    assert json.loads(check.out)["warnings"] == [warning]
    assert f"warning: {warning}" in check.err
    figures = json.loads(report.out)
    assert figures["warnings"] == [warning]
    assert f"S{warning[1:]}." in [finding["text"] for finding in figures["findings"]]
    assert "named by their hash" in Path(figures["path"]).read_text() or "not published" in warning


def test_check_and_report_of_ids_that_name_one_record_each_say_nothing(run: Run, command: Command) -> None:
    """Users ignore a warning that always appears."""
    run(TWO_FILES, fields=", id_from: [file, id]")

    assert command("check", "d", "--strict").code == 0
    assert json.loads(command("report", "d", "--json").out)["warnings"] == []
