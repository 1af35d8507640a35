"""Write WARC 1.1 files (ISO 28500:2017), with one gzip member per record, so that each record can be read alone."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final

from isal import isal_zlib

from corpusmill.crawlers.frontier.entries import Listed

GZIP_LEVEL: Final = 3
"""isal's level 3: on the HTML documentation of PostgreSQL, 5 times faster than zlib's level 6, and 8 % larger."""
ROLE_FIELD: Final = "X-Crawler-Role"
"""Field of a response record with a sitemap or a feed, so that readers do not take it for a document."""
RENDERED_AS: Final = "X-Crawler-Rendered-As"
"""Field of a response that was rendered, with the id of the conversion that takes its place."""
LISTED_DATE: Final = "X-Crawler-Listed-Date"
"""Field of a page that a news sitemap lists, with the date of publication there."""
LISTED_TITLE: Final = "X-Crawler-Listed-Title"
_GZIP_WINDOW: Final = 31
"""zlib's number for a gzip member (15) with its header (16)."""
_PROFILES: Final = "http://netpreserve.org/warc/1.1/revisit/"
"""Names of the profiles of revisits (WARC 1.1 §6.7)."""
_NOT_MODIFIED: Final = 304


@dataclass(frozen=True)
class Exchange:
    """One request and its response, as sent over the network.

    Args:
        url: The requested address.
        request: Request line and headers, with the empty line after them.
        status: Status of the response.
        head: Status line and headers of the response, with the empty line. A `Transfer-Encoding` is renamed
            `X-Crawler-Transfer-Encoding`, because `body` has no framing.
        headers: The response's headers; names in lower case, values joined by commas.
        body: The body as sent, with its content codings such as gzip.
        address: IP address of the server.
        at: Time of the request.
        truncated: Whether the body was cut at a limit.
        role: ``sitemap`` or ``feed`` if the response is no page, but a file that lists pages.
        listed: What a news sitemap says about the page.
    """

    url: str
    request: bytes
    status: int
    head: bytes
    headers: dict[str, str]
    body: bytes
    address: str
    at: datetime
    truncated: bool = False
    role: str | None = None
    listed: Listed | None = None

    @cached_property
    def payload_digest(self) -> str:
        """The digest of the body as it was sent, in the labeled form that archives use: SHA-1 in base 32."""
        return _digest(self.body)


@dataclass(frozen=True)
class Original:
    """The response whose body a later exchange had again: its URL, time, and payload digest."""

    url: str
    at: datetime
    payload_digest: str


