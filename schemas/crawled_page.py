"""What is known about one address of a crawled site. Apart from its table, so that a crawl does not import pyarrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["page", "redirect", "site"]
"""A page, an address that redirects, or a file that speaks for a whole site, such as robots.txt."""


@dataclass(frozen=True)
class CrawledPage:
    """A row of the table `CRAWLED_PAGES`. Times are in microseconds since 1970.

    Args:
        etag: `ETag` as the server sent it, as is `last_modified`.
        location: The target of a redirect.
        payload_digest: Digest of the body as it was sent, in the form of a WARC file.
        text_digest: Digest of the text that decides whether the page changed.
        reservations: Opt-outs in the headers, in a form that can be compared.
        asked_at: Start of the latest crawl in which the server was asked for the page and answered.
        interval_s: Seconds after which the page is due again; 0: in each recrawl.
        misses: Recrawls in a row in which the page was missing.
        gone: The rule by which its documents leave the next version; None while the page is there.
    """

    url: str
    kind: Kind
    address: str
    status: int
    etag: str | None = None
    last_modified: str | None = None
    location: str | None = None
    payload_digest: str | None = None
    text_digest: str | None = None
    reservations: str | None = None
    file: str | None = None
    offset: int | None = None
    captured_at: int | None = None
    first_fetched_at: int | None = None
    asked_at: int | None = None
    interval_s: int = 0
    misses: int = 0
    gone: str | None = None
    gone_message: str | None = None
    gone_at: int | None = None
    depth: int = 0
    referrer: str | None = None
