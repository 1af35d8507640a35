"""An HTTP/1.1 client that records exchanges byte for byte and connects only to permitted addresses.

Scrapy's handlers change the order and spelling of headers, and resolve a name again after its addresses were checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, urlsplit

from corpusmill.crawlers.connection import Connection, Head, TimeLimit
from corpusmill.crawlers.content_codings import undo_content_codings
from corpusmill.crawlers.cookies import CookieStore
from corpusmill.crawlers.frontier.addresses import Lookup, permission, permitted_addresses
from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.pace import is_transient
from corpusmill.crawlers.references import request_target
from corpusmill.crawlers.retry_after import retry_after_s
from corpusmill.crawlers.warc import Exchange
from corpusmill.schemas.errors import DataError

ANY_TYPE: Final = frozenset(("*",))
"""For `media_types`: errors are refused, and any declared type is accepted."""
_CONNECT_S: Final = 10.0
"""Time limit for a connection to one of the addresses of a host."""
_ASKED: Final = {
    "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1",
    "Accept-Language": "*",
    "Accept-Encoding": "gzip",
}


class Client:
    """Sends GET requests. The caller must send only one at a time to a host.

    Args:
        user_agent: Value of the header.
        allow_private: Whether to connect to private and loopback addresses.
        timeout_s: Time limit for an exchange, including name resolution and body.
        silence_s: Time limit for the next bytes of the server.
        max_bytes: Maximum size of a body as it is sent.
        cookies: Where the cookies of servers are kept; None to ignore them.
        permits: Whether to connect to an address, instead of the decision by `allow_private`.
        lookup: Resolves host names, instead of the resolver of the system.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        allow_private: bool,
        timeout_s: float,
        max_bytes: int,
        silence_s: float = 20.0,
        cookies: CookieStore | None = None,
        permits: Callable[[str], bool] | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._permits = permits or permission(allow_private=allow_private)
        self._lookup = lookup
        self._timeout_s = timeout_s
        self._silence_s = silence_s
        self._max_bytes = max_bytes
        self._cookies = cookies
        self._idle: dict[tuple[str, str, int], Connection] = {}
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
            async with TimeLimit(timeout_s=self._timeout_s, silence_s=self._silence_s).watch() as limit:
                place = urlsplit(url)
                request = self._request(place, url, conditions)
                return await self._exchange(place, url, request, media_types, cut_at, limit)
        except ssl.SSLError as error:
            raise Refusal("error.tls", _tls_message(error)) from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Refusal("error.connection", _failure_message(error), retry_after_s=0) from error

    async def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle.values():
            connection.close()
        self._idle.clear()

    async def _exchange(
        self,
        place: SplitResult,
        url: str,
        request: bytes,
        media_types: frozenset[str] | None,
        cut_at: int | None,
        limit: TimeLimit,
    ) -> Exchange:
        at = datetime.now(UTC)
        connection, head = await self._send(place, request, limit)
        if self._cookies is not None:
            self._cookies.keep(url, head.raw)
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
        cookie = None if self._cookies is None else self._cookies.header(url)
        if cookie is not None:
            fields["Cookie"] = cookie
        lines = [f"GET {request_target(url)} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def _send(self, place: SplitResult, request: bytes, limit: TimeLimit) -> tuple[Connection, Head]:
        """Send *request* on the idle connection, or on a new one if there is none, it was closed, or it is out of step.

        It is out of step if the server sent a body after a response that cannot have one, such as a 304.
        """
        kept = self._idle.pop(_key(place), None)
        if kept is not None:
            if kept.is_usable:
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, Refusal):
                    return kept, await kept.ask(request, limit)
            kept.close()
        connection = await self._connect(place, limit)
        return connection, await connection.ask(request, limit)

    async def _connect(self, place: SplitResult, limit: TimeLimit) -> Connection:
        host, port = place.hostname or "", _key(place)[2]
        if place.scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        tls = self._tls if place.scheme == "https" else None
        failure: OSError | None = None
        for address in await permitted_addresses(host, port, permits=self._permits, lookup=self._lookup):
            limit.extend()
            try:
                async with asyncio.timeout(_CONNECT_S):
                    return await Connection.open(address, port, tls=tls, host=host)
            except ssl.SSLError:
                raise
            except OSError as error:
                failure = error
        assert failure is not None, "resolution returns at least one address"
        if isinstance(failure, TimeoutError):
            raise Refusal("error.timeout", "no connection", retry_after_s=0) from failure
        raise failure

    async def _body(
        self, connection: Connection, head: Head, media_types: frozenset[str] | None, cut_at: int | None
    ) -> tuple[bytes, bool]:
        unwanted = _unwanted(head, media_types)
        if unwanted is not None:
            raise _Unread(unwanted, drained=await connection.drain(head))
        limit = self._max_bytes if cut_at is None else cut_at
        body, whole = await connection.body(head, limit, may_cut=cut_at is not None)
        if not whole and cut_at is None:
            raise Refusal("error.too_large", f"body above {limit} bytes")
        is_site_file = media_types is None and cut_at is not None
        if is_site_file and whole and connection.has_surplus:
            # A robots.txt that is cut by a wrong length may lack the rule that forbids something.
            raise Refusal("error.bad_response", "more bytes than Content-Length or the last chunk announced")
        return body, not whole

    def _release(self, place: SplitResult, connection: Connection, *, keep: bool) -> None:
        if keep and connection.is_usable:
            connection.rest()
            self._idle[_key(place)] = connection
        else:
            connection.close()


class _Unread(Exception):
    """The body is not wanted; `drained` says whether it was read anyway."""

    def __init__(self, refusal: Refusal, *, drained: bool) -> None:
        super().__init__(refusal.rule)
        self.refusal = refusal
        self.drained = drained


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
        wait = retry_after_s(head.headers, now=datetime.now(UTC)) if is_transient(head.status) else None
        return Refusal(f"http.{head.status}", head.raw[0].decode("latin-1")[:200], retry_after_s=wait)
    if media_types is ANY_TYPE or head.media_type in (None, *media_types):
        return None
    return Refusal("content.not_html", head.media_type or "")


def _archived(line: bytes) -> bytes:
    return b"X-Crawler-" + line if line[:18].lower() == b"transfer-encoding:" else line


def _key(place: SplitResult) -> tuple[str, str, int]:
    return place.scheme, place.hostname or "", place.port or (443 if place.scheme == "https" else 80)


def _tls_message(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {error.verify_message}"
    return str(error.reason or error)


def _failure_message(error: Exception) -> str:
    if isinstance(error, asyncio.IncompleteReadError):
        return "the connection ended before the response did"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
