"""The dialect of a CSV file: its delimiter, its quotes, and whether it begins with a header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

DELIMITERS: Final = (",", ";", "\t", "|")
_ROWS: Final = 100
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
"""The first line by which Excel names the delimiter."""


@dataclass(frozen=True)
class Dialect:
    """How the fields of a line are divided.

    Args:
        delimiter: Character between two fields.
        escape: Character before a quote within a field; None: quotes are doubled.
        skipped: Characters of a first line that only names the delimiter.
    """

    delimiter: str
    escape: str | None = None
    skipped: int = 0

    def reader_options(self) -> dict[str, object]:
        """Return the options of `csv.reader`."""
        return {"delimiter": self.delimiter, "doublequote": self.escape is None, "escapechar": self.escape}


def sniff(head: str, *, delimiter: str | None, names: tuple[str, ...], columns: int | None, is_cut: bool) -> Dialect:
    """Return the dialect of a file that begins with *head*.

    Args:
        delimiter: The delimiter, if it is known.
        names: Names that a header probably has.
        columns: The number of columns, if it is known.
        is_cut: Whether the file has more than *head*, whose last line may then be incomplete.

    >>> sniff("id;text\\n1;a, b\\n", delimiter=None, names=("text",), columns=None, is_cut=False).delimiter
    ';'
    """
    escape = "\\" if head.count('\\"') > head.count('""') - head.count('\\""') and '\\"' in head else None
    if named := _SEPARATOR_LINE.match(head):
        return Dialect(delimiter or named[1], escape, skipped=named.end())
    if delimiter is not None:
        return Dialect(delimiter, escape)
    judged = {each: _score(head, Dialect(each, escape), names, columns, is_cut) for each in DELIMITERS}
    return Dialect(max(DELIMITERS, key=lambda each: judged[each]), escape)


def _score(
    head: str, dialect: Dialect, names: tuple[str, ...], columns: int | None, is_cut: bool
) -> tuple[bool, int, float, int]:
    """Return how well *dialect* fits: known columns, a header with known names, equal rows, many columns."""
    rows = first_rows(head, dialect, is_cut=is_cut)
    if not rows or len(rows[0]) < 2:
        return False, 0, 0.0, 0
    widths = Counter(len(row) for row in rows)
    width, number = widths.most_common(1)[0]
    header = {name.strip() for name in rows[0]}
    return width == columns, sum(name in header for name in names), number / len(rows), width


def first_rows(head: str, dialect: Dialect, *, is_cut: bool = False) -> list[list[str]]:
    """Return the first rows of *head* that are not empty, without the last one if it may be incomplete."""
    lines = head[dialect.skipped :].splitlines(keepends=True)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(lines, **dialect.reader_options()):  # type: ignore[arg-type]
            rows += [row] if any(row) else []
            if len(rows) > _ROWS:
                break
    except csv.Error:
        pass
    return rows[:-1] if is_cut and 1 < len(rows) <= _ROWS else rows
