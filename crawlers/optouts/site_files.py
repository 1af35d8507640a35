"""Find the files in which a site speaks for all of its pages among the responses of an archive."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from corpusmill.crawlers.frontier.robots import MAX_ROBOTS_BYTES
from corpusmill.schemas.identity import capture_hash
from corpusmill.schemas.optouts import AI_TXT, SITE_PATHS
from corpusmill.schemas.urls import authority, canonical_url

_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_TOO_MANY: Final = 429


def site_path(url: str) -> str | None:
    """Return which of `SITE_PATHS` is at *url*; None for other addresses.

    >>> site_path("https://example.org/ai.txt"), site_path("https://example.org/a/robots.txt"), site_path("http://[a/")
    ('/ai.txt', None, None)
    """
    if not url.endswith(SITE_PATHS):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.path if parts.path in SITE_PATHS and not parts.query else None


def site_file(url: str, *, status: int, media_type: str, body: Callable[[], bytes]) -> dict[str, Any] | None:
    """Return the columns of `SITE_FILE`, without `fetched_at`, for a response; None if it says nothing about the site.

    A client error means that the site has no such file. Redirects and failures of the server say nothing.

    Args:
        status: Status of the response.
        media_type: Without parameters. An `ai.txt` in HTML is the site's page for missing files.
        body: Returns the decoded body.
    """
    path, host = site_path(url), host_of(url)
    if path is None or host is None:
        return None
    if 200 <= status < 300:
        data = body()[:MAX_ROBOTS_BYTES]
        text = "" if path == AI_TXT and media_type == "text/html" else decoded(data)
        return {"host": host, "path": path, "record_sha256": capture_hash(data), "body": text}
    if 400 <= status < 500 and status != _TOO_MANY:
        return {"host": host, "path": path, "record_sha256": capture_hash(b""), "body": None}
    return None


def host_of(url: str) -> str | None:
    """Return host and port of *url*, without a default port: the scope of these files, for http and https alike.

    >>> host_of("HTTPS://Example.org:443/a"), host_of("http://example.org:8080/"), host_of("a.md")
    ('example.org', 'example.org:8080', None)
    """
    try:
        return authority(canonical_url(url))
    except ValueError:
        return None


def decoded(data: bytes) -> str:
    """Return *data* as text: UTF-8, or UTF-16 if it begins with a byte order mark. Nulls are dropped.

    >>> decoded(b"\\xff\\xfeA\\0"), decoded(b"a\\xff")
    ('A', 'a\\ufffd')
    """
    mark, codec = next(((mark, codec) for mark, codec in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    return data[len(mark) :].decode(codec, "replace").replace("\0", "")
