"""Tables ``{| … |}`` by rows: a row is a line, with a vertical bar between its cells. A table in a cell follows it."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.boxes import is_box
from corpusmill.crawlers.readers.wikitext.extensions import LINE

_SEPARATORS: Final = re.compile(r"\|\||!!")


class Table:
    """Reads the lines after ``{|``; nested tables are read as more rows, so their depth costs nothing."""

    def __init__(self, attributes: str = "") -> None:
        self._is_box = is_box(attributes)
        self._depth = 1
        self._box_depth = 0
        """The depth of the outermost box that is open, which is left out with the tables in it; 0: none."""
        self._rows: list[list[str]] = []
        self._cells: list[str] = []
        self._is_open = False

    def read(self, line: str) -> bool:
        """Read a line without blanks at its ends, and return whether it ended the table."""
        if line.startswith("{|"):
            self._depth += 1
            self._end_row()
            if not self._box_depth and is_box(line):
                self._box_depth = self._depth
        elif self._box_depth:
            if line.startswith("|}"):
                self._box_depth = 0 if self._depth == self._box_depth else self._box_depth
                self._depth -= 1
        elif line.startswith("|}"):
            self._depth -= 1
            self._end_row()
            return self._depth == 0
        elif line.startswith("|-"):
            self._end_row()
        elif line.startswith("|+"):
            self._end_row()
            self._cells = [_content(line[2:])]
            self._is_open = True
        elif line[:1] in {"|", "!"} and line:
            self._cells += map(_content, _SEPARATORS.split(line[1:]) if line[0] == "!" else line[1:].split("||"))
            self._is_open = True
        elif self._is_open and self._cells and line:
            self._cells[-1] = f"{self._cells[-1]} {line.lstrip('*#:; ')}".strip()
        return False

    def _end_row(self) -> None:
        if any(self._cells):
            self._rows.append(self._cells)
        self._cells = []
        self._is_open = False

    def rows(self) -> list[str]:
        """Return the rows read so far."""
        self._end_row()
        if self._is_box:
            return []
        return [" | ".join(cells).replace(LINE, " ") for cells in self._rows]


def _content(cell: str) -> str:
    """Return the text of *cell*, which can follow its attributes and a vertical bar."""
    attributes, bar, content = cell.partition("|")
    return (content if bar else attributes).strip()
