"""Parquet: the rows of a table become the same records as in JSON Lines."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import random
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import encryption

from corpusmill.crawlers.loaders.jsonl import JsonLines
from corpusmill.crawlers.loaders.parquet import Parquet
from corpusmill.crawlers.loaders.rows import MAX_DEPTH
from corpusmill.schemas.errors import SourceError, UnfinishedError
from tests.crawlers.loaders.reading import in_slices, rows, samples

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
table_rows = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.one_of(st.none(), texts),
            "text": st.one_of(st.none(), texts),
            "score": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
            "stars": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            "tags": st.one_of(st.none(), st.lists(texts, max_size=3)),
            "by": st.one_of(
                st.none(), st.fixed_dictionaries({"name": st.one_of(st.none(), texts), "age": st.integers(0, 9)})
            ),
        }
    ),
    min_size=1,
    max_size=6,
)
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "text": pa.large_string(),
        "score": pa.float64(),
        "stars": pa.int64(),
        "tags": pa.list_(pa.string()),
        "by": pa.struct({"name": pa.string(), "age": pa.int64()}),
    }
)


def write(folder: Path, table: pa.Table, **options: Any) -> Path:
    path = folder / "x.parquet"
    pq.write_table(table, path, **options)
    return path


def without_place(offered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "offset": None, "length": None} for row in offered]


@given(table_rows)
def test_rows_become_the_same_records_as_in_json_lines(table: list[dict[str, Any]]) -> None:
    """The same rows in another format must be the same captures."""
    with tempfile.TemporaryDirectory() as folder:
        parquet = write(Path(folder), pa.Table.from_pylist(table, schema=SCHEMA))
        lines = Path(folder) / "x.jsonl"
        lines.write_text("".join(json.dumps(row) + "\n" for row in table))

        assert without_place(rows(Parquet(), parquet)) == without_place(rows(JsonLines(), lines))


def test_every_type_of_column_has_a_json_form(tmp_path: Path) -> None:
    """A column of an unusual type must not stop a run. The forms are those commonly used in JSON."""
    columns = {
        "text": pa.array(["t"]).dictionary_encode(),
        "at": pa.array([datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC)], pa.timestamp("ns", "America/New_York")),
        "local": pa.array([datetime(2020, 1, 2)], pa.timestamp("s")),
        "on": pa.array([date(2020, 1, 2)]),
        "clock": pa.array([time(1, 2, 3)], pa.time64("ns")),
        "took": pa.array([timedelta(seconds=1.5)], pa.duration("ns")),
        "price": pa.array([Decimal("1.50")]),
        "raw": pa.array([b"\x00\xff"]),
        "nan": pa.array([float("nan")]),
        "half": pa.array([0.5], pa.float16()),
        "pairs": pa.array([[("b", 1), ("a", None)]], pa.map_(pa.string(), pa.int32())),
        "deep": pa.array([[{"at": datetime(2020, 1, 2)}]], pa.list_(pa.struct({"at": pa.timestamp("ns")}))),
        "words": pa.array([["x"]], pa.large_list(pa.large_string())),
    }
    path = write(tmp_path, pa.table(columns))

    metadata = rows(Parquet(), path)[0]["metadata"]

    assert metadata == {
        **{
            "at": "2020-01-02T03:04:05.000006Z",
            "local": "2020-01-02T00:00:00",
            "on": "2020-01-02",
            "clock": "01:02:03",
        },
        **{"took": "1.5", "price": "1.50", "raw": "AP8=", "half": "0.5", "pairs": '{"b":1}'},
        **{"deep": '[{"at":"2020-01-02T00:00:00"}]', "words": '["x"]'},
    }


@pytest.mark.parametrize("edges", [[0, 10_000_000], [0, 300, 700, 10_000_000], [0, 4, 5, 6, 10_000_000]])
def test_slices_give_what_the_whole_file_gives(tmp_path: Path, edges: list[int]) -> None:
    """Each row belongs to one slice, independent of where the file is cut."""
    table = pa.table({"text": [f"text {i}" for i in range(500)], "id": list(range(500))})
    path = write(tmp_path, table, row_group_size=40)

    assert in_slices(Parquet(), path, edges) == rows(Parquet(), path)
    assert len(Parquet().slices(str(path))) == 1


@pytest.mark.parametrize("row_group_size", [5000, 1700, 300, 7])
def test_slices_are_balanced_and_split_large_row_groups_by_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_group_size: int
) -> None:
    """The whole file can be one row group; small row groups are read together."""
    monkeypatch.setattr("corpusmill.crawlers.loaders.parquet.MIN_PACKED_SLICE_BYTES", 1000)
    table = pa.table({"text": [hashlib.sha256(b"%d" % i).hexdigest() for i in range(5000)], "id": list(range(5000))})
    path = write(tmp_path, table, row_group_size=row_group_size)

    slices = Parquet().slices(str(path))

    parts = [rows(Parquet(), path, start=start, end=end) for start, end in slices]
    assert 8 <= len(slices) <= 24
    assert max(map(len, parts)) <= 2.2 * min(map(len, parts))
    assert [row for part in parts for row in part] == rows(Parquet(), path)


def test_a_table_without_rows_has_one_slice(tmp_path: Path) -> None:
    """Such a table has no row group, or an empty one."""
    path = write(tmp_path, pa.table({"text": pa.array([], pa.string())}))

    (piece,) = Parquet().slices(str(path))

    assert rows(Parquet(), path, start=piece[0], end=piece[1]) == []


def test_a_missing_text_column_is_refused_with_a_similar_one_as_hint(tmp_path: Path) -> None:
    """The user must set `text_field`, so the message lists the columns."""
    path = write(tmp_path, pa.table({"n": [1], "texts": ["a"]}))

    with pytest.raises(SourceError, match="no column `text`; it has `n`, `texts`") as caught:
        Parquet().check(str(path))

    assert (caught.value.file, caught.value.hint) == (str(path), "text_field: texts")


def test_a_text_column_of_numbers_is_refused(tmp_path: Path) -> None:
    """Numbers are not documents; the user probably chose the wrong column."""
    path = write(tmp_path, pa.table({"text": [1]}))

    with pytest.raises(SourceError, match="has the type int64, not text"):
        rows(Parquet(), path)


def test_a_missing_id_column_is_refused_only_if_the_recipe_sets_it(tmp_path: Path) -> None:
    """The default column `id` may be missing, but an `id_field` in the recipe must exist."""
    path = write(tmp_path, pa.table({"text": ["a"]}))

    assert len(rows(Parquet(), path)) == 1
    with pytest.raises(SourceError, match="no column `key`"):
        rows(Parquet(id_field="key"), path)


@pytest.mark.parametrize("keep", [0, 3, 0.5, 0.9])
def test_a_damaged_file_is_set_aside(tmp_path: Path, keep: float) -> None:
    """A table without its footer cannot be read at all, but must not stop the other files of the source."""
    path = write(tmp_path, pa.table({"text": ["a" * 1000]}))
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size) if keep < 1 else keep])  # type: ignore[index]
    Parquet().check(str(path))

    (row,) = [row for start, end in Parquet().slices(str(path)) for row in rows(Parquet(), path, start=start, end=end)]

    assert row["rule"] == ("error.empty" if keep == 0 else "error.damaged")
    assert row["record_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "not a readable Parquet file" in row["message"]


@pytest.mark.parametrize("hurt", [0, 2, 4])
def test_only_the_damaged_row_group_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hurt: int) -> None:
    """Other row groups are read; one row reports the loss, in one of the slices of the row group."""
    monkeypatch.setattr("corpusmill.crawlers.loaders.parquet.MIN_PACKED_SLICE_BYTES", 1000)
    texts = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(5000)]
    path = write(tmp_path, pa.table({"text": texts}), compression="zstd", row_group_size=1000)
    with pq.ParquetFile(path) as file:
        first = file.metadata.row_group(hurt).column(0).dictionary_page_offset
    data = bytearray(path.read_bytes())
    data[first + 40 : first + 4000] = bytes(3960)
    slices = Parquet().slices(str(path))
    path.write_bytes(data)

    parts = [row for start, end in slices for row in rows(Parquet(), path, start=start, end=end)]

    bad = [row for row in parts if row["rule"]]
    assert len(slices) > 5
    assert [row["rule"] for row in bad] == ["error.damaged"]
    assert f"row group {hurt} cannot be read" in bad[0]["message"]
    assert [row["text"] for row in parts if row["text"]] == [*texts[: hurt * 1000], *texts[hurt * 1000 + 1000 :]]
    assert parts == rows(Parquet(), path)


def test_an_error_of_the_disk_is_not_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the version would lack documents that are in the file."""
    path = write(tmp_path, pa.table({"text": ["a"]}))

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", fail)

    with pytest.raises(UnfinishedError, match="Input/output error"):
        rows(Parquet(), path)


