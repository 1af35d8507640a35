"""Files are cut into parts by their size alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.pipelines.file_dedup import inputs
from corpusmill.pipelines.file_dedup.inputs import Part
from corpusmill.schemas.errors import DamagedFileError, UsageError
from tests.pipelines.file_dedup.files import job, records, run, write_lines, write_parquet


def test_parts_are_consecutive_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read together, large ones by row groups, each of them once."""
    files = [write_parquet(tmp_path / f"{number}.parquet", records(40)) for number in range(2)]

    whole = job(files).parts
    monkeypatch.setattr(inputs, "_MIN_PART_BYTES", 5_000)
    parts = job(files).parts

    assert [[(piece.start, piece.end) for piece in part.pieces] for part in whole] == [[(0, 10), (0, 10)]]
    assert 5 < len(parts) <= 20
    groups = [(piece.path, group) for part in parts for piece in part.pieces for group in range(piece.start, piece.end)]
    assert groups == [(str(file), group) for file in files for group in range(10)]


def test_parts_are_rows_of_a_step(tmp_path: Path) -> None:
    """A worker gets its part as a row."""
    known = write_lines(tmp_path / "known.jsonl", records(3))
    (own, reference) = job([write_lines(tmp_path / "a.jsonl", records(3))], against=[known]).parts

    assert [Part.from_row(part.as_row()) for part in (own, reference)] == [own, reference]
    assert [part.is_reference for part in (own, reference)] == [False, True]


def test_the_address_of_a_job_covers_files_and_options(tmp_path: Path) -> None:
    """The same command resumes; another one must not."""
    file = write_lines(tmp_path / "a.jsonl", records(3))
    one = job([file])

    assert job([file, file]).address == one.address
    assert job([file], threshold=0.9).address != one.address
    assert job([file], keep="newest").address != one.address
    write_lines(file, records(4))
    assert job([file]).address != one.address


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """Nothing was written, so it is no problem of the disk."""
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        job([tmp_path / "gone.parquet"])


def test_a_damaged_row_group_stops_the_run(tmp_path: Path) -> None:
    """Its rows cannot be counted one by one, as the lines of a JSON file can."""
    file = write_parquet(tmp_path / "a.parquet", records())
    data = bytearray(file.read_bytes())
    data[200:2000] = bytes(1800)
    file.write_bytes(data)

    with pytest.raises(DamagedFileError, match="row groups 0 to 7 cannot be read") as stopped:
        run([file], tmp_path / "out")

    assert stopped.value.file == str(file)
    assert list((tmp_path / "out").iterdir()) == []
