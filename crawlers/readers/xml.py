"""XML from unknown hands: no entity is expanded, nothing is fetched, depth and size are bounded.

`elements` cuts the records of a dump out of a stream by their tags, without parsing the rest: a record that is broken
does not affect its neighbors, memory is that of one record, and reading can begin anywhere. `parsed` parses one record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from lxml import etree

from corpusmill.schemas.errors import DataError

MAX_RECORD_BYTES: Final = 64_000_000
"""A larger record is `error.too_large`."""
_READ_BYTES: Final = 1 << 20


class Element(NamedTuple):
    """An element as it stands in a file. `data` is None if it is larger than the limit."""

    offset: int
    data: bytes | None


def elements(
    stream: BinaryIO, tag: str, *, start: int = 0, end: int = -1, max_bytes: int = MAX_RECORD_BYTES
) -> Iterator[Element]:
    """Yield the elements *tag* that begin in ``[start, end)`` of *stream*, which must be at *start*, in UTF-8.

    An element must not contain another one with its tag. An element without an end reaches to the next beginning.

    Raises:
        DataError: ``truncated``: the last element has no end.

    >>> import io
    >>> [element.data for element in elements(io.BytesIO(b"<a><b>1</b> <b x='2'/></a>"), "b")]
    [b'<b>1</b>', b"<b x='2'/>"]
    """
    opening = re.compile(rb"<" + re.escape(tag.encode()) + rb"(?=[\s/>])")
    closing = re.compile(rb"</" + re.escape(tag.encode()) + rb"\s*>")
    margin = len(tag) + 16
    buffer, position = b"", start
    while True:
        begin = opening.search(buffer)
        if begin is None:
            keep = buffer[-margin:]
            position += len(buffer) - len(keep)
            piece = stream.read(_READ_BYTES)
            if not piece:
                return
            buffer = keep + piece
            continue
        position += begin.start()
        buffer = buffer[begin.start() :]
        if 0 <= end <= position:
            return
        size, rest, data = _element(stream, buffer, opening, closing, max_bytes)
        yield Element(position, data)
        position += size
        buffer = rest


def _element(
    stream: BinaryIO, start: bytes, opening: re.Pattern[bytes], closing: re.Pattern[bytes], max_bytes: int
) -> tuple[int, bytes, bytes | None]:
    """Return the size of the element at *start*, what follows it, and its bytes unless it is too large.

    Raises:
        DataError: The stream ends first.
    """
    buffer = bytearray(start)  # grows in place: a copy for each piece would make large records quadratic
    skipped, searched = 0, 1
    while True:
        head_end = buffer.find(b">") if not skipped else -1
        if head_end > 0 and buffer[head_end - 1 : head_end] == b"/":
            return head_end + 1, bytes(buffer[head_end + 1 :]), bytes(buffer[: head_end + 1])
        last, following = closing.search(buffer, searched), opening.search(buffer, searched)
        if last is not None and (following is None or last.start() < following.start()):
            size = skipped + last.end()
            whole = bytes(buffer[: last.end()]) if size <= max_bytes and not skipped else None
            return size, bytes(buffer[last.end() :]), whole
        if following is not None:
            size = skipped + following.start()
            whole = bytes(buffer[: following.start()]) if size <= max_bytes and not skipped else None
            return size, bytes(buffer[following.start() :]), whole
        searched = max(1, len(buffer) - 64)
        if skipped + len(buffer) > max_bytes:
            skipped += searched
            del buffer[:searched]
            searched = 0
        piece = stream.read(_READ_BYTES)
        if not piece:
            raise DataError("the file ends within a record", kind="truncated")
        buffer += piece


def parsed(data: bytes, *, max_bytes: int = MAX_RECORD_BYTES) -> etree._Element:
    """Parse one record or document. Entities are not expanded, except the five of XML and numbered characters.

    Raises:
        DataError: ``not_xml``: it is not well-formed, or nested more than 256 levels deep; ``too_large``;
            ``entities``: it declares entities of its own, which can expand to any size or name other files.
    """
    if len(data) > max_bytes:
        raise DataError(f"the record has {len(data):,} bytes, more than {max_bytes:,}", kind="too_large")
    if b"<!ENTITY" in data[:65_536]:
        raise DataError("the document declares entities of its own", kind="entities")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise DataError(f"not well-formed XML: {error.msg}", kind="not_xml") from error
    if root is None:
        raise DataError("the document has no element", kind="not_xml")
    return root


def local_name(element: etree._Element) -> str:
    """Return the name of *element* without its namespace; empty for comments and instructions."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
