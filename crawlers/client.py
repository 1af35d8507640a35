"""An HTTP/1.1 client that records exchanges byte for byte and connects only to permitted addresses.

Scrapy's handlers change the order and spelling of headers, and resolve a name again after its addresses were checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, urlsplit

from corpusmill.crawlers.content_codings import undo_content_codings
from corpusmill.crawlers.frontier.addresses import public_addresses
from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.references import request_target
from corpusmill.crawlers.warc import Exchange
from corpusmill.schemas.errors import DataError

MAX_HEAD_BYTES: Final = 64 * 1024
"""Maximum size of a response's status line and headers."""
_CHUNK: Final = 256 * 1024
_DRAINED: Final = 64 * 1024
"""An unwanted body up to this size is read, so that the connection can be reused."""
_STATUS: Final = re.compile(rb"HTTP/(1\.[01]) +(\d{3})(?: .*)?")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
"""A Content-Length of less than 2^63 bytes."""
_TRANSIENT: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Statuses after which a retry may help (RFC 9110 §15; RFC 6585 §4, RFC 8470 §5.2)."""
_NO_BODY: Final = frozenset((204, 304))
_ASKED: Final = {
    "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1",
    "Accept-Language": "*",
    "Accept-Encoding": "gzip",
}


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


class Client:
    """Sends GET requests. The caller must send only one at a time to a host.

    Args:
        user_agent: Value of the header.
        allow_private: Whether to connect to private and loopback addresses.
        timeout_s: Time limit for an exchange, including name resolution and body.
        max_bytes: Maximum size of a body as it is sent.
    """

    def __init__(self, *, user_agent: str, allow_private: bool, timeout_s: float, max_bytes: int) -> None:
        self._user_agent = user_agent
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._idle: dict[tuple[str, str, int], _Connection] = {}
        self._tls: ssl.SSLContext | None = None

    async def get(
        self,
        url: str,
        *,
        media_types: frozenset[str] | None = None,
        cut_at: int | None = None,
        conditions: Mapping[str, str] = MappingProxyType({}),
    ) -> Exchange:
        """Fetch *url*, without following a redirect.

        Args:
            conditions: Headers that make the request conditional, such as `If-None-Match`.
            media_types: If set, errors and responses with another declared type are refused before the body is read.
            cut_at: Truncate the body at this size, instead of refusing it above `max_bytes`.

        Raises:
            Refusal: There is no response, or it is refused (``error.*``, ``http.*``, ``content.*``).
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                place = urlsplit(url)
                return await self._exchange(place, url, self._request(place, url, conditions), media_types, cut_at)
        except TimeoutError as error:
            raise Refusal("error.timeout", f"no answer in {self._timeout_s:g} s", retry_after_s=1) from error
        except ssl.SSLError as error:
            raise Refusal("error.tls", str(error.reason or error)) from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Refusal("error.connection", _failure_message(error), retry_after_s=1) from error

    async def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle.values():
            connection.close()
        self._idle.clear()

    async def _exchange(
        self, place: SplitResult, url: str, request: bytes, media_types: frozenset[str] | None, cut_at: int | None
    ) -> Exchange:
        at = datetime.now(UTC)
        connection, head = await self._send(place, request)
        is_reusable = False
        try:
            body, truncated = await self._body(connection, head, media_types, cut_at)
            is_reusable = head.keeps_open and not truncated
        except _Unread as unread:
            is_reusable = head.keeps_open and unread.drained
            raise unread.refusal from None
        finally:
            self._release(place, connection, keep=is_reusable)
        raw = b"\r\n".join(_archived(line) for line in head.raw) + b"\r\n\r\n"
        return Exchange(url, request, head.status, raw, head.headers, body, connection.address, at, truncated)

    def _request(self, place: SplitResult, url: str, conditions: Mapping[str, str]) -> bytes:
        host = place.netloc.rpartition("@")[2]
        fields = {"Host": host, "User-Agent": self._user_agent, **_ASKED, **conditions, "Connection": "keep-alive"}
        lines = [f"GET {request_target(url)} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def _send(self, place: SplitResult, request: bytes) -> tuple[_Connection, Head]:
        """Send *request* on the idle connection, or on a new one if there is none, it was closed, or it is out of step.

        It is out of step if the server sent a body after a response that cannot have one, such as a 304.
        """
        kept = self._idle.pop(_key(place), None)
        if kept is not None and not kept.reader.at_eof():
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, Refusal):
                return kept, await kept.ask(request)
        connection = await self._connect(place)
        return connection, await connection.ask(request)

    async def _connect(self, place: SplitResult) -> _Connection:
        host, port = place.hostname or "", _key(place)[2]
        if place.scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        tls = self._tls if place.scheme == "https" else None
        failure: OSError | None = None
        for address in await public_addresses(host, port, allow_private=self._allow_private):
            try:
                reader, writer = await asyncio.open_connection(
                    address, port, ssl=tls, server_hostname=host if tls else None, limit=MAX_HEAD_BYTES
                )
                return _Connection(reader, writer, address)
            except ssl.SSLError:
                raise
            except OSError as error:
                failure = error
        assert failure is not None, "resolution returns at least one address"
        raise failure

    async def _body(
        self, connection: _Connection, head: Head, media_types: frozenset[str] | None, cut_at: int | None
    ) -> tuple[bytes, bool]:
        unwanted = _unwanted(head, media_types)
        if unwanted is not None:
            raise _Unread(unwanted, drained=await connection.drain(head))
        limit = self._max_bytes if cut_at is None else cut_at
        body, whole = await connection.body(head, limit)
        if not whole and cut_at is None:
            raise Refusal("error.too_large", f"body above {limit} bytes")
        return body, not whole

    def _release(self, place: SplitResult, connection: _Connection, *, keep: bool) -> None:
        if keep:
            self._idle[_key(place)] = connection
        else:
            connection.close()


