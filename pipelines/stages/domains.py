"""Registered domains of URLs."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import pyarrow as pa


class Domains:
    """Registered domains of URLs, by the list of public suffixes that tldextract ships; nothing is downloaded."""

    def __init__(self) -> None:
        self._one = lru_cache(maxsize=4096)(self._domain)

    @cached_property
    def _extract(self) -> Any:
        import tldextract  # with an HTTP client, which is not used

        return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    def of(self, urls: pa.Array) -> pa.Array:
        """Return the registered domain of each URL; for an address or a bare host, the host itself."""
        if urls.null_count == len(urls):
            return pa.nulls(len(urls), pa.string())
        hosts = pa.array([None if url is None else _authority(url) for url in urls.to_pylist()], pa.string())
        encoded = hosts.dictionary_encode()
        found = [self._one(host) for host in encoded.dictionary.to_pylist()]
        return pa.array(found, pa.string()).take(encoded.indices)

    def _domain(self, host: str) -> str | None:
        found = self._extract.extract_str(host)
        return found.top_domain_under_public_suffix or found.domain or None


def _authority(url: str) -> str:
    """Return what of *url* decides its domain: user, host and port, which many URLs share.

    >>> _authority("https://user@example.org:80/a?b#c"), _authority("https://example.org?q"), _authority("a/b.md")
    ('user@example.org:80', 'example.org', 'a/b.md')
    """
    _, separator, rest = url.partition("://")
    if not separator:
        return url
    end = min((at for mark in "/?#" if (at := rest.find(mark)) >= 0), default=len(rest))
    return rest[:end]
