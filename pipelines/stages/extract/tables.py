"""Cells to rows: whether a table holds data or only lays out the page, and the grid of its texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from corpusmill.pipelines.stages.extract.content import Block

MAX_CELL_CHARS: Final = 600
"""A longer cell is a piece of the page, not a value: old pages and forums lay out columns with tables."""
_MAX_GAP: Final = 50
"""Empty cells in front of one with text that are written; more say nothing to a reader."""


class Row(NamedTuple):
    """The texts of one row, ``""`` for cells without text before the last one; and whether all cells are headers."""

    cells: list[str]
    is_header: bool


def rows(blocks: Sequence[Block]) -> list[Row] | None:
    """Give the rows of one table, whose cells are *blocks*, in order; None when the table only lays out the page.

    >>> rows([Block("cell", "a", row=0, column=0), Block("cell", "b", row=0, column=2)])
    [Row(cells=['a', '', 'b'], is_header=False)]
    """
    found: list[Row] = []
    cells: list[str] = []
    above = column = -1
    is_header = True
    for block in blocks:
        text, row, place = block.text, block.row, block.column
        if "\n" in text:
            text = text.replace("\n", " ")
        if row != above:
            if cells:
                found.append(Row(cells, is_header))
            above, column, cells, is_header = row, -1, [], True
        if place == column and cells:
            text = f"{cells.pop()} {text}"
        elif place > column + 1:
            cells += [""] * min(place - column - 1, _MAX_GAP)
        cells.append(text)
        column = place
        if len(text) > MAX_CELL_CHARS:
            return None
        if block.marker != "th":
            is_header = False
    if cells:
        found.append(Row(cells, is_header))
    return found
