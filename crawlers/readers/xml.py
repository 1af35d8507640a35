"""XML from unknown hands: no entity is expanded, nothing is fetched, depth and size are bounded.

`elements` cuts the records of a dump out of a stream by their tags, without parsing the rest: a record that is broken
does not affect its neighbors, memory is that of one record, and reading can begin anywhere. `parsed` parses one record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from lxml import etree

from corpusmill.crawlers.loaders.streams import available
from corpusmill.schemas.errors import DataError

MAX_RECORD_BYTES: Final = 64_000_000
"""A larger record is `error.too_large`."""
MAX_COMMENT_BYTES: Final = 1 << 20
"""The beginning of a comment without an end within so many bytes is read as text, so that it hides no records."""
_MAX_TAG_BYTES: Final = 1 << 20
"""A post of Stack Exchange is an attribute: 30,000 characters, which can be several times as long with their escapes.
"""
_READ_BYTES: Final = 1 << 20
_OPENING: Final = re.compile(rb"<(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>")
_SECTIONS: Final = {b"<!--": (b"-->", MAX_COMMENT_BYTES), b"<![CDATA[": (b"]]>", MAX_RECORD_BYTES)}
"""By the beginning of a section whose content is not markup: its end, and how far away that may be."""


class Element(NamedTuple):
    """An element as it stands in a file. `data` is None if it is larger than the limit."""

    offset: int
    data: bytes | None


def elements(
    stream: BinaryIO,
    *tags: str,
    start: int = 0,
    end: int = -1,
    max_bytes: int = MAX_RECORD_BYTES,
    root: str = "",
    is_inside: bool = False,
) -> Iterator[Element]:
    """Yield the elements *tags* that begin in ``[start, end)`` of *stream*, which must be at *start*, in UTF-8.

    An element must not contain another one with one of the tags. An element without an end reaches to the next
    beginning.
    Tags in comments and CDATA sections do not count, except that *start* must not lie within such a section.

    With *root*, the stream must have the end of this element, which contains all others, after the last of *tags*. Of
    the slices of a file, only the one with the last of *tags* is read to the end of the file, so it alone reports this.
    Without any of *tags*, a slice at 0 reports it, unless it *is_inside* the root element, as the later ones are.

    Raises:
        DataError: ``truncated``: the last element, or *root*, has no end.

    >>> import io
    >>> [element.data for element in elements(io.BytesIO(b"<a><b>1</b> <b x='2>'/></a>"), "b")]
    [b'<b>1</b>', b"<b x='2>'/>"]
    """
    names = b"|".join(re.escape(tag.encode()) for tag in tags)
    last = re.escape(root.encode()) if root else rb"(?!)"
    token = re.compile(rb"<!--|<!\[CDATA\[|<(/?)(?:" + names + rb")(?=[\s/>])|(</" + last + rb")(?=[\s>])")
    margin = max(map(len, (*tags, root))) + 12
    is_complete = not root or start > 0 or is_inside
    window = _Window(stream, start)
    at, begin = start, None
    while True:
        match = token.search(window.data, at - window.start)
        if match is None:
            at = max(at, window.end - margin)
            keep = begin if begin is not None and window.end - begin <= max_bytes else at
            if not window.read_more(keep):
                break
            continue
        here, length, is_closing = window.start + match.start(), len(match[0]), match[1] == b"/"
        if match[2] is not None:
            is_complete, at = True, here + length
        elif match[1] is None:
            at = window.section_end(here, match[0], keep=here if begin is None else begin, max_bytes=max_bytes)
        elif is_closing:
            at = window.tag_end(here, length, keep=here if begin is None else begin)[0]
            if begin is not None:
                yield window.element(begin, at, max_bytes)
                begin = None
        else:
            if begin is not None:
                yield window.element(begin, here, max_bytes)
            if 0 <= end <= here:
                return
            at, is_whole = window.tag_end(here, length, keep=here)
            is_complete = not root
            begin = None if is_whole else here
            if is_whole:
                yield window.element(here, at, max_bytes)
    if begin is not None:
        raise DataError("the file ends within a record", kind="truncated")
    if not is_complete:
        raise DataError(f"the file ends before </{root}>, so records are missing", kind="truncated")


class _Window:
    """The part ``[start, end)`` of a stream that is in memory."""

    def __init__(self, stream: BinaryIO, start: int) -> None:
        self._stream = stream
        self.start = start
        self.data = bytearray()
        self._searched: dict[bytes, int] = {}

    @property
    def end(self) -> int:
        return self.start + len(self.data)

    def read_more(self, keep: int) -> bool:
        """Read a piece, and forget what is before *keep*; return False at the end of the stream."""
        piece = available(self._stream, _READ_BYTES)
        if not piece:
            return False
        forgotten = max(keep - self.start, 0)
        del self.data[:forgotten]
        self.start += forgotten
        self.data += piece
        return True

    def element(self, begin: int, end: int, max_bytes: int) -> Element:
        """Return the element ``[begin, end)``."""
        is_whole = begin >= self.start and end - begin <= max_bytes
        return Element(begin, bytes(self.data[begin - self.start : end - self.start]) if is_whole else None)

    def section_end(self, here: int, beginning: bytes, *, keep: int, max_bytes: int) -> int:
        """Return where the section that starts at *here* ends; behind its *beginning* if the end is too far away.

        Where no end was found is remembered, so that many beginnings without an end take no longer than one.
        """
        ending, bound = _SECTIONS[beginning]
        searched = max(here + len(beginning), self._searched.get(ending, 0) - len(ending) + 1)
        while True:
            if (found := self.data.find(ending, searched - self.start)) >= 0:
                position = self.start + found
                return position + len(ending) if position - here <= bound else here + len(beginning)
            self._searched[ending] = self.end
            if self.end - here > bound or not self.read_more(keep if self.end - keep <= max_bytes else here):
                return here + len(beginning)
            searched = max(here + len(beginning), self._searched[ending] - len(ending) + 1)

    def tag_end(self, here: int, length: int, *, keep: int) -> tuple[int, bool]:
        """Return where the tag at *here* ends, and whether it is an element without content.

        A tag without an end, or one that is too long, ends after its first *length* bytes.
        """
        while True:
            first = here - self.start
            match = _OPENING.match(self.data, first, first + _MAX_TAG_BYTES)
            if match is not None:
                return self.start + match.end(), match[0].endswith(b"/>")
            if self.end - here >= _MAX_TAG_BYTES or not self.read_more(keep):
                return here + length, False


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
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and next(declared.iterentities(), None) is not None:
        raise DataError("the document declares entities of its own", kind="entities")
    return root


def local_name(element: etree._Element) -> str:
    """Return the name of *element* without its namespace; empty for comments and instructions."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
