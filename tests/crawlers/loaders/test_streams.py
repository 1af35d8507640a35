"""How much a compressed file holds, told from its beginning."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from corpusmill.crawlers.loaders.streams import decompressed_bytes

WORDS = [f"word{number}" for number in range(5_000)]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress, bz2.compress, lzma.compress, bytes])
def test_what_a_file_holds_is_told_from_its_beginning(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Most of it is not read."""
    content = " ".join(random.Random(1).choices(WORDS, k=1_500_000)).encode()
    path = tmp_path / "file"
    path.write_bytes(compress(content))

    assert decompressed_bytes(str(path)) == pytest.approx(len(content), rel=0.05)


def test_a_file_that_stands_for_very_many_bytes_is_not_unpacked(tmp_path: Path) -> None:
    """A look at a hostile file ends early, and what it may hold is counted."""
    frame = zstandard.compress(bytes(2**28))
    path = tmp_path / "zeros.zst"
    path.write_bytes(frame * 60)
    started = time.process_time()

    assert decompressed_bytes(str(path)) > 2**33
    assert time.process_time() - started < 1


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    """There is nothing to divide by."""
    (tmp_path / "empty").write_bytes(b"")

    assert decompressed_bytes(str(tmp_path / "empty")) == 0
