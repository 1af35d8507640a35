"""Everything that explains a version, written into its folder before it is published."""

from __future__ import annotations

from pathlib import Path

from pipelines.reports.card import make_card
from pipelines.reports.croissant import make_croissant
from pipelines.reports.report import make_report


def describe_version(folder: Path) -> None:
    """Write report, data card and Croissant description of the version in *folder*."""
    make_report(folder)
    make_card(folder)
    make_croissant(folder)
