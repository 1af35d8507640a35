"""The memory of a task is measured, not that of an earlier task in the same process."""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path

import pytest

from corpusmill.pipelines.engines import memory
from corpusmill.pipelines.engines.memory import PeakMemory, resident

MEGABYTE = 2**20


def taken(size: int, *, seconds: float = 0.0) -> None:
    """Fill *size* bytes of memory and free them after *seconds*."""
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    _fill(block, size)
    time.sleep(seconds)
    block.close()


def _fill(block: mmap.mmap, size: int) -> None:
    for start in range(0, size, mmap.PAGESIZE):
        block[start] = 1


def test_the_memory_in_use_now_grows_and_shrinks() -> None:
    """A memory bound must be compared with current, not with past, resident memory."""
    before = resident()
    block = mmap.mmap(-1, 100 * MEGABYTE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    _fill(block, 100 * MEGABYTE)

    during = resident()
    block.close()

    assert during.anonymous - before.anonymous > 95 * MEGABYTE
    assert resident().anonymous - before.anonymous < 10 * MEGABYTE


def test_a_small_task_after_a_large_one_reports_its_own_peak() -> None:
    """The high-water mark of the process would report the large task."""
    with PeakMemory() as large:
        taken(200 * MEGABYTE)
    with PeakMemory() as small:
        taken(20 * MEGABYTE)

    assert large.bytes - small.bytes > 150 * MEGABYTE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a high-water mark that can be reset")
def test_a_peak_between_two_samples_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorting holds copies for milliseconds only."""
    monkeypatch.setattr(memory, "_SAMPLE_S", 60.0)
    monkeypatch.setattr(memory, "_sampler", memory._Sampler())
    before = resident().anonymous

    with PeakMemory() as peak:
        taken(200 * MEGABYTE)

    assert peak.bytes - before > 150 * MEGABYTE


def test_samples_do_where_the_mark_cannot_be_reset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container may forbid writing to `/proc`, and other systems do not have it."""
    monkeypatch.setattr(memory, "_CLEAR_REFS", tmp_path / "missing" / "clear_refs")
    before = resident().anonymous

    with PeakMemory() as peak:
        taken(100 * MEGABYTE, seconds=0.3)

    assert 90 * MEGABYTE < peak.bytes - before < 150 * MEGABYTE


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell files apart")
def test_pages_of_mapped_files_do_not_count(tmp_path: Path) -> None:
    """Pages of a mapped input do not belong to the task that reads them."""
    path = tmp_path / "mapped"
    path.write_bytes(b"x" * 200 * MEGABYTE)
    before = resident().anonymous

    with PeakMemory() as peak, path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert sum(mapped[start] for start in range(0, len(mapped), mmap.PAGESIZE)) > 0
        time.sleep(0.2)

    assert peak.bytes - before < 50 * MEGABYTE
