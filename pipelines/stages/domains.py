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
        encoded = urls.dictionary_encode()
        return pa.array([self._one(url) for url in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)

    def _domain(self, url: str) -> str | None:
        found = self._extract.extract_str(url)
        return found.top_domain_under_public_suffix or found.domain or None
