"""Unreadable files: in all formats, the error names the file and has a hint."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.load import load, loader_of
from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.loaders.streams import open_file
from corpusmill.crawlers.registry import LOADERS
from corpusmill.schemas.errors import CorpusmillError, DamagedFileError, SourceError, UnfinishedError
from tests.crawlers.loaders.test_warc import response
from tests.crawlers.test_load import source

NOBODY = 65_534


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Drop the rights of root, who can read everything."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def read(loader: Loader, path: Path, *, start: int = 0, end: int = -1) -> int:
    return sum(batch.num_rows for batch in loader.read(str(path), name="name", start=start, end=end))


@pytest.fixture(params=sorted(set(LOADERS) - {"git", "postgresql", "huggingface"}))
def loader(request: pytest.FixtureRequest) -> Loader:
    return loader_of(source("x", request.param))


def refused(loader: Loader, path: Path) -> list[CorpusmillError]:
    errors = []
    for operation in (loader.slices, loader.check, lambda name: read(loader, Path(name))):
        try:
            operation(str(path))
        except CorpusmillError as error:
            errors.append(error)
    return errors


def test_a_file_without_read_permission_is_named(loader: Loader) -> None:
    """Such a file is matched by a pattern, so the user must change its permissions."""
    with tempfile.NamedTemporaryFile() as file:
        path = Path(file.name)
        path.chmod(0)

        with as_nobody():
            errors = refused(loader, path)

    assert errors
    assert all(isinstance(error, SourceError) and error.file == str(path) for error in errors)
    assert all("Permission denied" in error.message and "chmod" in (error.hint or "") for error in errors)


def test_a_missing_file_is_named(loader: Loader, tmp_path: Path) -> None:
    """A file can be removed between `load` and `run`."""
    errors = refused(loader, tmp_path / "missing")

    assert errors
    assert all("No such file" in error.message and "load" in (error.hint or "") for error in errors)


def test_a_folder_in_place_of_a_file_is_named(loader: Loader, tmp_path: Path) -> None:
    """Some tools write a folder of parts with the name of a file."""
    path = tmp_path / "x.jsonl"
    path.mkdir()

    errors = refused(loader, path)

    assert errors
    assert all(isinstance(error, SourceError) and error.file == str(path) and error.hint for error in errors)


def test_a_folder_that_a_pattern_matches_is_not_loaded(tmp_path: Path) -> None:
    """Only files contain records."""
    (tmp_path / "parts.jsonl").mkdir()
    (tmp_path / "x.jsonl").write_text("{}")

    manifest = load(source("*.jsonl", "jsonl"), tmp_path / "raw", base=tmp_path)

    assert [file.name for file in manifest.files] == ["x.jsonl"]


@pytest.mark.parametrize("form", ["jsonl", "warc", "packed", "parquet"])
@pytest.mark.parametrize("is_read_already", [False, True])
def test_a_file_that_became_shorter_is_an_error(tmp_path: Path, form: str, is_read_already: bool) -> None:
    """Otherwise its last records would be lost silently."""
    path = tmp_path / "x"
    match form:
        case "jsonl":
            path.write_bytes(b'{"text": "words"}\n' * 50_000)
        case "parquet":
            pq.write_table(pa.table({"text": [f"words {n}" for n in range(50_000)]}), path, row_group_size=9000)
        case "warc":
            path.write_bytes(response(b"<html>" + b"x" * 9000) * 1500)
        case "packed":
            path.write_bytes(gzip.compress(response(b"<html>" + os.urandom(9000))) * 1500)
    loader = loader_of(source("x", "warc" if form == "packed" else form))
    size = path.stat().st_size
    batches = loader.read(str(path), name="name", start=0, end=size)

    if is_read_already:
        next(batches)
    os.truncate(path, size // 2)

    with pytest.raises(DamagedFileError) as caught:
        list(batches)
    assert caught.value.file == str(path)
    assert caught.value.hint


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that can be opened and fails")
def test_a_read_that_fails_leaves_an_unfinished_run() -> None:
    """The same command can be repeated when the disk or mount is available again."""
    with open_file("/proc/self/mem") as file, pytest.raises(UnfinishedError, match="Input/output error") as caught:
        file.read(1)

    assert (caught.value.file, bool(caught.value.hint)) == ("/proc/self/mem", True)
