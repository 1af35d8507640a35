"""Group cells into rows, and decide whether a table holds data or is used for layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from corpusmill.pipelines.stages.extract.content import Block

MAX_CELL_CHARS: Final = 600
"""Maximum length of a data cell; old pages and forums use tables for layout, with long cells."""
_MAX_GAP: Final = 50
"""Maximum number of empty cells to write before a cell with text."""


class Row(NamedTuple):
    """The texts of one row, with ``""`` for empty cells before the last text; and whether all cells are headers."""

    cells: list[str]
    is_header: bool


def rows(blocks: Sequence[Block]) -> list[Row] | None:
    """Return the rows of a table, whose cells are *blocks* in order; None if the table is used for layout.

    >>> rows([Block("cell", "a", row=0, column=0), Block("cell", "b", row=0, column=2)])
    [Row(cells=['a', '', 'b'], is_header=False)]
    """
    grid: list[Row] = []
    cells: list[str] = []
    above = column = -1
    is_header = True
    for block in blocks:
        text, row, place = block.text, block.row, block.column
        if "\n" in text:
            text = text.replace("\n", " ")
        if row != above:
            if cells:
                grid.append(Row(cells, is_header))
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
        grid.append(Row(cells, is_header))
    return grid
