"""Canonical URLs by the rules ``url-v1``. They are the `source_id` of pages, so changing a rule changes ids.

The URL as fetched is kept in a column of its own. `rel=canonical` is not used.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
MAX_URL_CHARACTERS: Final = 8192
"""RFC 9110 §4.1 recommends supporting at least 8,000 octets; a longer link is almost always an error in the page."""


class TooLongURLError(ValueError):
    """A URL has more than `MAX_URL_CHARACTERS`."""

    def __init__(self) -> None:
        super().__init__(f"longer than {MAX_URL_CHARACTERS} characters")


TRACKING_PREFIXES: Final = ("utm_", "mtm_", "hsa_")
TRACKING_PARAMETERS: Final = frozenset(
    (
        "fbclid",
        "gclid",
        "gclsrc",
        "gbraid",
        "wbraid",
        "dclid",
        "msclkid",
        "yclid",
        "twclid",
        "ttclid",
        "igshid",
        "mc_cid",
        "mc_eid",
        "mkt_tok",
        "pk_campaign",
        "pk_kwd",
        "_hsenc",
        "_hsmi",
        "_ga",
        "_gl",
        "s_cid",
        "vero_id",
        "oly_anon_id",
        "oly_enc_id",
        "phpsessid",
        "jsessionid",
    )
)
"""Query parameters that identify a campaign, a click or a session, never a page.

Source: documentation of the systems that add them: Google Analytics and Ads (``utm_*``, ``gclid``, ``gclsrc``,
``gbraid``, ``wbraid``, ``dclid``, ``_ga``, ``_gl``), Meta (``fbclid``, ``igshid``), Microsoft (``msclkid``), Yandex
(``yclid``), X (``twclid``), TikTok (``ttclid``), Matomo (``mtm_*``, ``pk_*``), HubSpot (``hsa_*``, ``_hs*``), Mailchimp
(``mc_*``), Marketo (``mkt_tok``), Adobe (``s_cid``), Vero, Omeda; PHP and Java servlets for the sessions.
"""

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_IN_PATH: Final = _UNRESERVED | frozenset(b"!$&'()*+,;=:@/")
_IN_QUERY: Final = _IN_PATH | frozenset(b"?")
_NEEDS_WORK: Final = re.compile(r"[^A-Za-z0-9\-._~!$&'()*+,;=:@/]")
_ESCAPE: Final = re.compile(rb"%[0-9A-Fa-f]{2}|.", re.DOTALL)
_DOTS: Final = re.compile(r"(^|/)\.\.?(/|$)")
_HOST: Final = re.compile(r"[a-z0-9\-._~!$&'()*+,;=]+")
_CONTROLS: Final = "".join(map(chr, range(0x21)))
_DROPPED: Final = str.maketrans("", "", "\t\r\n")


@lru_cache(maxsize=65_536)
def canonical_url(url: str) -> str:
    """Return the canonical form of the absolute URL *url* by the rules ``url-v1``.

    The scheme and host are in lower case and the host in ASCII (IDNA). The default port, user and fragment are dropped.
    The path has no dot segments and is never empty. Percent-encoding is normalized (RFC 3986 §6.2.2). Query parameters
    are sorted by name (equal names keep their order); empty and tracking parameters are removed.

    Raises:
        ValueError: *url* is not an absolute http or https URL, its host or port is invalid, or it is too long.

    >>> canonical_url("HTTP://Example.ORG:80/a/../%7euser/?b=2&utm_source=x&a=1#top")
    'http://example.org/~user/?a=1&b=2'
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise TooLongURLError
    parts = urlsplit(_one_line(url))
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError(f"not a web address: {url!r}")
    port = parts.port
    place = _host(parts.hostname) + (f":{port}" if port not in (None, DEFAULT_PORTS[parts.scheme]) else "")
    query = _query(parts.query)
    return f"{parts.scheme}://{place}{_path(parts.path)}{'?' if query else ''}{query}"


