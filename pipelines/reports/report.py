"""The quality report of a version: `report.json` for machines, `report.html` for people."""

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
    """Write `report.json` and `report.html` of *version* into *out*, by default beside its files.

    Args:
        version: The folder of a version, or the store of its files.
        compare: The same of another version, whose main figures stand beside those of this one.

    Raises:
        UsageError: One of them is no version, or *version* lies on a store and there is no *out*.
        DamagedFileError: A file of a version is missing or unreadable.
    """
    other = None if compare is None else statistics(compare)
    folder = open_store(version).path() if out is None else out
    if folder is None:
        raise UsageError("a report cannot be written beside a version on a store", hint="give a folder for it")
    write_report(statistics(version), folder, other=other)


def write_report(figures: dict[str, Any], folder: Path, *, other: dict[str, Any] | None = None) -> None:
    """Write the report on *figures* into *folder*; *other*: those of the version to compare with."""
    told = report(figures, other=other)
    text = json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8", errors="replace")
    (folder / "report.html").write_text(render(told), encoding="utf-8", errors="replace")


def report(figures: dict[str, Any], *, other: dict[str, Any] | None = None) -> dict[str, Any]:
    """Give *figures* with `findings`, and `comparison` (None without an *other* version)."""
    told = {**figures, "findings": findings(figures)}
    told["comparison"] = None if other is None else comparison(figures, other)
    return told
