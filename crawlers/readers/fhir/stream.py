"""Read FHIR resources out of a stream: a resource, a Bundle, an array of them, or one of these on each line (NDJSON).

Bundles are read entry by entry, so that memory holds one resource. A line that cannot be read does not affect others.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from corpusmill.crawlers.loaders.json_values import MAX_VALUE_BYTES, JsonStream, JsonText
from corpusmill.crawlers.loaders.jsonl import is_too_deep
from corpusmill.crawlers.loaders.rows import MAX_DEPTH, without_lone_surrogates
from corpusmill.crawlers.loaders.streams import BrokenStreamError, available
from corpusmill.schemas.errors import DataError

_HEAD_BYTES: Final = 1 << 20
_MAX_BUNDLES: Final = 4
"""Levels of Bundles within Bundles."""


class Resource(NamedTuple):
    """A resource as it stands in a file, and the URL of its entry; or the problem of what stands in its place."""

    offset: int
    data: bytes
    full_url: str | None = None
    problem: tuple[str, str] | None = None

    @property
    def value(self) -> dict[str, Any]:
        """The parsed resource.

        Raises:
            DataError: ``not_json``, ``too_deep``, or ``wrong_format``: it is no object with a `resourceType`.
        """
        value = parsed_json(self.data)
        if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
            raise DataError("the JSON is not a FHIR resource: it has no `resourceType`", kind="wrong_format")
        return value


def parsed_json(data: bytes) -> Any:
    """Parse *data*; text with lone surrogates gets U+FFFD.

    Raises:
        DataError: ``not_json`` or ``too_deep``.
    """
    if is_too_deep(data):
        raise DataError(f"the JSON has more than {MAX_DEPTH} levels", kind="too_deep")
    try:
        value = json.loads(data)
    except ValueError as error:
        place = f" at byte {error.pos:,}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(f"not JSON{place}", kind="not_json") from None
    return without_lone_surrogates(value) if b"\\ud" in data or b"\\uD" in data else value


def resources(stream: BinaryIO, *, start: int = 0, end: int = -1) -> Iterator[Resource]:
    """Yield the resources of *stream*; those of Bundles one by one.

    Args:
        start: Position of *stream*, which is at the beginning of a line, if it is NDJSON.
        end: Lines that begin at or behind this position are not read; -1: all are read.

    Raises:
        DataError: ``not_json`` or ``truncated``: the rest of the file cannot be read.
    """
    lines = _Lines(stream, start)
    if start > 0 or end >= 0 or lines.has_json_on_each_line():
        while (line := lines.next_line()) is not None and not 0 <= end <= line.offset:
            yield from _resources_of_line(line)
        return
    yield from _values(JsonStream(lines))


def ndjson_head(stream: BinaryIO) -> bytes:
    """Return the beginning of *stream* if it has a JSON object on each line, and more than one line; else nothing."""
    lines = _Lines(stream)
    return lines.head if lines.has_json_on_each_line() and lines.has_several() else b""


def lines_with(stream: BinaryIO, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield the lines of *stream* in which *pattern* occurs, without parsing the others.

    A line that is longer than `MAX_VALUE_BYTES` is divided.

    Raises:
        DataError: The stream breaks off.
    """
    rest = bytearray()
    while piece := available(stream, _HEAD_BYTES):
        rest += piece
        end = rest.rfind(b"\n") + 1 or (len(rest) if len(rest) > MAX_VALUE_BYTES else 0)
        if end and pattern.search(rest, 0, end):
            yield from (line for line in bytes(rest[:end]).split(b"\n") if pattern.search(line))
        del rest[:end]
    if pattern.search(rest):
        yield bytes(rest)


def _resources_of_line(line: _Line) -> Iterator[Resource]:
    offset = line.offset
    try:
        yield from _values(JsonStream(line), offset)
    except BrokenStreamError:
        raise
    except DataError as error:
        yield Resource(offset, f"{offset}".encode(), problem=(error.kind, error.message))
    line.skip()


def _values(values: JsonStream, offset: int = 0) -> Iterator[Resource]:
    while first := values.peek():
        if first == b"[":
            for element in values.elements():
                yield from _expanded(element, offset, 0)
        elif first == b"{":
            yield from _object(values, offset)
        else:
            raise DataError("the file is not JSON", kind="not_json")


def _object(values: JsonStream, offset: int) -> Iterator[Resource]:
    """Yield the resource that stands next, or the entries of a Bundle while they are read."""
    start = values.position
    parts: list[bytes] = []
    size, has_entries = 0, False
    for name in values.names():
        if name == b'"entry"' and values.peek() == b"[":
            has_entries = True
            for element in values.elements():
                yield from _entry(element, offset, 0)
            continue
        value = values.value()
        size += value.length
        if value.data is None or size > MAX_VALUE_BYTES:
            parts, size = [], MAX_VALUE_BYTES + 1
        else:
            parts.append(name + b":" + value.data)
    data = b"{" + b",".join(parts) + b"}"
    if size > MAX_VALUE_BYTES:
        message = f"the resource is larger than {MAX_VALUE_BYTES:,} bytes"
        yield Resource(offset + start, f"{offset + start}".encode(), problem=("too_large", message))
    elif not has_entries and b'"Bundle"' not in data[:_HEAD_BYTES]:
        yield Resource(offset + start, data)
    elif not has_entries:
        yield from _bundle_or_resource(Resource(offset + start, data))


