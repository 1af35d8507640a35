"""The dialect of a CSV file: its delimiter, its quotes, and where its header begins."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

DELIMITERS: Final = (",", ";", "\t", "|")
QUOTES: Final = ('"', "'")
COMMENT: Final = "#"
MAX_FIELD_BYTES: Final = 64_000_000
_ROWS: Final = 100
_MIN_UNCLOSED: Final = 5
"""Fewer fields with an opening quote and no closing one are errors, rather than a file in which quotes are letters."""
_MAX_PREAMBLE: Final = 20
"""Lines before the header of an exported report, such as a title and a date."""
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?(?:\r?\n|\r)', re.IGNORECASE)
"""The first line by which Excel names the delimiter."""


@dataclass(frozen=True)
class Dialect:
    """How the fields of a line are divided.

    Args:
        delimiter: Character between two fields.
        quote: Character around a field; None: quotes are characters as others.
        escape: Character before a quote within a field; None: quotes are only doubled.
        has_spaces: Whether spaces may stand before an opening quote.
        has_comments: Whether lines that begin with ``#`` are no rows.
        skipped: Characters before the header, or before the first row.
    """

    delimiter: str
    quote: str | None = '"'
    escape: str | None = None
    has_spaces: bool = False
    has_comments: bool = False
    skipped: int = 0

    def reader(self, lines: Iterable[str], *, is_strict: bool) -> CsvReader:
        """Return a reader of *lines*; *is_strict*: quotes that are not closed, or closed within a field, are errors."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or '"',
            quoting=csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL,
            escapechar=self.escape,
            skipinitialspace=self.has_spaces,
            strict=is_strict,
        )

    def with_literal_escapes(self, text: str) -> str:
        r"""Return *text* for `csv.reader`: an escape before anything but a quote and an escape stands for itself.

        >>> print(Dialect(",", escape="\\").with_literal_escapes(r'C:\new \"'))
        C:\\new \"
        """
        if self.escape is None or self.escape not in text:
            return text
        pairs = rf"(\\[\\{self.quote}])|\\"
        return re.sub(pairs, lambda match: match[1] or r"\\", text)


class Row(NamedTuple):
    """A row of the beginning: its fields, None if its quotes are wrong, and the lines before and after it."""

    fields: list[str] | None
    first: int
    end: int


def sniff(
    head: str, *, delimiter: str | None, quote: str | None, names: tuple[str, ...], columns: int | None, is_cut: bool
) -> Dialect:
    """Return the dialect of a file that begins with *head*.

    Args:
        delimiter: The delimiter, if it is known.
        quote: The quote, if it is known.
        names: Names that a header probably has.
        columns: The number of columns, if it is known; there is no header then.
        is_cut: Whether the file has more than *head*, whose last line may then be incomplete.

    >>> sniff("id;text\\n1;'a; b'\\n", delimiter=None, quote=None, names=("text",), columns=None, is_cut=False)
    Dialect(delimiter=';', quote="'", escape=None, has_spaces=False, has_comments=False, skipped=0)
    """
    csv.field_size_limit(MAX_FIELD_BYTES)
    named = _SEPARATOR_LINE.match(head)
    skipped = named.end() if named else 0
    body = head[skipped:]
    delimiters = (delimiter or named[1],) if named else (delimiter,) if delimiter else DELIMITERS
    dialects = [dialect for each in delimiters for dialect in _candidates(body, each, quote)]
    if len(dialects) > 1:
        dialects = _best(dialects, body, names, columns, is_cut, max_rows=_ROWS)
        dialects = _candidates(body, dialects[0].delimiter, quote)
    if len(dialects) > 1:  # which quotes are meant may be seen first in a later row
        dialects = _best(dialects, body, names, columns, is_cut, max_rows=None)
    return _past_preamble(dialects[0], body, names, columns, skipped)


def rows_of(text: str, dialect: Dialect, *, max_rows: int | None = None) -> Iterator[Row]:
    """Yield the rows of *text*, without empty ones, as its first *max_rows* lines have them."""
    lines = io.StringIO(dialect.with_literal_escapes(text), newline="")
    reader = dialect.reader(lines, is_strict=True)
    number = 0
    while max_rows is None or number < max_rows:
        first = reader.line_num
        fields: list[str] | None = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            pass
        if fields is None or any(fields):
            number += 1
            yield Row(fields, first, reader.line_num)


def first_rows(head: str, dialect: Dialect, *, is_cut: bool = False) -> list[list[str]]:
    """Return the first rows of *head* that are not empty, without the last one if it may be incomplete."""
    found = [row.fields for row in rows_of(head[dialect.skipped :], dialect, max_rows=_ROWS) if row.fields is not None]
    return found[:-1] if is_cut and 1 < len(found) < _ROWS else found


def has_name(fields: list[str], names: tuple[str, ...]) -> int:
    """Return how many of *names* are among *fields*, as a header may write them."""
    return len({field.strip().lstrip(f"{COMMENT} ") for field in fields} & set(names))


def _candidates(head: str, delimiter: str, quote: str | None) -> list[Dialect]:
    """Return the dialects that the characters of *head* allow, the usual one first."""
    mark = re.escape(delimiter)
    quotes: list[str | None] = [quote] if quote else ['"']
    if quote is None and re.search(rf"(?:^|[\r\n]|{mark}) *'", head):
        quotes.append("'")
    if quote is None and re.search(rf'(?:^|[\r\n]|{mark}) *"', head):
        quotes.append(None)
    found = []
    for each in quotes:
        escapes = _escapes(head, mark, each) if each and f"\\{each}" in head else (None,)
        spaces = (False, True) if each and delimiter != " " and re.search(rf"{mark} +{each}", head) else (False,)
        found += [Dialect(delimiter, each, escape, space) for escape, space in product(escapes, spaces)]
    return found


