"""Show what stages cut out of a document: its rows in the side tables called ``<stage>.cuts``."""

from __future__ import annotations

from typing import Any, Final

from corpusmill.pipelines.dataset.inspect import plain_rows
from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.stages.cuts import CUT, CUTS, MESSAGE

MAX_SHOWN: Final = 100
"""Spans of a document that are listed at most; all are counted."""
_COLUMNS: Final = (*(name for name in CUT.names if name != "id"), MESSAGE.name)


def cut_spans(version: Version, document: str) -> tuple[list[dict[str, Any]], int]:
    """Return the first `MAX_SHOWN` spans that were cut from *document*, in the order of the stages, and their number.

    Each has the name of its `stage`, the columns of `CUT` except for the id, and a `message`; a column that the table
    of a stage lacks is None.
    """
    places = {stage.name: place for place, stage in enumerate(version.manifest.counts.stages)}
    suffix = f".{CUTS}"
    stages = [kind.removesuffix(suffix) for kind in version.manifest.side_tables() if kind.endswith(suffix)]
    spans: list[dict[str, Any]] = []
    total = 0
    for stage in sorted(stages, key=lambda name: places.get(name, -1)):
        rows = version.rows(f"{stage}{suffix}", document)
        total += rows.num_rows
        shown = plain_rows(rows.slice(0, MAX_SHOWN - len(spans)))
        spans += [{"stage": stage, **{name: row.get(name) for name in _COLUMNS}} for row in shown]
    return spans, total
