"""Estimates from a sample: number of records, share that is kept, and amount of text."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from corpusmill import acquisition
from corpusmill.pipelines.planning.loaded import planned
from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.planning.sizes import Documents, documents_of
from corpusmill.pipelines.planning.sources import source_input
from corpusmill.pipelines.running.sources import acquire
from corpusmill.pipelines.workspace import Workspace

QUARTER = pytest.approx(1.0, abs=0.25)
SENTENCE = "It was on the way to the sea that they saw the house of which he had told them, and went in. "


def documents(folder: Path, source: str, *, stages: str = "[normalize]") -> Documents:
    """Return the estimates before a run for the files that *source* names in *folder*."""
    path = folder / "recipe.yaml"
    path.write_text(f"dataset: d\nsources:\n  - load: {{name: s, {source}}}\nstages: {stages}\n")
    parts, place = acquisition(), Workspace(folder / "workspace")
    loaded = read_recipe(path, place, parts)
    place.make()
    inputs = [
        source_input(loaded, s, acquire(loaded, s, place, parts), place, parts.loaders) for s in loaded.recipe.sources
    ]
    return documents_of(planned(loaded, inputs, place, limit=None).plan, inputs)


def write_lines(path: Path, rows: Iterable[Any]) -> None:
    data = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)


def texts(count: int, *, characters: int) -> list[dict[str, str]]:
    """Return records of *characters* characters, numbered so that no two are equal."""
    return [
        {"text": f"{number} {SENTENCE * (characters // len(SENTENCE) + 1)}"[:characters]} for number in range(count)
    ]


def test_a_record_that_is_longer_than_a_slice_is_counted_once(tmp_path: Path) -> None:
    """No record begins in the other slices of its file."""
    write_lines(tmp_path / "a.jsonl", texts(1, characters=14_000_000))

    found = documents(tmp_path, "format: jsonl, path: a.jsonl")

    assert found.rows == QUARTER
    assert found.text_bytes / 14_000_000 == QUARTER


def test_a_file_of_one_long_record_does_not_stand_for_the_others(tmp_path: Path) -> None:
    """Each file represents its own bytes: 14 MB of one record, and 6 MB of many."""
    write_lines(tmp_path / "a.jsonl", texts(1, characters=14_000_000))
    write_lines(tmp_path / "b.jsonl", texts(6_000, characters=1_000))

    found = documents(tmp_path, "format: jsonl, path: '*.jsonl'")

    assert found.rows / 6_001 == QUARTER


def test_the_last_slice_of_a_file_counts_by_its_own_size(tmp_path: Path) -> None:
    """The last slice is often small, but it is not a small file."""
    write_lines(tmp_path / "a.jsonl", ({"id": f"d{number}", "text": ""} for number in range(150_000)))

    assert documents(tmp_path, "format: jsonl, path: a.jsonl").rows / 150_000 == QUARTER


def test_the_first_records_of_a_compressed_file_do_not_stand_for_all(tmp_path: Path) -> None:
    """A compressed file is read from its start, where records may be smaller than later ones."""
    write_lines(tmp_path / "a.jsonl.gz", [*texts(500, characters=20), *texts(400, characters=20_000)])

    found = documents(tmp_path, "format: jsonl, path: a.jsonl.gz")

    assert 0.5 < found.rows / 900 < 2


def test_a_compressed_file_that_breaks_off_counts_by_what_it_gives(tmp_path: Path) -> None:
    """The rest of the file is lost and counts as one broken record."""
    path = tmp_path / "a.jsonl.gz"
    chance = random.Random(3)
    write_lines(path, ({"text": f"{SENTENCE}{chance.randbytes(300).hex()}"} for _ in range(20_000)))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 20] + chance.randbytes(len(data) * 19 // 20))

    found = documents(tmp_path, "format: jsonl, path: a.jsonl.gz")

    assert found.rows / 1_000 == QUARTER


def test_a_small_file_that_holds_much_is_read(tmp_path: Path) -> None:
    """The decompressed size decides: 8 MB of lines that are not records compress to almost nothing."""
    write_lines(tmp_path / "a.jsonl.gz", (f"no {number} {'and so on ' * 80}" for number in range(10_000)))

    found = documents(tmp_path, "format: jsonl, path: a.jsonl.gz")

    assert found.rows / 10_000 == QUARTER
    assert (found.living, found.text_bytes) == (0, 0)


def test_records_that_are_rejected_are_told_from_those_that_live(tmp_path: Path) -> None:
    """One line in four is a record; the others need a ledger row but no text."""
    good = texts(2_500, characters=2_000)
    write_lines(tmp_path / "a.jsonl", (line for row in good for line in (row, *(f"no {row['text']}",) * 3)))

    found = documents(tmp_path, "format: jsonl, path: a.jsonl")

    assert found.rows / 10_000 == QUARTER
    assert found.living / 2_500 == QUARTER
    assert found.text_bytes / 5_000_000 == QUARTER


def test_files_in_which_no_record_was_found_are_empty_as_far_as_they_were_read(tmp_path: Path) -> None:
    """An archive that contains only metadata must be read in all slices."""
    block = b"x" * 4_000
    head = "WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Record-ID: <urn:x:{}>\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
    length = f"Content-Length: {len(block)}\r\n\r\n"
    records = ((head.format(number) + length).encode() + block + b"\r\n\r\n" for number in range(1_200))
    (tmp_path / "a.warc").write_bytes(b"".join(records))

    found = documents(tmp_path, "format: warc, path: a.warc", stages="[extract]")

    assert found.rows < 10
