"""Compare what a server answers now with what it answered before, and make requests conditional.

A request has the server's own validators (RFC 9110 §13.1), never a guess from the age of a page.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from corpusmill.crawlers.loaders.http_body import parse_head
from corpusmill.crawlers.optouts.page import page_signals
from corpusmill.crawlers.warc import Exchange, Original
from corpusmill.schemas.crawled_page import CrawledPage, Kind

NOT_MODIFIED: Final = 304
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ETAG: Final = re.compile(r"[\x21-\x7e\x80-\xff]{1,1000}")
"""RFC 9110 §8.8.3, and values without quotation marks, as some servers send them."""
_DATE: Final = re.compile(r"[\x20-\x7e]{1,100}")
_RESERVING: Final = frozenset(
    ("x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage", "content-signal", "link")
)
_DIGEST_CHARACTERS: Final = 32


@dataclass(frozen=True)
class Capture:
    """An answer to a request, as the archive has it. Fields as in `CrawledPage`.

    Args:
        is_stored: Whether the archive has its body. Otherwise it is a revisit, and `file`, `offset` and `captured_at`
            are those of the response that has the body.
    """

    kind: Kind
    status: int
    etag: str | None
    last_modified: str | None
    location: str | None
    payload_digest: str | None
    text_digest: str | None
    reservations: str | None
    file: str | None = None
    offset: int | None = None
    captured_at: int | None = None
    is_stored: bool = True


def capture_of(exchange: Exchange, *, kind: Kind, text: str | None = None, location: str | None = None) -> Capture:
    """Return the capture of *exchange*, which is not in the archive yet.

    Args:
        text: The text by which changes of a page are judged.
        location: The target of a redirect.
    """
    return Capture(
        kind=kind,
        status=exchange.status,
        etag=exchange.headers.get("etag"),
        last_modified=exchange.headers.get("last-modified"),
        location=location,
        payload_digest=exchange.payload_digest,
        text_digest=None if text is None else sha256(text.encode(errors="replace")).hexdigest()[:_DIGEST_CHARACTERS],
        reservations=reservations(exchange),
        captured_at=microseconds(exchange.at),
    )


def capture_again(known: CrawledPage, exchange: Exchange) -> Capture:
    """Return the capture of *known*, with the validators of *exchange*, which has the same body or none."""
    return Capture(
        kind=known.kind,
        status=known.status,
        etag=exchange.headers.get("etag") or known.etag,
        last_modified=exchange.headers.get("last-modified") or known.last_modified,
        location=known.location,
        payload_digest=known.payload_digest,
        text_digest=known.text_digest,
        reservations=known.reservations,
        file=known.file,
        offset=known.offset,
        captured_at=known.captured_at,
        is_stored=False,
    )


def stored_at(capture: Capture, *, file: str, offset: int) -> Capture:
    """Return *capture* with the place of its record in the archive."""
    return replace(capture, file=file, offset=offset)


def conditions(known: CrawledPage | None, *, address: str) -> dict[str, str]:
    """Return the headers that make a request for the page at *address* conditional; none without its validators.

    A server ignores conditions for a redirect (RFC 9110 §13.2.1).

    >>> conditions(CrawledPage("a", "page", "b", 200, etag='"1"', file="f"), address="b")
    {'If-None-Match': '"1"'}
    """
    if known is None or known.kind != "page" or known.file is None or known.address != address:
        return {}
    named = {"If-None-Match": (known.etag, _ETAG), "If-Modified-Since": (known.last_modified, _DATE)}
    return {name: value for name, (value, form) in named.items() if value and form.fullmatch(value)}


def original_of(known: CrawledPage) -> Original | None:
    """Return the response that has the body of *known*; None if no archive has it."""
    if known.file is None or known.captured_at is None or known.payload_digest is None:
        return None
    return Original(known.address, _EPOCH + known.captured_at * _MICROSECOND, known.payload_digest)


def is_repeated(capture: Capture, known: CrawledPage | None) -> bool:
    """Return whether *capture* is what the archive already has: same status, body, target and opt-outs."""
    return (
        known is not None
        and known.file is not None
        and (capture.kind, capture.status, capture.payload_digest, capture.location, capture.reservations)
        == (known.kind, known.status, known.payload_digest, known.location, known.reservations)
    )


def adds_reservation(exchange: Exchange, known: CrawledPage) -> bool:
    """Return whether a 304 states an opt-out that the stored response does not state. It may leave out others."""
    return not _stated(reservations(exchange)) <= _stated(known.reservations)


def reservations(exchange: Exchange) -> str | None:
    """Return the opt-outs in the headers of *exchange* in a form that can be compared; None if there are none."""
    if _RESERVING.isdisjoint(exchange.headers):
        return None
    head = parse_head(exchange.head)
    signals = page_signals(head.fields if head else (), b"", media_type=None, captured_at=exchange.at)
    return json.dumps(sorted([one.kind, one.place, one.applies] for one in signals)) if signals else None


def _stated(stored: str | None) -> set[tuple[str, ...]]:
    return set(map(tuple, json.loads(stored))) if stored else set()


def microseconds(at: datetime) -> int:
    """Return *at* in microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND
