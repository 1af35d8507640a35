"""Resolve addresses in pages and in `Location` as browsers do: the WHATWG URL standard, 4.4, for http and https."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.schemas.urls import DEFAULT_PORTS, MAX_URL_CHARACTERS, TooLongURLError, authority, canonical_url

_ABSOLUTE: Final = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SURROUNDING: Final = "".join(map(chr, range(0x21)))
"""C0 controls and the space, which are stripped from an address."""
_DROPPED: Final = str.maketrans("", "", "\t\r\n")
_ESCAPED_IN_PATH: Final = re.compile(r"[\x00-\x20\"<>^`{}\x7f-\U0010ffff]+")
"""The standard's "path percent-encode set" (1.3), without `#` and `?`, which a path cannot contain."""
_ESCAPED_IN_QUERY: Final = re.compile(r"[\x00-\x20\"<>'\x7f-\U0010ffff]+")
"""The standard's "special-query percent-encode set" (1.3)."""


def resolved_url(reference: str, *, base: str, encoding: str = "utf-8") -> str:
    """Resolve *reference* in a page at *base* to an address in ASCII, without a fragment.

    Args:
        reference: As written: it may be relative, or have extra slashes, backslashes, blanks and line ends.
        base: The absolute address of the page, or the base that it declares.
        encoding: Python's name of the page's encoding, which its queries use.

    Raises:
        ValueError: The result is not an http or https address, or its host or port is invalid, or it, *reference* or
            *base* is longer than `MAX_URL_CHARACTERS`.

    >>> resolved_url("///Example.ORG:80\\\\a b/../é?q[]=é", base="http://localhost/", encoding="latin-1")
    'http://example.org/%C3%A9?q[]=%E9'
    """
    text = reference.strip(_SURROUNDING).translate(_DROPPED)
    if max(len(text), len(base)) > MAX_URL_CHARACTERS:
        raise TooLongURLError
    scheme, place, base_path, base_query = _parts(base)
    has_authority = False
    if named := _SCHEME.match(text):
        text = text[named.end() :]
        has_authority = named[1].lower() != scheme or text.startswith("//")
        scheme = named[1].lower()
        if scheme not in DEFAULT_PORTS:
            raise ValueError(f"not a web address: {reference[:200]!r}")
    path, mark, query = text.partition("#")[0].partition("?")
    path = path.replace("\\", "/")
    has_query = bool(mark)
    if has_authority or path.startswith("//"):
        place, _, path = path.lstrip("/").partition("/")
        place = _place(scheme, place)
    elif not path:
        path = base_path
        query, has_query = (query, True) if mark else (base_query or "", base_query is not None)
    elif not path.startswith("/"):
        path = f"{base_path.rpartition('/')[0]}/{path}"
    url = f"{scheme}://{place}{_path(path)}{'?' if has_query else ''}{_query(query, encoding)}"
    if len(url) > MAX_URL_CHARACTERS:
        raise TooLongURLError
    return url


def names_another_scheme(reference: str) -> bool:
    """Return whether *reference* has a scheme other than http and https, so that it leads to no web page.

    >>> [names_another_scheme(text) for text in ("mailto:a@example.org", "HTTPS://[", "a:b/c", "/a:b")]
    [True, False, True, False]
    """
    named = _SCHEME.match(reference[:100].strip(_SURROUNDING).translate(_DROPPED))
    return named is not None and named[1].lower() not in DEFAULT_PORTS


def resolved_location(head: bytes, *, base: str) -> str | None:
    """Return the address that the response *head* redirects to; None if it has no `Location`.

    Bytes beyond ASCII are escaped one by one, as browsers do, so that raw UTF-8 keeps its meaning.

    Raises:
        Refusal: ``error.bad_redirect``: it is not a web address, or there are several, which browsers also refuse.
    """
    locations = dict.fromkeys(value for value in _values(head, b"location") if value)
    if not locations:
        return None
    shown = ", ".join(location.decode("latin-1")[:200] for location in locations)
    if len(locations) > 1:
        raise Refusal("error.bad_redirect", f"several values of Location: {shown}")
    text = "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in next(iter(locations)))
    try:
        url = resolved_url(text, base=base)
        canonical_url(url)
    except ValueError as error:
        raise Refusal("error.bad_redirect", f"{shown!r}: {error}") from error
    return url


def request_target(url: str) -> str:
    """Return the target of the request line for *url*; an empty query keeps its question mark.

    >>> request_target("http://example.org?"), request_target("http://example.org/a?b#c")
    ('/?', '/a?b')
    """
    target = re.split(r"(?=[/?#])", url.partition("://")[2], maxsplit=1)[1:]
    return "/" + "".join(target).partition("#")[0].removeprefix("/")


def _values(head: bytes, name: bytes) -> list[bytes]:
    """Return the values of the header *name*; a line that begins with a blank continues the one before."""
    lines: list[bytes] = []
    for line in head.split(b"\r\n")[1:]:
        if line[:1] in (b" ", b"\t") and lines:
            lines[-1] += b" " + line.strip()
        else:
            lines.append(line)
    fields = [line.partition(b":") for line in lines]
    return [value.strip() for key, _, value in fields if key.strip().lower() == name]


@lru_cache(maxsize=1024)
def _parts(url: str) -> tuple[str, str, str, str | None]:
    """Return scheme, host with port, path and query of an absolute address."""
    hit = _ABSOLUTE.match(url)
    if hit is None:
        raise ValueError(f"not a web address: {url[:200]!r}")
    return hit[1].lower(), _place(hit[1].lower(), hit[2]), hit[3] or "/", hit[4]


@lru_cache(maxsize=4096)
def _place(scheme: str, text: str) -> str:
    return authority(canonical_url(f"{scheme}://{text}/"))


def _path(path: str) -> str:
    segments: list[str] = []
    *parents, last = path.removeprefix("/").split("/")
    for segment in (*parents, last):
        match segment.lower().replace("%2e", "."):
            case "..":
                del segments[-1:]
            case ".":
                pass
            case _:
                segments.append(segment)
    if last.lower().replace("%2e", ".") in (".", ".."):
        segments.append("")
    return _ESCAPED_IN_PATH.sub(lambda hit: _percent(hit[0].encode("utf-8", "replace")), "/" + "/".join(segments))


def _query(query: str, encoding: str) -> str:
    codec = "utf-8" if encoding.startswith(("utf-16", "utf-32")) else encoding
    return _ESCAPED_IN_QUERY.sub(lambda hit: _in_codec(hit[0], codec), query)


def _in_codec(text: str, codec: str) -> str:
    """Escape *text* in its encoding; a character outside of the encoding is escaped as in HTML forms."""
    try:
        encoded = text.encode(codec)
    except UnicodeEncodeError:
        if len(text) > 1:
            return "".join(_in_codec(letter, codec) for letter in text)
        return f"%26%23{ord(text)}%3B"
    # The second byte in Japanese or Chinese encodings may be an ASCII letter, which is not escaped.
    escaped = ((byte, chr(byte)) for byte in encoded)
    return "".join(_percent(bytes([byte])) if _ESCAPED_IN_QUERY.match(letter) else letter for byte, letter in escaped)


def _percent(data: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in data)