def test_every_sample_is_read() -> None:
    """The samples are real files; one was written by Polars with large strings and ten row groups."""
    assert sum(len(rows(Parquet(), path)) for path in samples("parquet")) == 612


def test_nested_columns_have_the_depth_limit_of_json_lines(tmp_path: Path) -> None:
    """The limit must not depend on the caller's stack."""
    value: Any = 1
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    good = write(tmp_path, pa.table({"text": ["a"], "deep": [value]}))

    assert [row["rule"] for row in rows(Parquet(), good)] == [None]

    deep = write(tmp_path, pa.table({"text": ["a"], "deep": [[value]]}))
    with pytest.raises(SourceError, match="nested 65 levels deep, more than 64"):
        Parquet().check(str(deep))


@pytest.mark.parametrize("names", [("text", "text", "id"), ("text", "note", "note")])
def test_repeated_column_names_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    """A row can have only one of the columns, and the choice would be arbitrary."""
    path = write(tmp_path, pa.table([pa.array(["a"])] * 3, names=list(names)))

    with pytest.raises(SourceError, match=rf"two columns have the name `{names[1]}`") as caught:
        Parquet().check(str(path))
    assert caught.value.file == str(path)


def unchecked(*values: bytes) -> pa.Array:
    """Return *values* as an array of strings without checking that they are valid UTF-8, as some writers do."""
    return pa.Array.from_buffers(pa.string(), len(values), pa.array(values, pa.binary()).buffers())


