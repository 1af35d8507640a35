"""The quality report of a version: `report.json` and `report.html`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corpusmill.pipelines.reports.compare import comparison
from corpusmill.pipelines.reports.findings import findings
from corpusmill.pipelines.reports.page import render
from corpusmill.pipelines.reports.statistics import statistics
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.storage import Store, open_store


def make_report(version: Store | Path, *, compare: Store | Path | None = None, out: Path | None = None) -> None:
    """Write `report.json` and `report.html` of *version* into *out*, by default into the version's folder.

    Args:
        version: The folder of a version, or the store of its files.
        compare: Folder or store of another version to compare the main figures with.

    Raises:
        UsageError: One of them is not a version, or *version* is on a store and *out* is None.
        DamagedFileError: A file of a version is missing or unreadable.
    """
    other = None if compare is None else statistics(compare)
    folder = open_store(version).path() if out is None else out
    if folder is None:
        raise UsageError("a report cannot be written into a version on a store", hint="pass a folder to write it to")
    write_report(statistics(version), folder, other=other)


def write_report(figures: dict[str, Any], folder: Path, *, other: dict[str, Any] | None = None) -> None:
    """Write the report on *figures* into *folder*, compared with the figures *other* of another version, if any."""
    content = report(figures, other=other)
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8", errors="replace")
    (folder / "report.html").write_text(render(content), encoding="utf-8", errors="replace")


def report(figures: dict[str, Any], *, other: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return *figures* with `findings` and `comparison` (None without an *other* version)."""
    compared = None if other is None else comparison(figures, other)
    return {**figures, "findings": findings(figures), "comparison": compared}
