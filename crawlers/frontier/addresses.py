"""Decide which network addresses a crawl may connect to.

A link on a hostile page can point into the user's own network. Therefore the address is checked after the name was
resolved, and the connection uses the checked address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Final

from corpusmill.crawlers.frontier.refusal import Refusal

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Well-known prefix for translated IPv4 addresses (RFC 6052)."""


async def public_addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Resolve *host* and return the permitted addresses, in the order of the system.

    Raises:
        Refusal: ``error.dns``: the name has no address; ``address.private``: it has only private ones.
    """
    try:
        results = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refusal("error.dns", f"{host}: {error}", retry_after_s=1) from error
    addresses = list(dict.fromkeys(str(place[4][0]) for place in results))
    allowed = [address for address in addresses if allow_private or is_public(address)]
    if not allowed:
        raise Refusal("address.private", f"{host} is {', '.join(addresses)}")
    return allowed


def is_public(address: str) -> bool:
    """Return whether *address* is public, also if it is an IPv4 address embedded in IPv6.

    >>> [is_public(a) for a in ("9.9.9.9", "10.0.0.1", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1")]
    [True, False, False, False, False]
    """
    place = ipaddress.ip_address(address.partition("%")[0])
    inner = _embedded(place) if isinstance(place, ipaddress.IPv6Address) else None
    return all(each.is_global and not each.is_multicast for each in ((place,) if inner is None else (inner,)))


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that is embedded in *address*."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
