"""The fields of one record of a CSV file, also if its quotes are wrong."""

from __future__ import annotations

import csv
from dataclasses import replace

from corpusmill.crawlers.loaders.csv_dialect import Dialect


def fields_of(text: str, dialect: Dialect, *, width: int) -> list[str]:
    r"""Return the fields of the record *text*, without the line break at its end.

    If the quotes of a record of one line are wrong, and it has *width* fields without them, they are characters; quotes
    around a whole field are removed all the same.

    Raises:
        csv.Error: A quote is not closed, or text follows a closing quote, in a record of several lines.

    >>> fields_of('1,"a ""b"" c"', Dialect(","), width=2), fields_of('1,"say "hi" now"', Dialect(","), width=2)
    (['1', 'a "b" c'], ['1', 'say "hi" now'])
    >>> fields_of('1,"Stop" he said', Dialect(","), width=2)
    ['1', '"Stop" he said']
    >>> fields_of(r'1,"a \"b\" C:\new \\"', Dialect(",", escape="\\"), width=2)
    ['1', 'a "b" C:\\new \\']
    """
    text = dialect.with_literal_escapes(text)
    try:
        return _split(text, dialect, is_strict=True)
    except csv.Error:
        if "\n" in text:
            raise
    literal = _split(text, replace(dialect, quote=None), is_strict=False)
    if len(literal) == width and dialect.quote is not None:
        return [_without_marks(field, dialect.quote) for field in literal]
    return _split(text, dialect, is_strict=False)


def _split(text: str, dialect: Dialect, *, is_strict: bool) -> list[str]:
    lines = text.split("\n")
    pieces = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    return next(dialect.reader(pieces, is_strict=is_strict), [])


def _without_marks(field: str, quote: str) -> str:
    """Return *field* without quotes around it, unless the next quote in it closes the first one."""
    shown = field.strip()
    if len(shown) < 2 or not shown[0] == shown[-1] == quote:
        return field
    inner = shown[1:-1]
    at = inner.find(quote)
    if at > 0 and not inner[at - 1].isspace() and inner[at + 1 : at + 2] != quote:
        return field
    return inner.replace(quote * 2, quote)
