"""Guarantees for written documents, independent of their loader and stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import corpusmill
from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.dataset.shards import ParquetFile
from corpusmill.pipelines.dataset.version import Version
from corpusmill.schemas.document import METADATA, OFFER, type_name
from corpusmill.schemas.hashing import logical_hash
from corpusmill.schemas.metadata import metadata_dicts

ENTRIES = [{"key": "b", "value": "1"}, {"key": "a", "value": "2"}, {"key": "b", "value": "3"}, {"key": "c"}]


class Untidy(Loader):
    """Reads metadata with unsorted entries, a repeated key, and a key without a value."""

    suffixes: ClassVar[tuple[str, ...]] = (".untidy",)

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        rows: list[dict[str, Any]] = [
            {"source_id": number, "text": f"text {number}", "metadata": metadata}
            for number, metadata in (("1", ENTRIES), ("2", None), ("3", []), ("4", ENTRIES[1:2]))
        ]
        yield pa.RecordBatch.from_pylist(rows, schema=OFFER)


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Version:
    monkeypatch.setitem(LOADERS, "untidy", f"{__name__}:Untidy")
    (tmp_path / "one.untidy").write_bytes(b"x")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("dataset: made\nsources:\n  - load: {name: s, format: untidy, path: one.untidy}\nstages: []\n")
    corpusmill.run(recipe, workspace=tmp_path / "corpus", workers=0)
    return corpusmill.open_version("made", tmp_path / "corpus")


def test_published_metadata_is_sorted_with_distinct_keys(version: Version) -> None:
    """The first entry of a key wins; null and empty values are kept."""
    (batch,) = version.documents(columns=["source_id", "metadata"])

    assert batch["metadata"].type == METADATA
    metadata_by_id = dict(zip(batch["source_id"].to_pylist(), metadata_dicts(batch["metadata"]), strict=True))
    assert metadata_by_id == {"1": {"a": "2", "b": "1"}, "2": None, "3": {}, "4": {"a": "2"}}
    assert list(metadata_by_id["1"] or {}) == ["a", "b"]


def test_manifest_and_logical_hash_are_those_of_the_file_as_it_is_read(version: Version) -> None:
    """Parquet changes the name of list items in the schema."""
    (shard,) = (file for file in version.manifest.files if file.rows)
    (path,) = version.files("shard", split=shard.split)

    table = pq.read_table(path)

    declared = {column["name"]: column["type"] for column in version.manifest.document_schema}
    assert declared == {field.name: type_name(field.type) for field in table.schema}
    assert logical_hash(table.to_batches(), table.schema) == shard.logical_hash


@pytest.mark.parametrize("rows", [7, 700])
def test_the_bytes_of_a_file_do_not_depend_on_batches(tmp_path: Path, rows: int) -> None:
    """Engines cut batches differently, and a Parquet page may end where a batch ends."""
    schema = pa.schema([pa.field("id", pa.string()), pa.field("text", pa.string())])
    texts = ["".join(f"{row * line} " for line in range(500)) for row in range(1_400)]
    table = pa.table({"id": [f"{row:032x}" for row in range(len(texts))], "text": texts}, schema)
    hashes = set()
    for name, size in (("whole", len(texts)), ("cut", rows)):
        file = ParquetFile(tmp_path / name, schema)
        for batch in table.to_batches(max_chunksize=size):
            file.write(batch)
        file.close()
        hashes.add(file.facts()["sha256"])

    assert len(hashes) == 1
