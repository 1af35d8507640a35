"""Write the descriptions of a version into its folder before it is published."""

from __future__ import annotations

from pathlib import Path


def describe_version(folder: Path) -> None:
    """Write the report, data card and Croissant description of the version in *folder*. Reads its files once.

    The folder must hold `manifest.json` and the files that it lists; its name does not matter.
    """
    # Imported here, because a run that publishes nothing new needs neither DuckDB nor templates.
    from corpusmill.pipelines.reports.card import write_card
    from corpusmill.pipelines.reports.croissant import write_croissant
    from corpusmill.pipelines.reports.report import write_report
    from corpusmill.pipelines.reports.statistics import statistics

    figures = statistics(folder)
    write_report(figures, folder)
    write_card(figures, folder)
    write_croissant(figures, folder)