def _bundle_or_resource(resource: Resource) -> Iterator[Resource]:
    """Yield *resource* unless it is an empty Bundle."""
    try:
        if resource.value["resourceType"] == "Bundle":
            return
    except DataError:
        pass
    yield resource


def _entry(element: JsonText, offset: int, depth: int) -> Iterator[Resource]:
    """Yield the resource of an entry of a Bundle."""
    if element.data is None:
        yield _too_large(element, offset)
        return
    try:
        entry = parsed_json(element.data)
    except DataError as error:
        yield Resource(offset + element.offset, element.data, problem=(error.kind, error.message))
        return
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if isinstance(resource, dict):
        full_url = entry.get("fullUrl")
        data = json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        inner = JsonText(element.offset, len(data), data)
        yield from _expanded(inner, offset, depth, full_url if isinstance(full_url, str) else None)


def _expanded(element: JsonText, offset: int, depth: int, full_url: str | None = None) -> Iterator[Resource]:
    """Yield the resource *element*, or the entries of the Bundle that it is."""
    if element.data is None:
        yield _too_large(element, offset)
        return
    if not re.search(rb'"resourceType"\s*:\s*"Bundle"', element.data):
        yield Resource(offset + element.offset, element.data, full_url)
        return
    try:
        value = parsed_json(element.data)
    except DataError as error:
        yield Resource(offset + element.offset, element.data, problem=(error.kind, error.message))
        return
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        yield Resource(offset + element.offset, element.data, full_url)
    elif depth >= _MAX_BUNDLES:
        message = f"Bundles are nested more than {_MAX_BUNDLES} levels deep"
        yield Resource(offset + element.offset, element.data, problem=("too_deep", message))
    else:
        entries = value.get("entry")
        for entry in entries if isinstance(entries, list) else []:
            data = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
            yield from _entry(JsonText(element.offset, len(data), data), offset, depth + 1)


def _too_large(element: JsonText, offset: int) -> Resource:
    message = f"the resource is larger than {MAX_VALUE_BYTES:,} bytes"
    return Resource(offset + element.offset, (element.digest or "").encode(), problem=("too_large", message))


def _beginning(stream: BinaryIO) -> bytes:
    """Return the first `_HEAD_BYTES` of *stream*, or what is before a damaged place; reading on raises its error."""
    head = b""
    with contextlib.suppress(DataError):
        while len(head) < _HEAD_BYTES and (piece := available(stream, _HEAD_BYTES - len(head))):
            head += piece
    return head


class _Lines:
    """A stream that can be read whole, or line by line."""

    def __init__(self, stream: BinaryIO, start: int = 0) -> None:
        self._stream = stream
        self._head = _beginning(stream)
        self._at = 0
        self._position = start

    def has_json_on_each_line(self) -> bool:
        """Return whether the first lines hold one object each, as in NDJSON."""
        lines = [line.strip() for line in self._head.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
        starts = [line for line in lines if line][:3]
        if len(starts) < 2:
            return len(starts) == 1 and starts[0].startswith(b"{") and len(starts[0]) > 1
        return all(line.startswith(b"{") and line not in (b"{", b"{}") for line in starts[:2]) and starts[0].endswith(
            b"}"
        )

    @property
    def head(self) -> bytes:
        """What was read ahead."""
        return self._head

    def has_several(self) -> bool:
        """Return whether the beginning of the stream has more than one line that is not blank."""
        return sum(bool(line.strip()) for line in self._head.split(b"\n")[:100]) > 1

    def read(self, size: int = -1) -> bytes:
        """Read from the whole stream."""
        data, self._head = self._head, b""
        return data or available(self._stream, size)

    def readline(self, size: int) -> bytes:
        """Read up to the end of the line, or less of it; empty at the end of the file."""
        if self._at == len(self._head):
            self._head, self._at = available(self._stream, _HEAD_BYTES), 0
        end = self._head.find(b"\n", self._at, self._at + size) + 1 or min(self._at + size, len(self._head))
        data = self._head[self._at : end]
        self._at = end
        self._position += len(data)
        return data

    def next_line(self) -> _Line | None:
        """Return the next line that is not blank; None at the end."""
        while True:
            offset = self._position
            head = self.readline(_HEAD_BYTES)
            if not head:
                return None
            if head.strip():
                return _Line(self, offset, head)


class _Line:
    """One line as a stream."""

    def __init__(self, lines: _Lines, offset: int, head: bytes) -> None:
        self.offset = offset
        self._lines = lines
        self._pending: bytes | None = head
        self._has_ended = head.endswith(b"\n")

    def read(self, size: int = -1) -> bytes:
        """Return the next piece of the line; empty at its end."""
        if self._pending is not None:
            data, self._pending = self._pending, None
            return data
        if self._has_ended:
            return b""
        data = self._lines.readline(_HEAD_BYTES)
        self._has_ended = not data or data.endswith(b"\n")
        return data

    def skip(self) -> None:
        """Read to the end of the line."""
        while self.read():
            pass
