"""Files are read in small batches, so that memory does not grow with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.pipelines.file_dedup import files
from corpusmill.pipelines.file_dedup.files import json_batches, parquet_batches
from corpusmill.pipelines.file_dedup.reading import json_reader
from tests.pipelines.file_dedup.files import job, kept, records, run, write_lines, write_parquet


@pytest.mark.parametrize(("limit", "value", "most"), [("_MAX_JSON_ROWS", 4, 4), ("_JSON_CHARACTERS", 1000, 2)])
def test_a_batch_of_json_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, most: int
) -> None:
    """In rows and in characters; the cuts change no record."""
    file = write_lines(tmp_path / "a.jsonl", records())
    run([file], tmp_path / "one")
    monkeypatch.setattr(files, limit, value)
    (part,) = job([file]).parts
    reader = json_reader(job([file]).reader, text="text", id_column="id")

    batches = [rows for _, rows in json_batches(part.pieces, reader)]
    run([file], tmp_path / "two")

    assert [row.value for rows in batches for row in rows] == records()
    assert max(map(len, batches)) == most
    assert kept(tmp_path / "one") == kept(tmp_path / "two")


def test_a_batch_of_parquet_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the mean size of a row of its row group. Columns that the file lacks are left out."""
    (part,) = job([write_parquet(tmp_path / "a.parquet", records())]).parts
    monkeypatch.setattr(files, "_BATCH_BYTES", 1000)

    batches = list(parquet_batches(part.pieces, ["id", "gone"]))

    assert max(batch.num_rows for batch in batches) < 4
    assert batches[0].schema.names == ["id"]
    assert [name for batch in batches for name in batch["id"].to_pylist()] == [row["id"] for row in records()]
