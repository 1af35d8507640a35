"""A published version opens in common tools: whole, in part, streaming, with and without the data card."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from corpusmill.pipelines.dataset.shards import ParquetFile
from corpusmill.pipelines.reports.card import write_card
from corpusmill.pipelines.reports.statistics import statistics
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.document import DOCUMENT, LEDGER, TIMESTAMP
from tests.pipelines.dataset.corpora import docs, publish_version
from tests.pipelines.reports.corpus import make_version

PAGE: Final = Path(__file__).parent.parent / "docs" / "how-to" / "open-in-other-tools.md"
ROWS: Final = {"train": 200, "validation": 17, "test": 33}
DAY: Final = date(2020, 1, 2)
TIME: Final = datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
VIEWS: Final[dict[str, tuple[pa.DataType, Any]]] = {
    "flag": (pa.bool_(), True),
    "small": (pa.int32(), -(2**31)),
    "large": (pa.int64(), 2**53 + 1),
    "single": (pa.float32(), 0.5),
    "double": (pa.float64(), 0.1),
    "string": (pa.string(), "ä\n"),
    "binary": (pa.binary(), b"\x00\xff"),
    "day": (pa.date32(), DAY),
    "time": (TIMESTAMP, TIME),
    "words": (pa.list_(pa.string()), ["a", "", "b"]),
    "vector": (pa.list_(pa.float32()), [0.5, -1.0]),
    "days": (pa.list_(pa.date32()), [DAY]),
    "lists": (pa.list_(pa.list_(pa.int64())), [[1], [], [2, 3]]),
    "struct": (pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))]), {"a": 1, "b": ["x"]}),
    "structs": (pa.list_(pa.struct([("at", TIMESTAMP), ("is", pa.bool_())])), [{"at": TIME, "is": False}]),
    "empty": (pa.list_(pa.string()), []),
}
"""Every type of a column between steps (except maps), with a value."""


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Return the library, offline and with a temporary cache; it reads its settings when it is imported."""
    folder = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
            patch.setenv(name, "1")
        patch.setenv("HF_HOME", str(folder))
        import datasets as library

        assert str(library.config.HF_DATASETS_CACHE).startswith(str(folder))
        yield library


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a version with its data card: 250 documents in four shards, ledger, signals and origin."""
    made = make_version(tmp_path_factory.mktemp("version") / "v")
    write_card(statistics(made), made)
    return made


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a shard with a view of every type: a value in the first row, null in the second."""
    path = tmp_path_factory.mktemp("views") / "train-00000-of-00001.parquet"
    schema = pa.schema([*DOCUMENT, *(pa.field(name, kind) for name, (kind, _) in VIEWS.items())])
    required = {field.name: "x" for field in DOCUMENT if not field.nullable}
    first = {"metadata": [{"key": "a", "value": "1"}], **{name: value for name, (_, value) in VIEWS.items()}}
    rows = [{**required, **first, "id": "0"}, {**required, "id": "1"}]
    file = ParquetFile(path, schema)
    file.write(pa.RecordBatch.from_pylist(rows, schema=schema))
    file.close()
    return path


def snippets(language: str = "python") -> dict[str, str]:
    """Return the code of the how-to page by heading."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    blocks_of = {
        section.split("\n", 1)[0]: re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL) for section in sections
    }
    return {name: blocks[0] for name, blocks in blocks_of.items() if blocks}


def run(code: str, folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run *code* in *folder* and return its global names."""
    patch.chdir(folder)
    names: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(code, "snippet", "exec"), names)
    return names


def plain(value: Any) -> Any:
    """Convert a value of any of the tools to plain Python types."""
    if isinstance(value, pl.Series):
        value = value.to_list()
    elif hasattr(value, "asDict"):
        value = value.asDict()
    elif hasattr(value, "tolist"):
        value = value.tolist()
    match value:
        case pd.Timestamp():
            return value.to_pydatetime().astimezone(UTC)
        case datetime():
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        case bytearray():
            return bytes(value)
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case _:
            return value


