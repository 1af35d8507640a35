"""The cookies that servers set, for crawls whose recipe has `cookies: true`.

Each host has a jar of its own, which lives as long as the process of the crawl: a cookie is only sent back to the host
that set it, whatever its `Domain` is.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from email.message import Message
from functools import cache
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit
from urllib.request import Request

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from publicsuffixlist import PublicSuffixList

MAX_COOKIES: Final = 50
"""Cookies of a host that are kept (RFC 6265 §6.1)."""
MAX_COOKIE_BYTES: Final = 4096
"""A longer `Set-Cookie` is ignored (RFC 6265 §6.1)."""
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NAME: Final = b"set-cookie:"


class CookieStore:
    """The jars of all hosts."""

    def __init__(self) -> None:
        self._jars: dict[str, CookieJar] = {}

    def header(self, url: str) -> str | None:
        """Return the `Cookie` header of a request for *url*; None if there is no cookie for it."""
        jar = self._jars.get(_host(url))
        if jar is None:
            return None
        request = Request(url)
        jar.add_cookie_header(request)
        return request.get_header("Cookie")

    def keep(self, url: str, head: Sequence[bytes]) -> None:
        """Keep the cookies that the lines *head* of the response from *url* set, if they are permitted."""
        lines = [line for line in head if line[: len(_NAME)].lower() == _NAME and _is_acceptable(line)]
        if not lines:
            return
        jar = self._jars.setdefault(_host(url), CookieJar(_Policy()))
        with warnings.catch_warnings(action="ignore"):  # the jar warns of values that it cannot parse
            jar.extract_cookies(cast("HTTPResponse", _Response(lines)), Request(url))
        for cookie in list(jar)[MAX_COOKIES:]:
            jar.clear(cookie.domain, cookie.path, cookie.name)


class _Policy(DefaultCookiePolicy):
    """Also refuses a `Domain` that is a public suffix, such as ``co.uk`` (RFC 6265 §5.3)."""

    def set_ok_domain(self, cookie: Cookie, request: Request) -> bool:
        """Return whether the domain of *cookie* is permitted."""
        is_public = cookie.domain_specified and _suffixes().privatesuffix(cookie.domain.lstrip(".")) is None
        return not is_public and super().set_ok_domain(cookie, request)


class _Response:
    """The part of a response that a jar reads."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._message = Message()
        for line in lines:
            self._message["Set-Cookie"] = line[len(_NAME) :].decode("latin-1").strip()

    def info(self) -> Message:
        return self._message


def _is_acceptable(line: bytes) -> bool:
    """Return whether *line* is short, and without control characters, which could end the header that sends it back."""
    return len(line) <= MAX_COOKIE_BYTES and _CONTROL.search(line) is None


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
