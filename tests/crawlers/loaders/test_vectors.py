"""Embeddings in a field of JSON Lines or Parquet: vectors of float32, and the records that have none."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.loaders.jsonl import JsonLines
from corpusmill.crawlers.loaders.parquet import Parquet
from corpusmill.crawlers.loaders.vectors import as_float32, float32_rows, taken
from corpusmill.schemas.errors import SourceError
from corpusmill.schemas.vectors import MAX_DIMENSIONS
from tests.crawlers.loaders.reading import in_slices, rows

FORMATS = [JsonLines, Parquet]
VALUES: list[tuple[Any, str]] = [
    ([0.5, -1, 2], "length.3"),
    ([1.0], "length.1"),
    ([0, 0.0], "zero"),
    ([], "zero"),
    ([1.0, None], "not_numbers"),
    ([3e300, 1.0], "not_numbers"),
    (None, "missing"),
    ([1.0] * MAX_DIMENSIONS, f"length.{MAX_DIMENSIONS}"),
    ([1.0] * (MAX_DIMENSIONS + 1), "too_long"),
]
"""Values that both formats can have, and how the record is counted."""


def write(folder: Path, form: type[Loader], values: list[Any], **columns: Any) -> Path:
    """Write a file of *form* with a record for each of *values*."""
    records = [{"id": str(n), "text": f"text {n}", "embedding": value} for n, value in enumerate(values)]
    path = folder / f"x{form.suffixes[0]}"
    if form is JsonLines:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    else:
        column = pa.array(values, pa.list_(pa.float64()))
        pq.write_table(pa.Table.from_pylist(records).drop(["embedding"]).append_column("embedding", column), path)
    return path


def counted(loader: Loader, path: Path) -> dict[str, int]:
    """Return how *loader* counts the vectors of the file at *path*."""
    counts: Counter[str] = Counter()
    list(loader.read(str(path), name="x", counts=counts))
    return {name.removeprefix("vectors."): n for name, n in counts.items() if name.startswith("vectors.")}


@pytest.mark.parametrize("form", FORMATS)
def test_each_record_has_its_vector_or_is_counted_by_the_reason(tmp_path: Path, form: Any) -> None:
    """A record without a usable vector is still a document."""
    path = write(tmp_path, form, [value for value, _ in VALUES])

    offered = rows(form(vector_field="embedding"), path)

    assert [row["rule"] for row in offered] == [None] * len(VALUES)
    for row, (value, outcome) in zip(offered, VALUES, strict=True):
        assert row["vector"] == (value if outcome.startswith("length") else None)
        assert not row["metadata"]
    assert counted(form(vector_field="embedding"), path) == Counter(outcome for _, outcome in VALUES)


@pytest.mark.parametrize("form", FORMATS)
def test_without_the_field_the_numbers_are_metadata(tmp_path: Path, form: Any) -> None:
    """As every other field, and no record has a vector."""
    path = write(tmp_path, form, [[0.5, 1.5]])

    (row,) = rows(form(), path)

    assert (row["vector"], row["metadata"]) == (None, {"embedding": "[0.5,1.5]"})
    assert counted(form(), path) == {}


def test_both_formats_make_the_same_records(tmp_path: Path) -> None:
    """The hash of a record does not depend on the format, and two records that differ in the vector differ in it."""
    values = [value for value, _ in VALUES]
    paths = {form: write(tmp_path, form, values) for form in FORMATS}

    lines, table = (
        [(row["record_sha256"], row["vector"]) for row in rows(form(vector_field="embedding"), path)]
        for form, path in paths.items()
    )

    assert lines == table
    again = write(tmp_path, JsonLines, [[0.5, -1, 3], *values[1:]])
    other, *same = (row["record_sha256"] for row in rows(JsonLines(vector_field="embedding"), again))
    assert other != lines[0][0]
    assert same == [digest for digest, _ in lines[1:]]


@pytest.mark.parametrize("written", ['"0.5 1"', "true", "[true, 1]", '["1"]', "{}", "[[1]]", f"[{10**400}]", "[1e999]"])
def test_a_value_that_is_no_list_of_numbers_is_counted(tmp_path: Path, written: str) -> None:
    """Nothing that JSON can say stops a run."""
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"text": "a", "embedding": {written}}}\n')

    (row,) = rows(JsonLines(vector_field="embedding"), path)

    assert (row["rule"], row["text"], row["vector"]) == (None, "a", None)
    assert counted(JsonLines(vector_field="embedding"), path) == {"not_numbers": 1}


def test_a_lone_surrogate_elsewhere_does_not_lose_the_vector(tmp_path: Path) -> None:
    """The row is converted again without it."""
    path = tmp_path / "x.jsonl"
    vector = '"embedding": [1, 2]'
    path.write_text(f'{{"text": "a", "title": "\\ud800", {vector}}}\n{{"text": "\\ud800", {vector}}}\n')

    good, bad = rows(JsonLines(vector_field="embedding"), path)

    assert (good["vector"], good["title"]) == ([1, 2], "\ufffd")
    assert (bad["vector"], bad["rule"]) == (None, "error.encoding")
    assert counted(JsonLines(vector_field="embedding"), path) == {"length.2": 1}


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.list_(kind) for kind in (pa.float16(), pa.float32(), pa.float64(), pa.int8(), pa.uint64())),
        *(pa.list_(kind, 2) for kind in (pa.float16(), pa.float32(), pa.float64())),
        pa.large_list(pa.float32()),
    ],
    ids=str,
)
def test_lists_of_all_kinds_of_numbers_are_vectors(tmp_path: Path, kind: pa.DataType) -> None:
    """Also lists of a fixed size. Arrow cannot read those with null rows from Parquet, so there are none."""
    is_fixed = pa.types.is_fixed_size_list(kind)
    column = pa.array([[1, 2], [0, 0] if is_fixed else None, [3, None], [4, 5]], kind)
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": list("abcd"), "embedding": column}), path)

    offered = rows(Parquet(vector_field="embedding"), path)

    assert [row["vector"] for row in offered] == [[1, 2], None, None, [4, 5]]
    none = "zero" if is_fixed else "missing"
    assert counted(Parquet(vector_field="embedding"), path) == {"length.2": 2, none: 1, "not_numbers": 1}


@pytest.mark.parametrize("size", [-1, 2])
def test_a_null_row_takes_no_number_of_its_neighbors(size: int) -> None:
    """In a list of a fixed size, a null row takes space; in a slice, lists begin behind the first number."""
    column = pa.array([[9, 9], [1, 2], None, [4, 5]], pa.list_(pa.float64(), size)).slice(1)

    values = [None if row is None else row.tolist() for row in float32_rows(column)]

    assert values == [[1, 2], None, [4, 5]]


def test_a_column_of_tensors_has_vectors(tmp_path: Path) -> None:
    """Arrow has a type for vectors, which is stored as a list of a fixed size."""
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.array([[1, 2], [3, 4]], np.float32))
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "embedding": column}), path)

    assert [row["vector"] for row in rows(Parquet(vector_field="embedding"), path)] == [[1, 2], [3, 4]]


def test_slices_have_the_vectors_of_their_rows(tmp_path: Path) -> None:
    """The rows before a slice are dropped with their vectors."""
    values = [[n, 1.0] for n in range(1, 200)]
    pq.write_table(
        pa.table({"text": [f"{n}" for n in range(1, 200)], "embedding": pa.array(values, pa.list_(pa.float32(), 2))}),
        path := tmp_path / "x.parquet",
        row_group_size=60,
    )
    loader = Parquet(vector_field="embedding")
    size = loader.slices(str(path))[-1][1]

    offered = in_slices(loader, path, [0, size // 3, size // 2, size])

    assert [row["vector"] for row in offered] == values


@pytest.mark.parametrize(
    ("field", "problem", "hint"),
    [
        ("embeding", "has no column `embeding`", "columns with lists of numbers: `embedding`"),
        ("text", "column `text` has the type string, not a list of numbers", "`embedding`"),
        ("tags", "has the type list<element: string>, not a list of numbers", "`embedding`"),
    ],
)
def test_a_table_without_the_column_is_refused(tmp_path: Path, field: str, problem: str, hint: str) -> None:
    """When it is registered, before any work, with the columns that could be meant."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": ["a"], "body": ["b"], "tags": [["x"]], "embedding": [[1.0]]}), path)

    with pytest.raises(SourceError) as caught:
        Parquet(vector_field=field, text_field="body").check(str(path))

    assert problem in caught.value.message
    assert (caught.value.field, caught.value.value) == ("vector_field", field)
    assert caught.value.hint is not None
    assert hint in caught.value.hint