LATIN_1 = unchecked("garçon".encode("latin-1"), "garçon".encode())


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (LATIN_1, "gar\ufffdon"),
        (LATIN_1.dictionary_encode(), "gar\ufffdon"),
        (pa.ListArray.from_arrays([0, 1, 2], LATIN_1), '["gar\ufffdon"]'),
        (pa.FixedSizeListArray.from_arrays(LATIN_1, 1), '["gar\ufffdon"]'),
        (pa.ListArray.from_arrays([0, 1, 2], LATIN_1.dictionary_encode()), '["gar\ufffdon"]'),
        (pa.StructArray.from_arrays([LATIN_1], ["name"]), '{"name":"gar\ufffdon"}'),
        (pa.MapArray.from_arrays([0, 1, 2], LATIN_1, pa.array([1, 1])), '{"gar\ufffdon":1}'),
        (pa.StructArray.from_arrays([pa.ListArray.from_arrays([0, 1, 2], LATIN_1)], ["n"]), '{"n":["gar\ufffdon"]}'),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value.type),
)
def test_a_string_that_is_not_utf_8_does_not_stop_the_run(tmp_path: Path, column: pa.Array, expected: str) -> None:
    """Parquet writers do not check strings. An unused column must not make the document invalid."""
    file = tmp_path / "latin.parquet"
    pq.write_table(pa.table({"text": ["one", "two"], "by": column}), file)

    first, second = rows(Parquet(), file)

    assert (first["text"], dict(first["metadata"])["by"]) == ("one", expected)
    assert dict(second["metadata"])["by"] == expected.replace("\ufffd", "ç")