class _Unread(Exception):
    """The body is not wanted; `drained` says whether it was read anyway."""

    def __init__(self, refusal: Refusal, *, drained: bool) -> None:
        super().__init__(refusal.rule)
        self.refusal = refusal
        self.drained = drained


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        self.reader = reader
        self.address = address
        self._writer = writer

    def close(self) -> None:
        self._writer.close()

    async def ask(self, request: bytes) -> Head:
        """Send *request* and read the head of the final response."""
        try:
            self._writer.write(request)
            head = await self._head()
            while 100 <= head.status < 200:
                head = await self._head()
        except BaseException:
            self.close()
            raise
        return head

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
            return await self.reader.readline()
        except ValueError as error:
            raise Refusal("error.bad_response", f"{name} is longer than {MAX_HEAD_BYTES} bytes") from error

    async def drain(self, head: Head) -> bool:
        """Read and discard a small body; return False if it may not be small."""
        try:
            if int(head.headers.get("content-length", _DRAINED + 1)) > _DRAINED:
                return False
        except ValueError:
            return False
        return (await self.body(head, _DRAINED))[1]

    async def body(self, head: Head, limit: int) -> tuple[bytes, bool]:
        """Return the body without its framing, and whether it is complete (otherwise it is cut at *limit* bytes)."""
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
        return await self.reader.readexactly(min(int(digits), limit)), int(digits) <= limit

    async def _to_end(self, limit: int) -> tuple[bytes, bool]:
        parts: list[bytes] = []
        size = 0
        while size <= limit:
            part = await self.reader.read(_CHUNK)
            if not part:
                return b"".join(parts), True
            parts.append(part)
            size += len(part)
        return b"".join(parts)[:limit], False

    async def _chunked(self, head: Head, limit: int) -> tuple[bytes, bool]:
        """Read chunks (RFC 9112 §7.1) and discard trailers."""
        coding = head.headers["transfer-encoding"].lower()
        if coding != "chunked":
            raise Refusal("error.bad_response", f"Transfer-Encoding: {coding[:100]}")
        parts: list[bytes] = []
        size = 0
        while length := await self._chunk_length():
            if size + length > limit:
                parts.append(await self.reader.readexactly(limit - size))
                return b"".join(parts), False
            parts.append(await self.reader.readexactly(length))
            size += length
            await self._line("the end of a chunk")
        while (await self._line("a trailer line")).strip():
            continue
        return b"".join(parts), True

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


def decoded(exchange: Exchange, *, max_bytes: int) -> bytes:
    """Return the body of *exchange* without its content codings, as the loader of archives reads it.

    Raises:
        Refusal: ``error.encoding``, ``error.truncated``: the body cannot be decoded, or is incomplete;
            ``error.too_large``: it decodes to more than *max_bytes*.
    """
    codings = exchange.headers.get("content-encoding", "")
    try:
        return undo_content_codings(exchange.body, codings, max_bytes=max_bytes, is_cut=exchange.truncated)
    except DataError as error:
        raise Refusal(error.rule, error.message) from error


def _unwanted(head: Head, media_types: frozenset[str] | None) -> Refusal | None:
    """Return the reason to refuse a response with this *head*; None without *media_types*."""
    if media_types is None or 300 <= head.status < 400:
        return None
    if head.status != 200:
        wait = _retry_after(head) if head.status in _TRANSIENT else None
        return Refusal(f"http.{head.status}", head.raw[0].decode("latin-1")[:200], retry_after_s=wait)
    if head.media_type in (None, *media_types):
        return None
    return Refusal("content.not_html", head.media_type or "")


def _retry_after(head: Head) -> float:
    """Return the seconds of `Retry-After`; a date counts as one second."""
    value = head.headers.get("retry-after", "")
    return float(value) if value.isdecimal() and len(value) < 9 else 1.0


def _archived(line: bytes) -> bytes:
    return b"X-Crawler-" + line if line[:18].lower() == b"transfer-encoding:" else line


def _key(place: SplitResult) -> tuple[str, str, int]:
    return place.scheme, place.hostname or "", place.port or (443 if place.scheme == "https" else 80)


def _failure_message(error: Exception) -> str:
    if isinstance(error, asyncio.IncompleteReadError):
        return "the connection ended before the response did"
    return str(error) or type(error).__name__