@pytest.mark.parametrize("fields", [{"text_field": "e"}, {"id_field": "e"}, {"id_from": ("file", "e")}])
def test_a_field_has_one_meaning(fields: dict[str, Any]) -> None:
    """The text of a record is no vector."""
    with pytest.raises(ValidationError, match=f"`e` is also the field of `{next(iter(fields))}`"):
        JsonLines(vector_field="e", **fields)


def test_long_vectors_make_small_batches(tmp_path: Path) -> None:
    """A batch is bounded in bytes, vectors included."""
    path = write(tmp_path, Parquet, [[1.5] * MAX_DIMENSIONS] * 700)

    sizes = [batch.nbytes for batch in Parquet(vector_field="embedding").read(str(path), name="x")]

    assert len(sizes) > 1
    assert max(sizes) < 9_000_000


@given(values=st.lists(st.floats(width=32) | st.integers(-(2**70), 2**70) | st.none(), max_size=5))
def test_taking_a_vector_out_keeps_all_other_fields(values: list[Any]) -> None:
    """The hash stands for the numbers: one for equal ones, also if one is not a number."""
    row = {"text": "a", "e": values, "n": 1}

    one, again = taken(row, "e"), taken({**row, "e": as_float32(values)}, "e")

    assert {k: v for k, v in one.row.items() if k != "e"} == {"text": "a", "n": 1}
    assert (one.row["e"], one.outcome) == (again.row["e"], again.outcome)
    assert (one.vector is None) == (not one.outcome.startswith("length"))
