"""JSON that is not one object per line: an array of records, an array in a field of an object, or consecutive values.

Records are cut out of the stream by brackets and strings alone, so that an array of any size is read in bounded memory.
The caller parses the records.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, Literal, NamedTuple, Protocol, TypeAlias

from corpusmill.crawlers.loaders.streams import BrokenStreamError, available, open_decompressed
from corpusmill.schemas.errors import DataError

MAX_VALUE_BYTES: Final = 64_000_000
"""Twice the size of the largest text, to allow for escapes and other fields."""
Form: TypeAlias = Literal["lines", "values", "envelope"]
_READ_BYTES: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_UP_TO_BRACKET: Final = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_REST_OF_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_UP_TO_END_OF_SCALAR: Final = re.compile(rb'[^,:"\[\]{} \t\r\n]*+')
_ARRAY_OF_RECORDS: Final = re.compile(rb"\[\s*(?:[{\]]|\Z)")


class JsonText(NamedTuple):
    """The bytes of a record in the (decompressed) file; `data` is None if the record exceeds the bound."""

    offset: int
    length: int
    data: bytes | None
    digest: str | None = None

    def bad(self, kind: str, message: str) -> dict[str, Any]:
        """Return the columns of `OFFER` that set the record aside as ``error.<kind>``."""
        digest = self.digest or hashlib.sha256(self.data or b"").hexdigest()
        return {"source_id": digest, "record_sha256": digest, "rule": f"error.{kind}", "message": message}


def json_form(path: str, *, text_fields: tuple[str, ...]) -> Form:
    """Detect the form of the file at *path* from its first line, or from more of the file if that is ambiguous.

    ``lines``: one value per line.
    ``values``: consecutive values of several lines each; arrays contain records.
    ``envelope``: one object without one of *text_fields* that has an array of objects in a field.

    Raises:
        SourceError: The file is missing or unreadable.
    """
    try:
        with open_decompressed(path) as stream:
            head, is_long = _first_line(stream)
            is_open = not is_long and head.endswith((b"{", b"[", b","))
            if head.startswith(b"["):
                return "values" if is_open or _ARRAY_OF_RECORDS.match(head) else "lines"
            if not head.startswith(b"{") or not (is_open or is_long or not _first_line(stream)[0]):
                return "lines"
        with open_decompressed(path) as stream:
            if _is_envelope(JsonStream(stream), text_fields):
                return "envelope"
    except BrokenStreamError:
        return _form_of_part(path, text_fields)  # reading the file reports the error
    return "values" if is_open else "lines"


def _form_of_part(path: str, text_fields: tuple[str, ...]) -> Form:
    """Detect the form of a compressed file that breaks off within the lines that `json_form` needs."""
    try:
        with open_decompressed(path) as stream:
            head = available(stream, _READ_BYTES).removeprefix(_BOM).strip()
        first = head.partition(b"\n")[0].rstrip()
        if _ARRAY_OF_RECORDS.match(head):
            return "values"
        if not first.startswith(b"{") or first != head:
            return "values" if first.endswith((b"{", b"[", b",")) else "lines"
        with open_decompressed(path) as stream:
            return "envelope" if _is_envelope(JsonStream(stream), text_fields) else "lines"
    except BrokenStreamError:
        return "lines"


def _first_line(stream: BinaryIO) -> tuple[bytes, bool]:
    """Return the next line that is not blank, stripped, and whether the line is longer than what was read."""
    while line := stream.readline(_READ_BYTES):
        if stripped := line.removeprefix(_BOM).strip():
            return stripped, not line.endswith(b"\n") and len(line) == _READ_BYTES
    return b"", False


def _is_envelope(values: JsonStream, text_fields: tuple[str, ...]) -> bool:
    has_records = False
    try:
        for name in values.names():
            first = values.peek()
            if first == b'"' and json.loads(name) in text_fields:
                return False
            if first != b"[":
                values.value(keep=False)
                continue
            for _ in values.elements(keep=False):
                has_records = has_records or values.first_is_object
                if has_records and values.position > MAX_VALUE_BYTES:
                    return True  # too long for a record
        return has_records and not values.peek()
    except (DataError, ValueError):
        return has_records


def records(stream: BinaryIO, form: Form) -> Iterator[JsonText]:
    """Yield the records of *stream*, which has the *form* ``values`` or ``envelope``.

    Raises:
        DataError: ``not_json`` or ``truncated``: the rest of the stream cannot be read.
    """
    values = JsonStream(stream)
    while first := values.peek():
        if first == b"[":
            yield from values.elements()
        elif first == b"{" and form == "envelope":
            yield from _records_in(values)
        else:
            yield values.value()


def _records_in(values: JsonStream) -> Iterator[JsonText]:
    for _ in values.names():
        if values.peek() != b"[":
            values.value(keep=False)
            continue
        for element in values.elements():
            if values.first_is_object:
                yield element


class Readable(Protocol):
    """The part of a binary stream that `JsonStream` uses."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most *size* bytes; none at the end."""
        ...


