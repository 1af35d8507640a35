"""The function that a scorer of several tools calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.dedup_command import deduplicated
from tests.pipelines.file_dedup.files import records, removed_of, write_parquet


def test_removed_ids_are_those_of_the_ledger(tmp_path: Path) -> None:
    """`index` notes the folder that `add` compares with."""
    base = write_parquet(tmp_path / "base" / "a.parquet", records(6)).parent
    new = write_parquet(tmp_path / "new" / "a.parquet", records(9)).parent
    work = tmp_path / "work"
    work.mkdir()

    assert deduplicated(str(base), str(work), "index", {}) == []
    added = deduplicated(str(new), str(work), "add", {"workers": "1"})

    assert sorted(added) == sorted({f"r{number:04}" for number in range(6)} | {"r0008"})
    (tmp_path / "alone").mkdir()
    assert set(deduplicated(str(new), str(tmp_path / "alone"), "dedup", {})) == removed_of(9)
    with pytest.raises(ValueError, match="no mode sign"):
        deduplicated(str(new), str(work), "sign", {})
