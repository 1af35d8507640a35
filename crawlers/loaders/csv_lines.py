"""Records of a CSV file: the lines that belong together, parsed, with bounds on hostile ones."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO, Final, NamedTuple

from corpusmill.crawlers.loaders.csv_dialect import COMMENT, MAX_FIELD_BYTES, Dialect
from corpusmill.crawlers.loaders.csv_fields import fields_of

MAX_RECORD_BYTES: Final = MAX_FIELD_BYTES
"""A longer record is `error.too_large`."""
MAX_RECORD_LINES: Final = 500_000
"""A record with more lines has a quote that is not closed; each line takes about 100 bytes of memory."""
COMMENTS: Final = "comments"
"""The `kind` of a line that is no record."""
_MAX_REREAD_BYTES: Final = 4 * MAX_RECORD_BYTES
"""Bytes behind quotes that are never closed that are read again as lines of their own, for each slice."""
_READ_BYTES: Final = 1 << 20


class CsvRecord(NamedTuple):
    """A record: its fields, or the kind and the message of the error under which it is set aside."""

    offset: int
    length: int
    sha256: str
    fields: list[str] | None
    kind: str | None = None
    message: str | None = None


class _Line(NamedTuple):
    offset: int
    length: int
    data: bytes | None
    sha256: str | None = None


class Encoded(NamedTuple):
    """How the bytes of a stream are read: its codec, and the name of the file's encoding in messages."""

    codec: str
    name: str


def csv_records(
    stream: BinaryIO, dialect: Dialect, *, encoded: Encoded, width: int, start: int, end: int
) -> Iterator[CsvRecord]:
    """Yield the records that begin in ``[start, end)`` of *stream*, which is at *start*, the beginning of a record.

    A record whose bytes are not valid in its encoding is set aside. So is the first line of a record with a quote that
    is never closed, or that closes within the text of another record; the lines after it are read as if it were not
    there. Lines that are comments have the kind `COMMENTS`.

    Args:
        width: The number of columns; 0: unknown.
    """
    csv.field_size_limit(MAX_FIELD_BYTES)
    lines = _Lines(stream, start)
    budget = _MAX_REREAD_BYTES
    while (first := lines.next_line()) is not None and not 0 <= end <= first.offset:
        if first.data is None:
            message = f"the line has {first.length:,} bytes, more than {MAX_RECORD_BYTES:,}"
            yield CsvRecord(first.offset, first.length, first.sha256 or "", None, "too_large", message)
            continue
        if not first.data.strip(b"\r\n\x1a"):  # DOS ends a file with 0x1A
            continue
        if dialect.has_comments and first.data.startswith(COMMENT.encode()):
            yield CsvRecord(first.offset, first.length, "", None, COMMENTS)
            continue
        taken = [first]
        record = _record(taken, _collect(lines, taken, dialect), dialect, encoded, width)
        if record.kind == "not_csv" and len(taken) > 1 and record.length <= budget:
            budget -= record.length
            lines.put_back(taken[1:])
            record = _record(taken[:1], "a quote is not closed", dialect, encoded, width)
        yield record


def _record(taken: list[_Line], problem: str | None, dialect: Dialect, encoded: Encoded, width: int) -> CsvRecord:
    data = b"".join(line.data or b"" for line in taken)
    record = CsvRecord(taken[0].offset, len(data), hashlib.sha256(data.rstrip(b"\r\n")).hexdigest(), None)
    if problem is not None:
        return record._replace(kind="not_csv", message=problem)
    return _parsed(record, data, dialect, encoded, width)


def _collect(lines: _Lines, taken: list[_Line], dialect: Dialect) -> str | None:
    """Add the lines of the record that begins with the first of *taken*; return the problem if it has no end."""
    size = taken[0].length
    is_open = _is_open(taken[0].data or b"", dialect, is_open=False)
    while is_open:
        line = lines.next_line()
        is_over = len(taken) >= MAX_RECORD_LINES
        if line is None or line.data is None or is_over or (size := size + line.length) > MAX_RECORD_BYTES:
            lines.put_back([line] if line is not None else [])
            return "a quote is not closed"
        taken.append(line)
        if not _may_close(line.data, dialect):
            return "a quote is not closed"
        is_open = _is_open(line.data, dialect, is_open=True)
    return None


