"""Ids of records: one spelling per id, independent of the file format."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.crawlers.loaders.jsonl import JsonLines
from corpusmill.crawlers.loaders.parquet import Parquet
from corpusmill.crawlers.loaders.rows import Naming
from tests.crawlers.loaders.reading import rows

FORMATS = [JsonLines, Parquet]


def named(value: Any) -> str | None:
    return Naming(("id",), None, Counter()).name_of({"id": value})


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("5.0", "5"),
        ("5", "5"),
        ("5e0", "5"),
        ("1e3", "1000"),
        ("-0.0", "0"),
        ("2.50", "2.5"),
        ("1e21", "1e+21"),
        ("9007199254740993", "9007199254740993"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("true", "true"),
        ("false", "false"),
        ('"5.0"', "5.0"),
        ('"007"', "007"),
        ('" x "', " x "),
    ],
)
def test_an_id_in_json_lines_names_its_record_as_rfc_8785_writes_it(tmp_path: Path, written: str, name: str) -> None:
    """JSON does not distinguish kinds of numbers. Text is not changed."""
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"id": {written}, "text": "a"}}\n')

    (row,) = rows(JsonLines(), path)

    assert row["source_id"] == name
    assert not row["metadata"]


@pytest.mark.parametrize(
    ("column", "names"),
    [
        (pa.array([5.0, 1e3, 2.5]), ["5", "1000", "2.5"]),
        (pa.array([7.0, 0.5], pa.float32()), ["7", "0.5"]),
        (pa.array([2**53 + 1, -1], pa.int64()), ["9007199254740993", "-1"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["5.0", "é"]), ["5.0", "é"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
    ],
)
def test_an_id_in_parquet_names_its_record_as_in_json_lines(tmp_path: Path, column: pa.Array, names: list[str]) -> None:
    """pandas stores a column of whole numbers with gaps as floats, which must not change the ids."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"id": column, "text": ["a"] * len(column)}), path)

    assert [row["source_id"] for row in rows(Parquet(), path)] == names


@given(number=st.integers(-(2**53), 2**53))
def test_a_whole_number_has_one_name_in_both_kinds_of_numbers(number: int) -> None:
    """Up to 2^53, a float represents the number exactly."""
    assert named(number) == named(float(number)) == str(number)


@given(one=st.floats(allow_nan=False, allow_infinity=False), other=st.floats(allow_nan=False, allow_infinity=False))
def test_different_numbers_have_different_names(one: float, other: float) -> None:
    """The shortest digits that read back as the same number are unique."""
    assert (named(one) == named(other)) == (one == other)


@pytest.mark.parametrize(
    ("written", "kind"),
    [('{"a": 1}', "unusable"), ("[1]", "unusable"), ("[]", "unusable"), ("null", "missing"), ('""', "missing")],
)
def test_an_unusable_id_is_counted_and_kept_in_the_metadata(tmp_path: Path, written: str, kind: str) -> None:
    """The id of the record is its hash, but the value must not get lost."""
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"id": {written}, "text": "a"}}\n{{"text": "b"}}\n{{"id": 1, "text": "c"}}\n')
    counts: Counter[str] = Counter()

    offered = rows(JsonLines(), path)
    list(JsonLines().read(str(path), name="x", counts=counts))

    assert offered[0]["source_id"] == offered[0]["record_sha256"]
    assert ("id" in (offered[0]["metadata"] or ())) == (kind == "unusable" or written == '""')
    assert counts == Counter({"ids.missing": 1, "ids.given": 1}) + Counter({f"ids.{kind}": 1})


def test_a_number_that_is_not_finite_is_a_missing_id(tmp_path: Path) -> None:
    """pandas writes NaN for a missing value."""
    path = tmp_path / "x.parquet"
    ids = pa.array([float("nan"), float("inf"), None, 3.0])
    pq.write_table(pa.table({"id": ids, "text": list("abcd")}), path)
    counts: Counter[str] = Counter()

    list(Parquet().read(str(path), name="x", counts=counts))

    assert counts == {"ids.missing": 3, "ids.given": 1}


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        (("file", "id"), ["a%23b/part.jsonl#0", "a%23b/part.jsonl#x#y"]),
        (("id", "file"), ["0#a#b/part.jsonl", "x%23y#a#b/part.jsonl"]),
        (("lang", "id"), ["de#0", "50%25#x#y"]),
        (("file", "lang", "id"), ["a%23b/part.jsonl#de#0", "a%23b/part.jsonl#50%25#x#y"]),
    ],
)
def test_an_id_can_have_several_parts(tmp_path: Path, parts: tuple[str, ...], names: list[str]) -> None:
    """The separator is escaped in the parts, so that different parts have different ids."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": 0.0, "lang": "de", "text": "a"}\n{"id": "x#y", "lang": "50%", "text": "b"}\n')

    offered = rows(JsonLines(id_from=parts), path, name="a#b/part.jsonl")

    assert [row["source_id"] for row in offered] == names
    assert all(not row["metadata"] or row["metadata"].keys() <= {"lang"} - set(parts) for row in offered)


@given(
    one=st.tuples(st.text("a#%", min_size=1), st.text("a#%", min_size=1)),
    other=st.tuples(st.text("a#%", min_size=1), st.text("a#%", min_size=1)),
)
def test_different_parts_make_different_ids(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Two documents must not have the same id because of a character in a name."""
    ids = [Naming(("file", "id"), file, Counter()).name_of({"id": name}) for file, name in (one, other)]

    assert (ids[0] == ids[1]) == (one == other)


def test_the_id_of_a_record_without_one_of_the_parts_is_its_hash(tmp_path: Path) -> None:
    """The other parts alone would not be unique."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"lang": "de", "text": "a"}\n')

    (row,) = rows(JsonLines(id_from=("file", "id")), path)

    assert row["source_id"] == row["record_sha256"]
    assert row["metadata"] == {"lang": "de"}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id_from": ["file"]}, "gives all records of a file one id"),
        ({"id_from": []}, "at least 1"),
        ({"id_from": ["id", "id"]}, "contains a part twice"),
        ({"id_from": ["file", "id"], "id_field": "key"}, "replaces `id_field`"),
    ],
)
def test_invalid_parts_of_an_id_are_refused(
    form: type[JsonLines | Parquet], fields: dict[str, Any], message: str
) -> None:
    """The error must come before any file is read."""
    with pytest.raises(ValidationError, match=message):
        form.model_validate(fields)


@pytest.mark.parametrize("form", FORMATS)
def test_the_name_of_the_file_matters_only_if_it_is_a_part(form: type[JsonLines | Parquet]) -> None:
    """A task runs again after a file was renamed only if the name is a part. Loaders are sent to workers as JSON."""
    loader = form(id_from=("file", "id"))

    assert loader.reads_name
    assert form.model_validate_json(loader.model_dump_json()) == loader
    assert not form().reads_name
    assert not form(id_from=("lang", "id")).reads_name