def test_a_text_that_is_not_utf_8_is_set_aside(tmp_path: Path) -> None:
    """The characters of the text are unknown, but the other rows are read."""
    file = tmp_path / "latin.parquet"
    pq.write_table(pa.table({"text": LATIN_1, "n": [1, 2]}), file)

    first, second = rows(Parquet(), file)

    assert (first["rule"], first["message"]) == ("error.encoding", "the text or the id is not valid Unicode")
    assert second["text"] == "garçon"


class Keys(encryption.KmsClient):  # type: ignore[misc]
    """Keeps keys without wrapping them, which is enough for a test."""

    def wrap_key(self, key: bytes, name: str) -> str:
        return base64.b64encode(key).decode()

    def unwrap_key(self, wrapped: str, name: str) -> bytes:
        return base64.b64decode(wrapped)


@pytest.mark.parametrize("has_plain_footer", [False, True])
def test_an_encrypted_file_is_set_aside(tmp_path: Path, has_plain_footer: bool) -> None:
    """With a plain footer, pyarrow ended the whole process."""
    table = pa.table({"id": ["1"], "text": ["secret"]})
    settings = encryption.EncryptionConfiguration("f", column_keys={"c": ["text"]}, plaintext_footer=has_plain_footer)
    factory = encryption.CryptoFactory(lambda _: Keys())
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), settings)
    with pq.ParquetWriter(tmp_path / "a.parquet", table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    pq.write_table(table, tmp_path / "b.parquet")

    (row,) = rows(Parquet(), tmp_path / "a.parquet")

    assert row["rule"] == "error.encrypted"
    assert [row["text"] for row in rows(Parquet(), tmp_path / "b.parquet")] == ["secret"]


def test_a_footer_with_a_writer_that_is_not_utf_8_is_set_aside(tmp_path: Path) -> None:
    """One wrong byte of a footer must not end the run, neither when columns are checked nor when rows are read."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a"]}), path)
    path.write_bytes(path.read_bytes().replace(b"parquet-cpp", b"p\xe4rquet-cpp"))

    Parquet().check(str(path))
    (row,) = rows(Parquet(), path)

    assert row["rule"] == "error.damaged"


def test_a_file_of_another_format_is_set_aside(tmp_path: Path) -> None:
    """The reason is not damage, and says what was expected."""
    (tmp_path / "a.parquet").write_text("id,text\n1,a\n")

    (row,) = rows(Parquet(), tmp_path / "a.parquet")

    assert row["rule"] == "error.wrong_format"


def test_the_text_may_be_a_field_of_an_object(tmp_path: Path) -> None:
    """`text_field: page.body` names it as a template does; a column of objects gives the hint."""
    path = write(tmp_path, pa.table({"id": ["1", "2"], "page": [{"body": "inner"}, None], "words": [["a"], ["b"]]}))

    found = rows(Parquet(text_field="page.body"), path)

    assert [row["text"] for row in found] == ["inner", None]
    for field, hint in (("page", "text_field: page.body"), ("words", '"{words}"')):
        with pytest.raises(SourceError) as error:
            Parquet(text_field=field).check(str(path))
        assert hint in str(error.value.hint)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_a_large_row_group_is_read_in_pieces(tmp_path: Path) -> None:
    """A file of one row group would otherwise need the memory of its largest column in each worker."""
    path = tmp_path / "a.parquet"
    text = random.Random(1).randbytes(1000)
    texts = pa.array([(number.to_bytes(4, "big") + text).hex() for number in range(40_000)])
    pq.write_table(pa.table({"text": texts}), path, use_dictionary=False, compression=None, row_group_size=40_000)
    script = (
        "import re, sys\nfrom pathlib import Path\nfrom corpusmill.crawlers.loaders.parquet import Parquet\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "next(Parquet().read(sys.argv[2], name='')); before = peak()\n"
        "rows = sum(batch.num_rows for batch in Parquet().read(sys.argv[1], name='')); print(rows, peak() - before)"
    )
    small = tmp_path / "b.parquet"
    pq.write_table(pa.table({"text": ["a"]}), small)

    out = subprocess.run([sys.executable, "-c", script, path, small], capture_output=True, text=True, check=True).stdout

    number, kib = map(int, out.split())
    assert (number, kib < 50_000) == (40_000, True)