class _Marks(NamedTuple):
    """Expressions for a quote that opens a field, and for the rest of a field with the quote that closes it."""

    opening: re.Pattern[bytes]
    closing: re.Pattern[bytes]


@lru_cache(maxsize=8)
def _marks(delimiter: str, quote: str, escape: str | None, has_spaces: bool) -> _Marks:
    opening = rf"(?:^|{re.escape(delimiter)}){' *' if has_spaces else ''}{quote}"
    plain, escaped = (quote, "") if escape is None else (rf"{quote}\\", r"|\\.")
    closing = f"(?:[^{plain}]++|{quote}{quote}{escaped})*+{quote}"
    return _Marks(re.compile(opening.encode(), re.DOTALL), re.compile(closing.encode(), re.DOTALL))


def _is_open(data: bytes, dialect: Dialect, *, is_open: bool) -> bool:
    """Return whether a quoted field goes on after the line *data*; *is_open*: whether one did before it.

    As in `csv.reader`, a quote opens a field only at its beginning, and others in an unquoted field are characters.
    """
    if dialect.quote is None or dialect.quote.encode() not in data:
        return is_open
    marks = _marks(dialect.delimiter, dialect.quote, dialect.escape, dialect.has_spaces)
    at = 0
    while True:
        if is_open:
            closing = marks.closing.match(data, at)
            if closing is None:
                return True
            is_open, at = False, closing.end()
        opening = marks.opening.search(data, at)
        if opening is None:
            return False
        is_open, at = True, opening.end()


def _may_close(data: bytes, dialect: Dialect) -> bool:
    """Return whether the line *data*, in a quoted field, does not continue after the quote that closes the field."""
    assert dialect.quote is not None, "a field without quotes is not open"
    if dialect.quote.encode() not in data:
        return True
    closing = _marks(dialect.delimiter, dialect.quote, dialect.escape, dialect.has_spaces).closing.match(data)
    return closing is None or data[closing.end() : closing.end() + 1] in {b"", b"\r", b"\n", dialect.delimiter.encode()}


def _parsed(record: CsvRecord, data: bytes, dialect: Dialect, encoded: Encoded, width: int) -> CsvRecord:
    try:
        text = data.decode(encoded.codec)
    except UnicodeDecodeError as error:
        message = f"not {encoded.name.upper()}: {error.reason} at byte {error.start:,} of the record"
        return record._replace(kind="encoding", message=message)
    if "\0" in text:
        return record._replace(kind="not_text", message="the record has null characters")
    text = text.rstrip("\r\n")
    try:
        return record._replace(fields=fields_of(text, dialect, width=width))
    except csv.Error:
        pass
    try:  # a carriage return in a field without quotes is a space
        return record._replace(fields=fields_of(text.replace("\r", " "), dialect, width=width))
    except csv.Error as error:
        return record._replace(kind="not_csv", message=str(error))


class _Lines:
    """The lines of a stream, some of which can be put back. Lines end with LF, or with CR if *stream* has no LF."""

    def __init__(self, stream: BinaryIO, start: int) -> None:
        self._stream = stream
        self._position = start
        self._waiting: deque[_Line] = deque()

    def put_back(self, lines: list[_Line]) -> None:
        """Return *lines* again before the others."""
        self._waiting.extendleft(reversed(lines))

    def next_line(self) -> _Line | None:
        """Return the next line with its end, or None; at most `MAX_RECORD_BYTES` are in memory."""
        if self._waiting:
            return self._waiting.popleft()
        data = self._stream.readline(_READ_BYTES)
        if len(data) == _READ_BYTES and not data.endswith(b"\n"):
            return self._long_line(data)
        line = _Line(self._position, len(data), data)
        self._position += len(data)
        return line if data else None

    def _long_line(self, head: bytes) -> _Line:
        parts, size, digest = [head], len(head), hashlib.sha256(head)
        while piece := self._stream.readline(_READ_BYTES):
            size += len(piece)
            digest.update(piece)
            if size <= MAX_RECORD_BYTES:
                parts.append(piece)
            else:
                parts.clear()
            if piece.endswith(b"\n"):
                break
        line = _Line(self._position, size, b"".join(parts) if parts else None, digest.hexdigest())
        self._position += size
        return line
