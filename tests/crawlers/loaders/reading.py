"""Records of loaders as dictionaries, and the sample files outside the repository."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from corpusmill.crawlers.loaders.base import Loader
from corpusmill.schemas.document import MAX_BATCH_ROWS, OFFER
from corpusmill.schemas.metadata import metadata_dicts, normalized

Row = dict[str, Any]


def rows(loader: Loader, path: Path, *, name: str = "name", start: int = 0, end: int = -1) -> list[Row]:
    """Return the records that *loader* reads from *path*, after checking each batch; `metadata` as a dictionary."""
    offered: list[Row] = []
    for batch in loader.read(str(path), name=name, start=start, end=end):
        batch.validate(full=True)
        assert batch.schema == OFFER
        assert 0 < batch.num_rows <= MAX_BATCH_ROWS
        assert normalized(batch["metadata"]).equals(batch["metadata"])
        offered += [
            {**row, "metadata": metadata}
            for row, metadata in zip(batch.to_pylist(), metadata_dicts(batch["metadata"]), strict=True)
        ]
    for row in offered:
        assert row["source_id"]
        assert len(row["record_sha256"]) == 64
        assert (row["rule"] is None) == (row["content"] is not None or row["text"] is not None)
        assert row["rule"] is None or (row["rule"].startswith("error.") and row["message"])
    return offered


def in_slices(loader: Loader, path: Path, edges: list[int]) -> list[Row]:
    """Return the records that *loader* reads from the slices between *edges*."""
    return [row for start, end in pairwise(edges) for row in rows(loader, path, start=start, end=end)]


def samples(folder: str, pattern: str = "*") -> list[Path]:
    """Return the sample files of *folder*, or skip the test if there are none."""
    shared = Path(os.environ.get("CORPUSMILL_SHARED", Path(__file__).parents[4] / "shared"))
    paths = sorted((shared / "data" / "samples" / folder).glob(pattern))
    if not paths:
        pytest.skip(f"no sample files in {shared}: set CORPUSMILL_SHARED")
    return paths