class JsonStream:
    """Reads *stream* value by value; it recognizes brackets and strings, but does not check the JSON between them."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._data = b""
        self._at = 0
        self._base = 0
        self.is_object = False
        """Whether the last value was an object."""
        self.first_is_object = False
        """Whether the first element of the current array was an object."""
        self._fill()
        if self._data.startswith(_BOM):
            self._at = len(_BOM)

    @property
    def position(self) -> int:
        """Offset of the next byte of the stream."""
        return self._base + self._at

    def peek(self) -> bytes:
        """Skip white space and return the next byte without consuming it; empty at the end."""
        while True:
            self._at = _at_end(_SPACE, self._data, self._at)
            if self._at < len(self._data) or not self._fill():
                return self._data[self._at : self._at + 1]

    def names(self) -> Iterator[bytes]:
        """Yield the names of the next object, in quotes; the caller reads the value after each name.

        Raises:
            DataError: The JSON is invalid or truncated.
        """
        self._take(b"{")
        if self.peek() == b"}":
            self._take(b"}")
            return
        while True:
            if self.peek() != b'"':
                raise self._broken("a name in quotation marks")
            name = self.value().data
            self._take(b":")
            yield name or b'""'
            if self.peek() != b",":
                return self._take(b"}")
            self._take(b",")

    def elements(self, *, keep: bool = True) -> Iterator[JsonText]:
        """Yield the elements of the next array.

        Raises:
            DataError: As `names`.
        """
        self._take(b"[")
        is_first = True
        if self.peek() == b"]":
            return self._take(b"]")
        while True:
            element = self.value(keep=keep)
            self.first_is_object = self.is_object if is_first else self.first_is_object
            is_first = False
            yield element
            if self.peek() != b",":
                return self._take(b"]")
            self._take(b",")

    def value(self, *, keep: bool = True) -> JsonText:
        """Read one value. Without *keep*, only its offset and length are returned.

        Raises:
            DataError: As `names`.
        """
        first = self.peek()
        self.is_object = first == b"{"
        taken = _Taken(self.position, keep=keep)
        if first == b'"':
            self._at += 1
            taken.add(first)
            self._string(taken)
        elif first in (b"{", b"["):
            self._brackets(taken)
        else:
            self._scalar(taken)
        return taken.text()

    def _brackets(self, taken: _Taken) -> None:
        depth = 0
        while True:
            end = _at_end(_UP_TO_BRACKET, self._data, self._at)
            byte = self._data[end : end + 1]
            taken.add(self._data[self._at : end + 1])
            self._at = end + len(byte)
            if not byte:
                self._need()
            elif byte == b'"':
                self._string(taken)
            else:
                depth += 1 if byte in (b"{", b"[") else -1
                if not depth:
                    return

    def _string(self, taken: _Taken) -> None:
        """Read the rest of a string."""
        while True:
            end = _at_end(_REST_OF_STRING, self._data, self._at)
            taken.add(self._data[self._at : end])
            self._at = end
            if self._data[end : end + 1] == b'"':
                taken.add(b'"')
                self._at += 1
                return
            self._need()  # a backslash at the end of the buffer stays in the buffer

    def _scalar(self, taken: _Taken) -> None:
        while True:
            end = _at_end(_UP_TO_END_OF_SCALAR, self._data, self._at)
            taken.add(self._data[self._at : end])
            self._at = end
            if end < len(self._data) or not self._fill():
                break
        if not taken.size:
            raise self._broken("a value")

    def _take(self, byte: bytes) -> None:
        if self.peek() != byte:
            raise self._broken(f"`{byte.decode()}`")
        self._at += 1

    def _broken(self, expected: str) -> DataError:
        byte = self.peek()
        if not byte:
            return DataError("the JSON text ends in the middle", kind="truncated")
        return DataError(f"not JSON: expected {expected} at byte {self.position:,}, got {byte!r}", kind="not_json")

    def _need(self) -> None:
        if not self._fill():
            raise DataError("the JSON text ends in the middle", kind="truncated")

    def _fill(self) -> bool:
        """Read more of the stream and drop the consumed bytes; return False at the end."""
        self._base += self._at
        piece = available(self._stream, _READ_BYTES)
        self._data = self._data[self._at :] + piece
        self._at = 0
        return bool(piece)


class _Taken:
    """The bytes of a value, or only their hash if there are more than `MAX_VALUE_BYTES`."""

    def __init__(self, offset: int, *, keep: bool) -> None:
        self._offset = offset
        self._parts: list[bytes] = []
        self._digest: Any = None
        self._keep = keep
        self.size = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if not self._keep:
            return
        if self._digest is None and self.size > MAX_VALUE_BYTES:
            self._digest = hashlib.sha256(b"".join(self._parts))
            self._parts.clear()
        if self._digest is None:
            self._parts.append(data)
        else:
            self._digest.update(data)

    def text(self) -> JsonText:
        if self._digest is not None:
            return JsonText(self._offset, self.size, None, self._digest.hexdigest())
        return JsonText(self._offset, self.size, b"".join(self._parts) if self._keep else None)


def _at_end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    return at if match is None else match.end()
