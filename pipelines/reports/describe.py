"""Everything that explains a version, written into its folder before it is published."""

from __future__ import annotations

from pathlib import Path


def describe_version(folder: Path) -> None:
    """Write report, data card and Croissant description of the version in *folder*, which is read once.

    The folder needs its `manifest.json` and the files that it lists; how the folder is called does not matter.
    """
    # Imported here, because a run whose version is published already needs neither DuckDB nor templates.
    from corpusmill.pipelines.reports.card import write_card
    from corpusmill.pipelines.reports.croissant import write_croissant
    from corpusmill.pipelines.reports.report import write_report
    from corpusmill.pipelines.reports.statistics import statistics

    figures = statistics(folder)
    write_report(figures, folder)
    write_card(figures, folder)
    write_croissant(figures, folder)