def check(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Check both rows of `views` as read by a tool."""
    assert {name: plain(first[name]) for name in VIEWS} == {name: value for name, (_, value) in VIEWS.items()}
    assert plain(first["metadata"]) == [{"key": "a", "value": "1"}]
    assert {name for name in (*VIEWS, "metadata") if plain(second[name]) is not None} == set()


def test_datasets_loads_the_folder_by_its_card(datasets: ModuleType, folder: Path) -> None:
    """The `configs` of the card list the files of each split and the side files."""
    splits = datasets.load_dataset(str(folder))
    names = datasets.get_dataset_config_names(str(folder))

    assert {name: split.num_rows for name, split in splits.items()} == ROWS
    assert splits["train"].column_names == [*DOCUMENT.names, "lemmas"]
    assert splits["train"][0]["metadata"] == [{"key": "kind", "value": "test"}]
    assert names == ["default", "ledger", "origin", "signals"]
    sides = {name: datasets.load_dataset(str(folder), name, split=name) for name in names[1:]}
    assert {name: side.num_rows for name, side in sides.items()} == {"ledger": 150, "origin": 400, "signals": 370}
    assert sides["ledger"].column_names == LEDGER.names
    assert "gopher.word_count" in sides["signals"].column_names


def test_datasets_streams_and_takes_columns(datasets: ModuleType, folder: Path) -> None:
    """Training on a large version must not copy it or read all of it."""
    stream = datasets.load_dataset(str(folder), split="train", streaming=True)
    some = datasets.load_dataset(str(folder), split="test", columns=["id", "metadata"])
    both = datasets.load_dataset(str(folder), split="validation", streaming=True, columns=["metadata"])

    rows = list(stream)
    assert len(rows) == ROWS["train"]
    assert list(rows[0]) == [*DOCUMENT.names, "lemmas"]
    assert some.column_names == ["id", "metadata"]
    assert some.num_rows == ROWS["test"]
    assert list(both) == [{"metadata": [{"key": "kind", "value": "test"}]}] * ROWS["validation"]


def test_datasets_loads_the_files_without_a_card(datasets: ModuleType, folder: Path) -> None:
    """The names of the files are enough, because they begin with the split; the ledger is not loaded."""
    by_folder = datasets.load_dataset("parquet", data_dir=str(folder))
    by_pattern = datasets.load_dataset("parquet", data_files={"train": str(folder / "train-*.parquet")}, streaming=True)

    assert {name: split.num_rows for name, split in by_folder.items()} == ROWS
    assert len(list(by_pattern["train"])) == ROWS["train"]


def test_shards_and_kinds_without_rows_do_not_stop_datasets(datasets: ModuleType, tmp_path: Path) -> None:
    """`datasets` refuses a split without rows, so the card omits it; a single empty shard is harmless."""
    small = publish_version(Workspace(tmp_path), docs(range(21, 24)))
    write_card(statistics(small.path), small.path)

    splits = datasets.load_dataset(str(small.path))

    rows = [(file.split, file.rows) for file in small.manifest.files]
    assert {split for split, count in rows if count} == set(splits) != set(ROWS)
    assert ("train", 0) in rows
    assert sum(split.num_rows for split in splits.values()) == 3
    assert datasets.get_dataset_config_names(str(small.path)) == ["default", "origin", "signals"]


def test_the_code_in_the_card_works(datasets: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers copy the code."""
    (code,) = re.findall(r"```python\n(import os\n.*?)```", (folder / "README.md").read_text(), re.DOTALL)

    names = run(code, folder, monkeypatch)

    assert names["documents"].num_rows == ROWS["train"]
    assert set(next(iter(names["some"]))) == {"id", "text"}
    assert (names["ledger"].num_rows, names["signals"].num_rows) == (150, 370)


@pytest.mark.parametrize("heading", ["Hugging Face datasets", "DuckDB", "Polars", "pandas", "PyTorch"])
def test_the_code_of_the_page_works(
    datasets: ModuleType,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    heading: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Readers copy the code and run it in the folder of a version."""
    names = run(snippets()[heading], folder, monkeypatch)

    printed = capsys.readouterr().out
    assert heading == "Hugging Face datasets" or printed
    if heading == "Hugging Face datasets":
        assert names["facts"] == {"kind": "test"}
        assert {name: split.num_rows for name, split in names["splits"].items()} == ROWS


@pytest.mark.parametrize("is_streaming", [False, True])
def test_datasets_reads_every_type(datasets: ModuleType, views: Path, is_streaming: bool) -> None:
    """Views can have any type except maps."""
    loaded = datasets.load_dataset("parquet", data_files=str(views), split="train", streaming=is_streaming)

    check(*loaded)


def test_duckdb_polars_and_pandas_read_every_type(views: Path) -> None:
    """Nulls must be preserved, and pandas must not turn whole numbers into floats."""
    with duckdb.connect() as connection:
        result = connection.execute(f"SELECT * FROM '{views}'")
        names = [column[0] for column in result.description or ()]
        check(*(dict(zip(names, row, strict=True)) for row in result.fetchall()))
    check(*pl.read_parquet(views).to_dicts())
    check(*pl.scan_parquet(views).collect(engine="streaming").to_dicts())
    arrow = pd.read_parquet(views, dtype_backend="pyarrow")
    check(*(dict(zip(arrow, (None if _is_gap(cell) else cell for cell in row), strict=True)) for row in arrow.values))
    assert pd.read_parquet(views)["metadata"][0].tolist() == [{"key": "a", "value": "1"}]


def _is_gap(cell: Any) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT


def test_datasets_refuses_a_map(datasets: ModuleType, tmp_path: Path) -> None:
    """This is the reason for the type of `metadata`; if this test fails, maps can be published again."""
    path = tmp_path / "train.parquet"
    schema = pa.schema([pa.field("id", pa.string()), pa.field("map", pa.map_(pa.string(), pa.string()))])
    file = ParquetFile(path, schema)
    file.write(pa.RecordBatch.from_pylist([{"id": "0", "map": [("a", "1")]}], schema=schema))
    file.close()

    with pytest.raises(ValueError, match="does not have a datasets dtype equivalent"):
        datasets.load_dataset("parquet", data_files=str(path), columns=["id"])


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_spark_reads_every_type_and_the_code_of_the_page_works(
    folder: Path, views: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both use one session, because starting it takes most of the time."""
    options = ("spark.master=local[1]", "spark.ui.enabled=false", "spark.driver.host=127.0.0.1")
    arguments = " ".join(f"--conf {option}" for option in options)
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", f"{arguments} pyspark-shell")

    names = run(snippets()["Spark"], folder, monkeypatch)

    try:
        assert "gopher.word_count" in capsys.readouterr().out
        assert names["documents"].count() == ROWS["train"]
        rows = names["spark"].read.parquet(views.as_uri()).orderBy("id").collect()
        check(*(row.asDict() for row in rows))
    finally:
        names["spark"].stop()