def _escapes(head: str, mark: str, quote: str) -> tuple[str | None, ...]:
    """Return the escapes to try; first the one that quotes within fields of *head* have, which it has some of."""
    edge = rf"{mark}|[\r\n]|$"
    escaped = len(re.findall(rf"\\{quote}(?!{quote}|{edge})", head))
    doubled = len(re.findall(rf"(?<=[^\r\n{mark}]){quote}{quote}(?!{edge})", head))
    return ("\\", None) if escaped > doubled else (None, "\\")


class _Fit(NamedTuple):
    """How well a dialect fits, the most important reason first."""

    has_columns: bool
    names: int
    is_quoted: bool
    has_several: bool
    even: float
    width: int


def _best(
    dialects: list[Dialect],
    head: str,
    names: tuple[str, ...],
    columns: int | None,
    is_cut: bool,
    *,
    max_rows: int | None,
) -> list[Dialect]:
    """Return *dialects*, the one that fits best first; the order decides between equals."""
    fits = {each: _fit(head, each, names, columns, is_cut, max_rows) for each in dialects}
    return sorted(dialects, key=lambda each: fits[each], reverse=True)


def _fit(
    head: str, dialect: Dialect, names: tuple[str, ...], columns: int | None, is_cut: bool, max_rows: int | None
) -> _Fit:
    rows = list(rows_of(head, dialect, max_rows=max_rows))
    rows = rows[:-1] if is_cut and len(rows) > 1 else rows
    known = max((has_name(row.fields or [], names) for row in rows[:_MAX_PREAMBLE]), default=0)
    rows = [row for row in rows if not _is_comment(row)] or rows
    widths = Counter(len(row.fields) for row in rows if row.fields is not None)
    if not widths:
        return _Fit(False, 0, False, False, 0.0, 0)
    width, number = widths.most_common(1)[0]
    lost = sum(row.end - row.first for row in rows if row.fields is None)
    even = number / (len(rows) + lost - sum(row.fields is None for row in rows))
    ends = width - 1 if all(row.fields[-1] == "" for row in rows if row.fields) else width
    is_quoted = not _leaves_quotes(rows[0 if columns else 1 :], dialect)
    return _Fit(columns in {width, ends}, known, is_quoted, width > 1 and even > 0.5, even, width)


def _leaves_quotes(rows: list[Row], dialect: Dialect) -> bool:
    """Return whether fields of *rows* keep quotes that are marks rather than text.

    Those after a space, and those of another kind, are if half of the rows have them; or if quotes within them are
    doubled or escaped. Without quotes, those at the beginning of a field are, unless about as many fields do not end
    with one.
    """
    fields = [field.strip() for row in rows for field in row.fields or []]
    if dialect.quote is None:
        begun = sum(field.startswith('"') for field in fields)
        enclosed = sum(_is_enclosed(field, '"') for field in fields)
        return begun - enclosed < _MIN_UNCLOSED or enclosed > 2 * (begun - enclosed)
    other = next(quote for quote in QUOTES if quote != dialect.quote)
    if any(_has_marks_within(field, other) for field in fields):
        return True
    marks = ((f" {dialect.quote}", dialect.quote), (other, other), (f" {other}", other))
    left = sum(any(_is_between(field, marks) for field in row.fields or []) for row in rows)
    return left > 0 and left * 2 >= len(rows)


def _is_between(field: str, marks: Iterable[tuple[str, str]]) -> bool:
    return len(field) > 1 and any(field.startswith(begin) and field.rstrip().endswith(end) for begin, end in marks)


def _is_enclosed(field: str, quote: str) -> bool:
    return len(field) > 1 and field[0] == field[-1] == quote


def _has_marks_within(field: str, quote: str) -> bool:
    """Return whether *quote* encloses *field*, and every one within is doubled or escaped."""
    if not _is_enclosed(field, quote) or quote not in field[1:-1]:
        return False
    return quote not in field[1:-1].replace(quote * 2, "").replace(f"\\{quote}", "")


def _past_preamble(dialect: Dialect, head: str, names: tuple[str, ...], columns: int | None, skipped: int) -> Dialect:
    """Return *dialect* with the characters before the header: comments, or narrower lines such as a title."""
    before: list[Row] = []
    for row in rows_of(head, dialect, max_rows=_MAX_PREAMBLE):
        fields = _without_end(row.fields or [])
        is_comment = fields[:1] != [] and fields[0].startswith(COMMENT)
        if columns is None and has_name(fields, names):
            is_first = all(len(_without_end(each.fields or [])) < len(fields) or _is_comment(each) for each in before)
            if not is_first:
                break
            has_comments = any(map(_is_comment, before))
            return replace(dialect, has_comments=has_comments, skipped=skipped + _length(head, row.first))
        if columns is not None and not (is_comment and len(fields) != columns):
            return replace(dialect, has_comments=bool(before), skipped=skipped + _length(head, row.first))
        before.append(row)
    return replace(dialect, skipped=skipped)


def _is_comment(row: Row) -> bool:
    return bool(row.fields) and row.fields[0].startswith(COMMENT)  # type: ignore[index]


def _without_end(fields: list[str]) -> list[str]:
    """Return *fields* without empty ones at the end."""
    width = max((index for index, field in enumerate(fields, 1) if field.strip()), default=0)
    return fields[:width]


def _length(text: str, lines: int) -> int:
    """Return the characters of the first *lines* lines of *text*."""
    stream = io.StringIO(text, newline="")
    return sum(len(stream.readline()) for _ in range(lines))
