"""Parsing of recorded HTTP responses: status, headers and decoded body."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from corpusmill.crawlers.content_codings import dechunked, undo_content_codings

MAX_HEADER_BYTES: Final = 65_536
_END_OF_HEADER: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"(?:HTTP|ICY)\S*\s+(\d{3})")
_LISTS: Final = ("content-encoding", "transfer-encoding")


@dataclass(frozen=True)
class Response:
    """The head of a response. Header names are in lower case; the first of several headers with one name counts.

    Repeated headers that list codings are joined (RFC 9110 §5.3). `fields` has all headers, repeated ones as well, in
    order.
    """

    status: int
    headers: dict[str, str]
    head_bytes: int
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def media_type(self) -> str:
        """Media type in lower case, without parameters; empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse_head(block: bytes | memoryview) -> Response | None:
    """Parse the head of the HTTP response in *block*; return None if *block* does not start with a status line.

    Lines can end in LF alone, as in some archives.
    """
    status = _STATUS.match(block, 0, MAX_HEADER_BYTES)
    if status is None:
        return None
    end = _END_OF_HEADER.search(block, 0, MAX_HEADER_BYTES)
    lines = bytes(block[: end.start() if end else MAX_HEADER_BYTES]).decode("latin-1").splitlines()[1:]
    headers: dict[str, str] = {}
    fields: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            continue
        name, value = name.strip().lower(), value.strip()
        fields.append((name, value))
        if name in _LISTS and name in headers:
            headers[name] += f", {value}"
        else:
            headers.setdefault(name, value)
    head_bytes = end.end() if end else min(len(block), MAX_HEADER_BYTES)
    return Response(int(status[1]), headers, head_bytes, tuple(fields))


def decoded_body(body: bytes, response: Response, *, max_bytes: int, is_cut: bool = False) -> bytes:
    """Decode the transfer codings and the content codings of *body*.

    Archives often keep the headers of codings that are already decoded. With *is_cut*, the body was cut off when it was
    fetched, and the part before the cut is returned.

    Raises:
        DataError: As `undo_content_codings`.
    """
    transfer_codings = response.headers.get("transfer-encoding", "")
    if "chunked" in transfer_codings.lower():
        body = dechunked(body)
    for codings in (transfer_codings, response.headers.get("content-encoding", "")):
        body = undo_content_codings(body, codings, max_bytes=max_bytes, is_cut=is_cut, is_archived=True)
    return body
