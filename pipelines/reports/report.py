"""The quality report of a version: `report.json` for machines, `report.html` for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corpusmill.pipelines.reports.compare import comparison
from corpusmill.pipelines.reports.findings import findings
from corpusmill.pipelines.reports.page import render
from corpusmill.pipelines.reports.statistics import statistics


def make_report(version_dir: Path, *, compare: Path | None = None, out: Path | None = None) -> None:
    """Write `report.json` and `report.html` of the version in *version_dir* into *out*, by default beside its files.

    Args:
        compare: Folder of another version, whose main figures stand beside those of this one.

    Raises:
        UsageError: One of the folders holds no version.
        DamagedFileError: A file of a version is missing or unreadable.
    """
    other = None if compare is None else statistics(compare)
    write_report(statistics(version_dir), version_dir if out is None else out, other=other)


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
