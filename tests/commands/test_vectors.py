"""Warnings of a run about records without a vector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Command

RECIPE = """\
dataset: d
sources:
  - load: {name: a, format: jsonl, path: a.jsonl, vector_field: embedding}
  - load: {name: b, format: jsonl, path: b.jsonl}
stages:
  - semantic_dedup: {column: vector}
split: {train: 1.0, validation: 0.0, test: 0.0}
"""


def run(command: Command, folder: Path, vectors: list[Any], *, recipe: str = RECIPE) -> tuple[int, Any]:
    """Run the recipe over records with *vectors*; return the exit code with `--strict` and the output of `--json`."""
    records = [{"id": n, "text": f"text {n}", "embedding": vector} for n, vector in enumerate(vectors)]
    (folder / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "b.jsonl").write_text('{"id": "1", "text": "b"}\n')
    (folder / "recipe.yaml").write_text(recipe)
    answer = command("run", folder / "recipe.yaml", "--workers", 0, "--json", "--quiet", "--strict")
    return answer.code, json.loads(answer.out)


def test_vectors_of_one_length_are_no_warning(command: Command, tmp_path: Path) -> None:
    """A source without `vector_field` has none, and that is what its recipe says."""
    assert run(command, tmp_path, [[1.0, 2.0], [2.0, -1.0]])[1]["warnings"] == []


def test_records_without_a_vector_are_counted_by_the_reason(command: Command, tmp_path: Path) -> None:
    """They stay, so that only a warning shows that they were not compared; `check` repeats it."""
    vectors = [[1.0, 2.0], None, None, [0.0, 0.0], "x", [1.0] * 9_000, [1.0, 2.0, 3.0], [1.0, 2.0]]

    code, result = run(command, tmp_path, vectors)

    assert (code, result["counts"]) == (4, {"read": 9, "published": 8, "ledger": 1})
    of_source, of_lengths = result["warnings"]
    assert of_source.startswith(
        "source `a`: vectors of 8 records: 2 missing or null, 1 not a list of finite numbers, 1 empty or all zero, "
        "1 longer than 8,192;"
    )
    assert of_lengths.startswith("vectors have 2 (2 records) or 3 (1 record) components")
    checked = command("check", f"d@{result['version']}", "--json")
    assert json.loads(checked.out)["warnings"] == result["warnings"]


def test_vectors_that_no_stage_compares_are_no_warning(command: Command, tmp_path: Path) -> None:
    """What would happen to documents without one does not happen."""
    recipe = RECIPE.replace("semantic_dedup: {column: vector}", "near_dedup")

    code, result = run(command, tmp_path, [[1.0, 2.0], None, [1.0]], recipe=recipe)

    assert (code, result["warnings"]) == (0, [])


@pytest.mark.parametrize(
    ("before", "after", "message", "hint"),
    [
        ("vector_field: embedding", "vector_field: 5", "expected a text", "put it in quotes"),
        ("vector_field: embedding", "vector_feld: embedding", "vector_feld", "did you mean `vector_field`?"),
        ("vector_field: embedding", "vector_field: text", "`text` is also the field of `text_field`", "numbers"),
        (", vector_field: embedding", "", "reads the column `vector`, which no earlier", "set `vector_field`"),
    ],
)
def test_a_recipe_with_a_wrong_field_is_refused(
    command: Command, tmp_path: Path, before: str, after: str, message: str, hint: str
) -> None:
    """With the place, the value, and what helps."""
    _, result = run(command, tmp_path, [[1.0]], recipe=RECIPE.replace(before, after))

    assert message in result["error"]["message"]
    assert hint in result["error"]["hint"]


def test_a_recipe_can_be_planned_before_its_files_are_registered(command: Command, tmp_path: Path) -> None:
    """The column `vector` follows from the recipe, so `plan` accepts what `run` accepts."""
    (tmp_path / "a.jsonl").write_text('{"id": "1", "text": "a", "embedding": [1.0, 2.0]}\n')
    (tmp_path / "b.jsonl").write_text('{"id": "1", "text": "b"}\n')
    (tmp_path / "recipe.yaml").write_text(RECIPE)

    answer = command("plan", tmp_path / "recipe.yaml")

    assert answer.code == 0, answer.err