class WarcWriter:
    """Appends records to ``<prefix>-<number>.warc.gz`` in *folder* and starts the next file at *max_bytes*.

    Args:
        number: Number of the first file, which is cut at byte *end* first; each file begins with a warcinfo record.
        description: Fields of the warcinfo records.

    A record is passed to the operating system when `write` returns, and is on disk when its file is closed.
    """

    def __init__(
        self, folder: Path, prefix: str, *, number: int, end: int, max_bytes: int, description: dict[str, str]
    ) -> None:
        self._folder = folder
        self._prefix = prefix
        self._max_bytes = max_bytes
        self._description = description
        self.number = number
        self._file = self._open(number, end=end)

    @property
    def end(self) -> int:
        """Size of the current file in bytes."""
        return self._file.tell()

    def _open(self, number: int, *, end: int) -> BinaryIO:
        path = self._folder / archive_name(self._prefix, number)
        file = path.open("ab")
        file.truncate(end)
        file.seek(end)
        self._file = file
        if not end:
            self._append(_warcinfo(path.name, self._description))
        return file

    def write(self, exchange: Exchange, rendered: Exchange | None = None, *, original: Original | None = None) -> int:
        """Append the response and the request of *exchange*. Return the position of the first record in its file.

        Args:
            rendered: The rendered page, which is appended as a conversion.
            original: The response that has the same body, which then is not stored again.
        """
        if self.end >= self._max_bytes:
            self.close()
            self.number += 1
            self._open(self.number, end=0)
        position = self.end
        self._append(*exchange_records(exchange, rendered, original=original))
        return position

    def _append(self, *records: bytes) -> None:
        self._file.write(b"".join(isal_zlib.compress(record, GZIP_LEVEL, _GZIP_WINDOW) for record in records))
        self._file.flush()

    def close(self) -> None:
        """Flush the file to disk and close it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def archive_name(prefix: str, number: int) -> str:
    """Return the name of an archive.

    >>> archive_name("site", 3)
    'site-00003.warc.gz'
    """
    return f"{prefix}-{number:05d}.warc.gz"


def exchange_records(
    exchange: Exchange, rendered: Exchange | None = None, *, original: Original | None = None
) -> tuple[bytes, ...]:
    """Return the response record, or the revisit of *original*, and the request record of *exchange*.

    With the *rendered* page, the response names the conversion that takes its place, which is the third record: the
    response as it would be with the rendered page as its body (WARC 1.1 §6.7).
    """
    response_id, request_id, conversion_id = _record_id(), _record_id(), _record_id()
    about = {"WARC-Date": _date(exchange.at), "WARC-Target-URI": exchange.url}
    response = {
        **about,
        "WARC-IP-Address": exchange.address,
        "WARC-Concurrent-To": request_id,
        "WARC-Payload-Digest": exchange.payload_digest if original is None else original.payload_digest,
        "Content-Type": "application/http; msgtype=response",
    }
    if exchange.truncated:
        response["WARC-Truncated"] = "length"
    if exchange.role is not None:
        response[ROLE_FIELD] = exchange.role
    stated = {} if exchange.listed is None else _stated(exchange.listed)
    response |= stated
    if rendered is not None:
        response[RENDERED_AS] = conversion_id
    kind, body = "response", exchange.body
    if original is not None:
        kind, body = "revisit", b""
        name = "server-not-modified" if exchange.status == _NOT_MODIFIED else "identical-payload-digest"
        response |= {
            "WARC-Profile": _PROFILES + name,
            "WARC-Refers-To-Target-URI": original.url,
            "WARC-Refers-To-Date": _date(original.at),
        }
    request = {**about, "WARC-Concurrent-To": response_id, "Content-Type": "application/http; msgtype=request"}
    records = (
        _record(kind, response_id, response, exchange.head + body),
        _record("request", request_id, request, exchange.request),
    )
    if rendered is None:
        return records
    conversion = {
        **about,
        **stated,
        "WARC-Refers-To": response_id,
        "Content-Type": "application/http; msgtype=response",
    }
    return *records, _record("conversion", conversion_id, conversion, rendered.head + rendered.body)


def _stated(listed: Listed) -> dict[str, str]:
    fields = {LISTED_DATE: listed.published, LISTED_TITLE: listed.title}
    return {name: value for name, value in fields.items() if _plain(value)}


def _warcinfo(name: str, description: dict[str, str]) -> bytes:
    fields = {"WARC-Date": _date(datetime.now(UTC)), "WARC-Filename": name}
    block = "".join(f"{key}: {_plain(value)}\r\n" for key, value in description.items()).encode()
    return _record("warcinfo", _record_id(), {**fields, "Content-Type": "application/warc-fields"}, block)


def _record(kind: str, record_id: str, fields: dict[str, str], block: bytes) -> bytes:
    lines = {"WARC-Type": kind, "WARC-Record-ID": record_id, **fields, "WARC-Block-Digest": _digest(block)}
    head = "".join(f"{name}: {_plain(value)}\r\n" for name, value in lines.items())
    return f"WARC/1.1\r\n{head}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"


def _plain(value: str) -> str:
    """Return a value on one line."""
    return " ".join(value.split())


def _record_id() -> str:
    return f"<urn:uuid:{uuid.uuid4()}>"


def _date(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _digest(block: bytes) -> str:
    """Return the digest in the labeled form that archives use: SHA-1 in base 32."""
    return "sha1:" + base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode("ascii")
