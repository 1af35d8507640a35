"""Lenient parsing of the headers of WARC records.

Field names are case-insensitive (WARC 1.1 §4), lines end in CRLF or LF, values can be folded over several lines (§4, as
in RFC 2616), and the first of several fields with one name counts.
"""

from __future__ import annotations

import re
from typing import BinaryIO, Final, NamedTuple

from corpusmill.crawlers.loaders.http_body import MAX_HEADER_BYTES
from corpusmill.schemas.errors import DataError

_VERSION: Final = re.compile(rb"WARC/\d{1,4}\.\d{1,4}[ \t]*\r?\n?\Z")
_LENGTH: Final = re.compile(r"\d{1,18}")
_END_OF_HEAD: Final = (b"\n", b"\r\n", b"")


class Head(NamedTuple):
    """The fields of a record, with names in lower case, and the length of its block in bytes."""

    fields: dict[str, str]
    length: int


def next_version_line(stream: BinaryIO) -> tuple[bytes, str | None]:
    """Read *stream* up to and including its next version line (``WARC/1.1``).

    Returns:
        The line, empty at the end of *stream*; and a message about skipped bytes, None if they are blank.
    """
    problem: str | None = None
    while line := stream.readline(MAX_HEADER_BYTES):
        if _VERSION.match(line):
            break
        if problem is None and (skipped := line.strip(b"\0 \t\r\n")):
            problem = f"no WARC record begins with {skipped[:40]!r}"
    return line, problem


def parse_head(lines: list[bytes]) -> Head:
    r"""Parse the *lines* of a header after the version line.

    Raises:
        DataError: ``bad_header``: the length of the block is missing or invalid.

    >>> parse_head([b"content-LENGTH: 5\n", b"WARC-Type: re\n", b" source\n"])
    Head(fields={'content-length': '5', 'warc-type': 're source'}, length=5)
    """
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text[:1] in (" ", "\t"):
            if name:
                fields[name] = f"{fields[name]} {text.strip()}".strip()
            continue
        name, colon, value = text.partition(":")
        name = name.strip().lower()
        if not colon or name in fields:
            name = ""
            continue
        fields[name] = value.strip()
    length = fields.get("content-length")
    if length is None:
        raise DataError("the header of the record has no Content-Length", kind="bad_header")
    if not _LENGTH.fullmatch(length):
        raise DataError(f"the header of the record has Content-Length: {length[:40]!r}", kind="bad_header")
    return Head(fields, int(length))


def read_head(stream: BinaryIO) -> Head:
    """Read the header of the record whose version line was read last.

    Raises:
        DataError: ``truncated``: *stream* ends in the header; ``bad_header``: it is too long, or has no valid length.
    """
    lines: list[bytes] = []
    size = 0
    while (line := stream.readline(MAX_HEADER_BYTES)) not in _END_OF_HEAD:
        lines.append(line)
        size += len(line)
        if size > MAX_HEADER_BYTES:
            raise DataError(f"the header of the record is larger than {MAX_HEADER_BYTES:,} bytes", kind="bad_header")
    if not line:
        raise DataError("the file ends in the header of a record", kind="truncated")
    return parse_head(lines)