def canonical_key(url: str) -> str:
    """Return the canonical form of *url*; a text that is no web address stays as it is.

    >>> canonical_key("HTTP://example.org"), canonical_key("http://[bad")
    ('http://example.org/', 'http://[bad')
    """
    try:
        return canonical_url(url)
    except ValueError:
        return url


def authority(canonical: str) -> str:
    """Return the host and port of a canonical URL: the scope of a robots.txt.

    >>> authority("https://example.org:8443/a")
    'example.org:8443'
    """
    return canonical.split("/", 3)[2]


def _one_line(url: str) -> str:
    """Clean *url* as a browser does: strip blanks, remove tabs and line breaks, turn ``\\`` into ``/`` in the path."""
    url = url.strip(_CONTROLS).translate(_DROPPED)
    if "\\" not in url:
        return url
    end = min((at for at in (url.find("?"), url.find("#")) if at >= 0), default=len(url))
    return url[:end].replace("\\", "/") + url[end:]


def _host(host: str | None) -> str:
    if not host:
        raise ValueError("no host")
    if ":" in host:
        return f"[{ipaddress.IPv6Address(host.partition('%')[0]).compressed}]"
    host = ".".join(_label(label) for label in _readable(host).split("."))
    if not _HOST.fullmatch(host) or ".." in host or len(host) > 253:
        raise ValueError(f"not a host: {host!r}")
    return _number(host) or host


def _readable(host: str) -> str:
    """Decode percent-encoding in *host*, and map its characters as UTS 46 does before processing labels."""
    host = _decode_escapes(host) if "%" in host else host
    if host.isascii():
        return host.lower()
    mapped = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", host.replace("。", ".")).lower())
    return "".join(letter for letter in mapped if letter in "‌‍" or unicodedata.category(letter) != "Cf")


def _decode_escapes(text: str) -> str:
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda hit: bytes([int(hit[1], 16)]), text.encode())
    return raw.decode()


def _label(label: str) -> str:
    """Return *label* in ASCII; the four characters that IDNA 2008 allows again (ß, ς, two joiners) are kept."""
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


def _number(host: str) -> str | None:
    """Return the dotted form of an IPv4 address in any notation, such as one hexadecimal number; None for a name."""
    last = host.rstrip(".").rpartition(".")[2]
    if not (last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last)):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    except OSError as error:
        raise ValueError(f"not an address: {host!r}") from error


def _path(path: str) -> str:
    if _NEEDS_WORK.search(path):
        path = _escaped(path, allowed=_IN_PATH)
    return _without_dots(path) if _DOTS.search(path) else path or "/"


def _without_dots(path: str) -> str:
    """Remove the dot segments of *path* (RFC 3986 §5.2.4)."""
    kept: list[str] = []
    *parents, last = path.split("/")[1:]
    for segment in (*parents, "" if last in (".", "..") else last):
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if last == "..":
        del kept[-2:-1]
    return "/" + "/".join(kept)


def _query(query: str) -> str:
    if not query:
        return ""
    if _NEEDS_WORK.search(query):
        query = _escaped(query, allowed=_IN_QUERY)
    kept = [part for part in query.split("&") if part and not _is_tracking(part.partition("=")[0].lower())]
    return "&".join(sorted(kept, key=lambda part: part.partition("=")[0]))


def _is_tracking(name: str) -> bool:
    return name in TRACKING_PARAMETERS or name.startswith(TRACKING_PREFIXES)


def _escaped(text: str, *, allowed: frozenset[int]) -> str:
    """Return *text* in ASCII, with unreserved characters decoded and all bytes outside *allowed* percent-encoded."""

    def normal(hit: re.Match[bytes]) -> bytes:
        piece = hit[0]
        code = int(piece[1:], 16) if len(piece) == 3 else piece[0]
        plain = code in (_UNRESERVED if len(piece) == 3 else allowed)
        return bytes([code]) if plain else b"%%%02X" % code

    return _ESCAPE.sub(normal, text.encode("utf-8", "surrogatepass")).decode("ascii")
