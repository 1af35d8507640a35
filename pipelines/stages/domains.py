"""Registered domains of URLs."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_DOTS: Final = re.compile("[\u3002\uff0e\uff61]")
"""Characters that browsers treat as a full stop in a host name (UTS 46, section 4)."""


class Domains:
    """Registered domains of URLs, by the ICANN section of the public suffix list that publicsuffixlist ships."""

    def __init__(self) -> None:
        self._one = lru_cache(maxsize=4096)(self._domain)

    @cached_property
    def _suffixes(self) -> PublicSuffixList:
        from publicsuffixlist import PublicSuffixList

        return PublicSuffixList(only_icann=True)

    def of(self, urls: pa.Array) -> pa.Array:
        """Return the registered domain of each URL.

        For an IP address, a bare host or a suffix, return the host itself.
        """
        if urls.null_count == len(urls):
            return pa.nulls(len(urls), pa.string())
        authorities = pa.array([None if url is None else _authority(url) for url in urls.to_pylist()], pa.string())
        encoded = authorities.dictionary_encode()
        domains = [self._one(authority) for authority in encoded.dictionary.to_pylist()]
        return pa.array(domains, pa.string()).take(encoded.indices)

    def _domain(self, authority: str) -> str | None:
        host = _host(authority)
        if not host or _is_address(host):
            return host or None
        return self._suffixes.privatesuffix(host) or host


def _authority(url: str) -> str:
    """Return the user, host and port of *url*. Many URLs share them, and only the host decides the domain.

    >>> _authority("https://user@example.org:80/a?b#c"), _authority("https://example.org?q"), _authority("a/b.md")
    ('user@example.org:80', 'example.org', 'a')
    """
    start, separator, rest = url.partition("://")
    place = rest if separator else start
    end = min((at for mark in "/?#" if (at := place.find(mark)) >= 0), default=len(place))
    return place[:end]


def _host(authority: str) -> str:
    """Return the host of *authority* in lower case, with an IPv6 address in its brackets.

    >>> _host("user@WWW.Example.org.:80"), _host("[2001:DB8::1]:443")
    ('www.example.org', '[2001:db8::1]')
    """
    place = authority.rpartition("@")[2].strip()
    if place.startswith("["):
        return place.partition("]")[0].lower() + "]"
    return _DOTS.sub(".", place).partition(":")[0].strip(".").lower()


def _is_address(host: str) -> bool:
    if host.startswith("["):
        return True
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True
