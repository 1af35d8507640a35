"""One HTTP/1.1 connection: heads and bodies of responses, within limits of size and time.

A server may send anything, so each loop over its bytes is bounded by their number, and each wait by a time.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from corpusmill.crawlers.frontier.refusal import Refusal

MAX_HEAD_BYTES: Final = 64 * 1024
"""Maximum size of a response's status line and headers, and of its trailers."""
_MAX_INTERIM: Final = 16
"""Maximum number of interim responses (1xx) before the final one."""
_MAX_FRAMING: Final = 16
"""Maximum bytes of chunk framing for each byte of content, after the first `MAX_HEAD_BYTES`."""
_CHUNK: Final = 256 * 1024
_DRAINED: Final = 64 * 1024
"""An unwanted body up to this size is read, so that the connection can be reused."""
_STATUS: Final = re.compile(rb"HTTP/(1\.[01]) +(\d{3})(?: .*)?")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
"""A Content-Length of less than 2^63 bytes."""
_NO_BODY: Final = frozenset((204, 304))


@dataclass(frozen=True)
class Head:
    """Status line and headers of a response: names in lower case, values joined by commas; `raw` lines without CRLF."""

    status: int
    headers: dict[str, str]
    raw: tuple[bytes, ...]
    keeps_open: bool

    @property
    def media_type(self) -> str | None:
        """The declared type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() or None


class TimeLimit:
    """The time left for an exchange: in all, and until the server sends something again.

    Args:
        timeout_s: Seconds for the whole exchange.
        silence_s: Seconds without a byte from the server.
    """

    def __init__(self, *, timeout_s: float, silence_s: float) -> None:
        self._timeout_s = timeout_s
        self._silence_s = silence_s
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + timeout_s
        self._timeout = asyncio.timeout_at(self._next())

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[TimeLimit]:
        """Cancel what runs in this context when a limit is exceeded.

        Raises:
            Refusal: ``error.timeout``.
        """
        try:
            async with self._timeout:
                yield self
        except TimeoutError as error:
            if not self._timeout.expired():
                raise
            is_over = self._loop.time() >= self._end
            what = f"no whole answer in {self._timeout_s:g} s" if is_over else f"silent for {self._silence_s:g} s"
            raise Refusal("error.timeout", what, retry_after_s=0) from error

    def extend(self) -> None:
        """Restart the time without a byte from the server."""
        if not self._timeout.expired():
            self._timeout.reschedule(self._next())

    def _next(self) -> float:
        return min(self._end, self._loop.time() + self._silence_s)


class _Reader(asyncio.StreamReader):
    """Tells the time limit of the current exchange about each arrival of bytes, and counts them."""

    limit: TimeLimit | None = None
    arrived = 0

    def feed_data(self, data: Any) -> None:
        """Take bytes from the transport."""
        self.arrived += len(data)
        if self.limit is not None:
            self.limit.extend()
        super().feed_data(data)


class Connection:
    """A connection to *address*, for one exchange after the other."""

    def __init__(self, reader: _Reader, writer: asyncio.StreamWriter, address: str) -> None:
        self.address = address
        self._reader = reader
        self._writer = writer
        self._taken = 0

    @classmethod
    async def open(cls, address: str, port: int, *, tls: ssl.SSLContext | None, host: str) -> Connection:
        """Connect to *address*; with *tls*, the certificate must be valid for *host*."""
        loop = asyncio.get_running_loop()
        reader = _Reader(limit=MAX_HEAD_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol, address, port, ssl=tls, server_hostname=host if tls else None
        )
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop), address)

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent: the server did not close it, and sent nothing beyond its response."""
        return not self._reader.at_eof() and not self.has_surplus

    @property
    def has_surplus(self) -> bool:
        """Whether the server sent more than its response, as with a wrong `Content-Length`."""
        return self._reader.arrived > self._taken

    def close(self) -> None:
        """Close the connection without waiting."""
        self._reader.limit = None
        self._writer.close()

    def rest(self) -> None:
        """End an exchange; bytes that arrive now belong to none."""
        self._reader.limit = None

    async def ask(self, request: bytes, limit: TimeLimit) -> Head:
        """Send *request* and read the head of the final response."""
        try:
            self._reader.limit = limit
            self._writer.write(request)
            for _ in range(_MAX_INTERIM):
                head = await self._head()
                if head.status >= 200:
                    return head
            raise Refusal("error.bad_response", f"more than {_MAX_INTERIM} interim responses")
        except BaseException:
            self.close()
            raise

    async def _head(self) -> Head:
        lines: list[bytes] = []
        size = 0
        while True:
            line = await self._line("a header line")
            if not line.endswith(b"\n"):
                raise asyncio.IncompleteReadError(line, None)
            size += len(line)
            if size > MAX_HEAD_BYTES:
                raise Refusal("error.bad_response", f"headers above {MAX_HEAD_BYTES} bytes")
            line = line.rstrip(b"\r\n")
            if not line:
                return parse_head(lines)
            lines.append(line)

    async def _line(self, name: str) -> bytes:
        """Read a line; it has no line feed if the connection ended."""
        try:
            line = await self._reader.readline()
        except ValueError as error:
            raise Refusal("error.bad_response", f"{name} is longer than {MAX_HEAD_BYTES} bytes") from error
        self._taken += len(line)
        return line

    async def _exactly(self, size: int) -> bytes:
        data = await self._reader.readexactly(size)
        self._taken += size
        return data

    async def drain(self, head: Head) -> bool:
        """Read and discard a small body; return False if it may not be small."""
        try:
            if int(head.headers.get("content-length", _DRAINED + 1)) > _DRAINED:
                return False
        except ValueError:
            return False
        return (await self.body(head, _DRAINED))[1]

    async def body(self, head: Head, limit: int, *, may_cut: bool = False) -> tuple[bytes, bool]:
        """Return the body without its framing, and whether it is complete.

        A longer body is cut at *limit* bytes. Without *may_cut*, it is not read if its length is declared.
        """
        if head.status in _NO_BODY:
            return b"", True
        if "transfer-encoding" in head.headers:
            return await self._chunked(head, limit)
        declared = head.headers.get("content-length")
        if declared is None:
            return await self._to_end(limit)
        lengths = {length.strip() for length in declared.split(",")}
        if len(lengths) > 1 or not _LENGTH.fullmatch(digits := lengths.pop()):
            raise Refusal("error.bad_response", f"Content-Length: {declared[:100]}")
        if int(digits) > limit and not may_cut:
            return b"", False
        return await self._exactly(min(int(digits), limit)), int(digits) <= limit

    async def _to_end(self, limit: int) -> tuple[bytes, bool]:
        body = bytearray()
        while len(body) <= limit:
            part = await self._reader.read(_CHUNK)
            if not part:
                return bytes(body), True
            body += part
        del body[limit:]
        return bytes(body), False

    async def _chunked(self, head: Head, limit: int) -> tuple[bytes, bool]:
        """Read chunks (RFC 9112 §7.1) and discard trailers."""
        coding = head.headers["transfer-encoding"].lower()
        if coding != "chunked":
            raise Refusal("error.bad_response", f"Transfer-Encoding: {coding[:100]}")
        body = bytearray()
        began = self._taken
        while length := await self._chunk_length():
            if len(body) + length > limit:
                body += await self._exactly(limit - len(body))
                return bytes(body), False
            body += await self._exactly(length)
            await self._line("the end of a chunk")
            if self._taken - began > MAX_HEAD_BYTES + (1 + _MAX_FRAMING) * len(body):
                raise Refusal("error.bad_response", "more framing of chunks than content")
        began = self._taken
        while (await self._line("a trailer line")).strip():
            if self._taken - began > MAX_HEAD_BYTES:
                raise Refusal("error.bad_response", f"trailers above {MAX_HEAD_BYTES} bytes")
        return bytes(body), True

    async def _chunk_length(self) -> int:
        line = await self._line("a chunk length")
        if not line:
            raise asyncio.IncompleteReadError(line, None)
        digits = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", digits):
            raise Refusal("error.bad_response", f"chunk length {digits[:100]!r}")
        return int(digits, 16)


def parse_head(lines: list[bytes]) -> Head:
    """Parse the lines of a response's head.

    Lines without a colon are skipped, as in browsers.

    Raises:
        Refusal: ``error.bad_response``: the head does not begin with a status line.

    >>> parse_head([b"HTTP/1.1 200 OK", b"Vary: a", b"vary: b"]).headers
    {'vary': 'a, b'}
    """
    hit = _STATUS.fullmatch(lines[0]) if lines else None
    if hit is None:
        raise Refusal("error.bad_response", f"not HTTP/1: {(lines or [b''])[0][:100]!r}")
    headers: dict[str, str] = {}
    name = ""
    for line in lines[1:]:
        text = line.decode("latin-1")
        if text[0] in " \t" and name:
            headers[name] += " " + text.strip()
        elif ":" in text:
            name, _, value = (part.strip() for part in text.partition(":"))
            name = name.lower()
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    connection = headers.get("connection", "").lower()
    keeps_open = "close" not in connection and (hit[1] == b"1.1" or "keep-alive" in connection)
    framed = "content-length" in headers or "transfer-encoding" in headers or int(hit[2]) in _NO_BODY
    return Head(int(hit[2]), headers, tuple(lines), keeps_open and framed)
