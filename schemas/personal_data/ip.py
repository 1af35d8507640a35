"""IP addresses on the public internet.

Addresses in private, loopback, link-local, documentation, multicast and reserved ranges of the IANA registries (RFC
6890 and its updates, as of 2026) are kept, because they identify nobody. The ranges are listed here because those of
Python's `ipaddress` changed between patch releases.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from corpusmill.schemas.personal_data.kinds import Kind
from corpusmill.schemas.personal_data.numbering import is_numbering

_V4: Final = r"(?<![0-9A-Za-z_.])\d{1,3}(?:\.\d{1,3}){3}(?![0-9A-Za-z_]|\.\d)"
_V6: Final = r"(?<![0-9A-Za-z_:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{1,34}(?<!:)(?![0-9A-Za-z_]|:[0-9A-Fa-f:])"
_PATTERN: Final = re.compile(f"{_V4}|{_V6}", re.ASCII)

_NOBODY: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4", "2001:2::/48", "2001:db8::/32", "3fff::/20"),
    )
)
"""Reserved ranges. The pattern matches only IPv6 addresses in 2000::/3, which has all assigned networks."""


def _is_personal(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return False
    if address.version == 4 and is_numbering(match.string, match.start(), match.end()):
        return False
    return not any(address in network for network in _NOBODY)


IP: Final = Kind("ip", r"\d\.\d{1,3}\.\d{1,3}\.\d|[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]", _PATTERN, _is_personal)
