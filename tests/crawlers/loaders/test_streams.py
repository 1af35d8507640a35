"""Estimates of the decompressed size of a file."""

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


def quick_lzma(data: bytes) -> bytes:
    """Compress with the least effort."""
    return lzma.compress(data, preset=1)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress, bz2.compress, quick_lzma, bytes])
def test_the_size_is_estimated_from_the_beginning(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """A plan must not read whole files."""
    content = " ".join(random.Random(1).choices(WORDS, k=1_500_000)).encode()
    path = tmp_path / "file"
    path.write_bytes(compress(content))

    assert decompressed_bytes(str(path)) == pytest.approx(len(content), rel=0.05)


def test_the_estimate_for_a_decompression_bomb_is_fast(tmp_path: Path) -> None:
    """Only a bounded part of a hostile file may be decompressed."""
    frame = zstandard.compress(bytes(2**28))
    path = tmp_path / "zeros.zst"
    path.write_bytes(frame * 60)
    started = time.process_time()

    assert decompressed_bytes(str(path)) > 2**33
    assert time.process_time() - started < 1


def test_the_estimate_for_an_empty_file_is_zero(tmp_path: Path) -> None:
    """The ratio of sizes must not divide by zero."""
    (tmp_path / "empty").write_bytes(b"")

    assert decompressed_bytes(str(tmp_path / "empty")) == 0
