from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from corpusmill.pipelines.reports.croissant import _record_set, write_croissant
from corpusmill.pipelines.reports.statistics import statistics
from corpusmill.schemas.hashing import file_sha256
from tests.pipelines.reports.corpus import Capture, make_version


def loaded(folder: Path) -> Any:
    """Read the description with the reference library; ignore deprecation warnings of its dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        import mlcroissant

        return mlcroissant.Dataset(str(folder / "croissant.json"))


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(loaded(folder).records(name))


def test_the_description_is_valid_without_a_warning(version: Path) -> None:
    """The reference validator reports no error and no missing recommended field."""
    issues = loaded(version).metadata.ctx.issues

    assert issues.errors == set()
    assert issues.warnings == set()


def test_every_file_is_described_with_its_hash(version: Path) -> None:
    """Hashes identify the described files."""
    described = json.loads((version / "croissant.json").read_text())

    files = {item["@id"]: item for item in described["distribution"] if item["@type"] == "cr:FileObject"}
    assert set(files) >= {path.name for path in version.glob("*.parquet")}
    assert described["conformsTo"].endswith("croissant/1.1")
    assert described["version"].startswith("1.0.0+")


@pytest.mark.parametrize(("name", "rows"), [("documents", 250), ("ledger", 150), ("signals", 370), ("origin", 400)])
def test_records_are_read_through_the_description(version: Path, name: str, rows: int) -> None:
    """The reference library can read all records by the description."""
    result = records(version, name)

    assert len(result) == rows
    assert len(result[0][f"{name}/id"]) == 32


def test_metadata_is_described_as_pairs(version: Path) -> None:
    """A list of structs becomes an array with a field for each member."""
    key, value = (f"documents/metadata/{name}" for name in ("key", "value"))

    assert all(row["documents/metadata"] == [{key: b"kind", value: b"test"}] for row in records(version, "documents"))


def test_views_of_any_type_are_described_or_left_out() -> None:
    """Croissant cannot describe bytes, maps and lists of lists."""
    kinds = {
        "flag": pa.bool_(),
        "days": pa.list_(pa.date32()),
        "struct": pa.struct([("a", pa.int64())]),
        "raw": pa.binary(),
        "map": pa.map_(pa.string(), pa.string()),
        "lists": pa.list_(pa.list_(pa.int64())),
        "deep": pa.struct([("a", pa.list_(pa.int64()))]),
    }

    fields = _record_set("documents", pa.schema(list(kinds.items())))["field"]

    assert [field["name"] for field in fields] == ["flag", "days", "struct"]
    assert [field.get("isArray", False) for field in fields] == [False, True, False]
    assert [field.get("dataType") for field in fields] == ["sc:Boolean", "sc:Date", None]
    assert fields[2]["subField"][0]["dataType"] == "cr:Int64"


def test_hashes_are_those_of_the_files(tmp_path: Path) -> None:
    """The hashes are copied from the manifest and must match the files."""
    folder = make_version(tmp_path / "v")
    write_croissant(statistics(folder), folder)

    described = json.loads((folder / "croissant.json").read_text())

    for item in described["distribution"]:
        if item["@type"] == "cr:FileObject":
            assert item["sha256"] == file_sha256(folder / item["contentUrl"])


def test_side_tables_of_stages_are_described_with_files_and_columns(tmp_path: Path) -> None:
    """Side tables are part of the version, so a description without them is incomplete."""
    folder = make_version(tmp_path / "v", spans=True)
    write_croissant(statistics(folder), folder)

    described = json.loads((folder / "croissant.json").read_text())
    result = records(folder, "shouting.spans")

    files = {item["@id"]: item for item in described["distribution"]}
    names = sorted(path.name for path in folder.glob("shouting.spans-*.parquet"))
    assert len(names) == 2
    assert [files[name]["sha256"] for name in names] == [file_sha256(folder / name) for name in names]
    assert files["shouting.spans-files"]["includes"] == ["shouting.spans-*.parquet"]
    assert (len(result), len({row["shouting.spans/id"] for row in result})) == (500, 250)
    assert result[0].keys() == {"shouting.spans/id", "shouting.spans/start", "shouting.spans/words"}
    issues = loaded(folder).metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())


@pytest.mark.parametrize("items", [[], [Capture("s", "1", "a text", license="MIT OR Apache-2.0", language=None)]])
def test_small_versions_are_valid_too(tmp_path: Path, items: list[Capture]) -> None:
    """Versions without documents, languages, licenses or signals are valid, too."""
    folder = make_version(tmp_path / "v", items, signals=False, near_dedup=False, views=False)
    write_croissant(statistics(folder), folder)

    issues = loaded(folder).metadata.ctx.issues

    assert issues.errors == set()
    assert issues.warnings == set()
