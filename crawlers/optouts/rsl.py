"""Licenses in Really Simple Licensing (RSL): links to a document that says what may be done, often against payment.

Source: RSL 1.0, https://rslstandard.org/rsl. The document itself is not fetched, so a page with such a license is
reserved: see docs/decisions/0022-opt-outs.md.
"""

from __future__ import annotations

import re
from typing import Final

from corpusmill.schemas.optouts import Signal, shown

MEDIA_TYPE: Final = "application/rsl+xml"
_LINK: Final = re.compile(r'<([^<>]*+)>((?:\s*+;\s*+[a-z*]++\s*+(?:=\s*+(?:"[^"]*+"?|[^\s";,]*+))?+)*+)', re.IGNORECASE)
_PARAMETER: Final = re.compile(r';\s*+([a-z*]++)\s*+(?:=\s*+(?:"([^"]*+)"?|([^\s";,]*+)))?+', re.IGNORECASE)
_MAX_LINKS: Final = 100


def links(value: str) -> list[tuple[str, dict[str, str]]]:
    """Return the address and the parameters (names in lower case) of each link in a `Link` header (RFC 8288).

    >>> links('<https://a.example/l.xml>; rel="license"; type="application/rsl+xml"')
    [('https://a.example/l.xml', {'rel': 'license', 'type': 'application/rsl+xml'})]
    """
    hits = list(_LINK.finditer(value))[:_MAX_LINKS]
    return [
        (hit[1].strip(), {part[1].lower(): part[2] or part[3] or "" for part in _PARAMETER.finditer(hit[2])})
        for hit in hits
    ]


def header_licenses(values: list[str]) -> list[tuple[str, str]]:
    """Return the address and the media type, in lower case, of each license in the `Link` headers *values*."""
    return [
        (address, parameters.get("type", "").strip().lower())
        for value in values
        for address, parameters in links(value)
        if "license" in parameters.get("rel", "").lower().split()
    ]


def header_signals(values: list[str]) -> list[Signal]:
    """Return a signal for each license in RSL in the `Link` headers *values*."""
    found = (address for address, kind in header_licenses(values) if kind == MEDIA_TYPE)
    return [Signal("rsl", "header Link", shown(address)) for address in found]


def link_signals(attributes: dict[str, str]) -> list[Signal]:
    """Return a signal if the `<link>` or `<a>` with *attributes* names a license in RSL."""
    is_license = "license" in attributes.get("rel", "").lower().split()
    if not is_license or attributes.get("type", "").strip().lower() != MEDIA_TYPE:
        return []
    return [Signal("rsl", "link rel=license", shown(attributes.get("href", "")))]
