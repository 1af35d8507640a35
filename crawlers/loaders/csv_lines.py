"""Records of a CSV file: the lines that belong together, parsed, with bounds on hostile ones."""

from __future__ import annotations

import csv
import hashlib
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from corpusmill.crawlers.loaders.csv_dialect import Dialect

MAX_RECORD_BYTES: Final = 64_000_000
"""A longer record is `error.too_large`."""
_MAX_RETRIES: Final = 20
"""Records with a quote that is never closed, after which the lines behind the quote are read again."""
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


def csv_records(stream: BinaryIO, dialect: Dialect, *, codec: str, start: int, end: int) -> Iterator[CsvRecord]:
    """Yield the records that begin in ``[start, end)`` of *stream*, which is at *start*, the beginning of a record.

    A record whose bytes are not valid in *codec* is set aside. So is the first line of a record with a quote that is
    never closed; the lines after it are read as if it were not there.
    """
    csv.field_size_limit(MAX_RECORD_BYTES)
    lines = _Lines(stream, start)
    retries = 0
    while (first := lines.next_line()) is not None and not 0 <= end <= first.offset:
        if first.data is None:
            message = f"the line has {first.length:,} bytes, more than {MAX_RECORD_BYTES:,}"
            yield CsvRecord(first.offset, first.length, first.sha256 or "", None, "too_large", message)
            continue
        if not first.data.strip(b"\r\n"):
            continue
        taken = [first]
        problem = _collect(lines, taken, dialect)
        if problem is not None and retries < _MAX_RETRIES:
            retries += 1
            lines.put_back(taken[1:])
            del taken[1:]
        data = b"".join(line.data or b"" for line in taken)
        record = CsvRecord(first.offset, len(data), hashlib.sha256(data.rstrip(b"\r\n")).hexdigest(), None)
        yield record._replace(kind="not_csv", message=problem) if problem else _parsed(record, data, dialect, codec)


def _collect(lines: _Lines, taken: list[_Line], dialect: Dialect) -> str | None:
    """Add the lines of the record that begins with the first of *taken*; return the problem if it has no end."""
    size = taken[0].length
    is_open = _is_open(taken[0].data or b"", dialect, is_open=False)
    while is_open:
        line = lines.next_line()
        if line is None or line.data is None or (size := size + line.length) > MAX_RECORD_BYTES:
            lines.put_back([line] if line is not None else [])
            return "a quote is not closed"
        taken.append(line)
        is_open = _is_open(line.data, dialect, is_open=True)
    return None


def _is_open(data: bytes, dialect: Dialect, *, is_open: bool) -> bool:
    """Return whether a quoted field goes on after the line *data*; *is_open*: whether one did before it.

    As in `csv.reader`, a quote opens a field only at its beginning, and others in an unquoted field are characters.
    """
    if b'"' not in data:
        return is_open
    if dialect.escape is not None:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    delimiter = dialect.delimiter.encode()
    at = 0
    while True:
        if is_open:
            closing = data.find(b'"', at)
            if closing < 0:
                return True
            if dialect.escape is None and data[closing + 1 : closing + 2] == b'"':
                at = closing + 2
                continue
            is_open, at = False, closing + 1
        elif data[at : at + 1] == b'"' and (at == 0 or data[at - 1 : at] == delimiter):
            is_open, at = True, at + 1
        else:
            following = data.find(delimiter + b'"', max(at - 1, 0) if data[at - 1 : at] == delimiter else at)
            if following < 0:
                return False
            is_open, at = True, following + 2


def _parsed(record: CsvRecord, data: bytes, dialect: Dialect, codec: str) -> CsvRecord:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        message = f"not {codec.upper()}: {error.reason} at byte {error.start:,} of the record"
        return record._replace(kind="encoding", message=message)
    if "\0" in text:
        return record._replace(kind="not_text", message="the record has null characters")
    try:
        return record._replace(fields=_fields(text, dialect))
    except csv.Error:
        pass
    try:  # a carriage return in a field without quotes is a space
        return record._replace(fields=_fields(text.rstrip("\r\n").replace("\r", " "), dialect))
    except csv.Error as error:
        return record._replace(kind="not_csv", message=str(error))


def _fields(text: str, dialect: Dialect) -> list[str]:
    lines = text.split("\n")
    pieces = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    return next(csv.reader(pieces, **dialect.reader_options()), [])  # type: ignore[arg-type]


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
