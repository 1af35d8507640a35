"""Decide which network addresses a crawl may connect to.

A link on a hostile page can point into the user's own network. Therefore the address is checked after the name was
resolved, and the connection uses the checked address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

from corpusmill.crawlers.frontier.refusal import Refusal

Lookup: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Resolves a host name and port to addresses."""

_FORBIDDEN: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network (RFC 791)
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # shared by the customers of a provider (RFC 6598)
            "127.0.0.0/8",  # loopback (RFC 1122)
            "169.254.0.0/16",  # link-local, and the metadata services of clouds (RFC 3927)
            "172.16.0.0/12",  # private (RFC 1918)
            "192.0.0.0/24",  # protocol assignments (RFC 6890)
            "192.0.2.0/24",  # documentation (RFC 5737)
            "192.88.99.0/24",  # 6to4 relays (RFC 7526)
            "192.168.0.0/16",  # private (RFC 1918)
            "198.18.0.0/15",  # benchmarks (RFC 2544)
            "198.51.100.0/24",  # documentation (RFC 5737)
            "203.0.113.0/24",  # documentation (RFC 5737)
            "224.0.0.0/4",  # multicast (RFC 5771)
            "240.0.0.0/4",  # reserved, and broadcast (RFC 1112, RFC 919)
        ),
    )
)
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
"""The only part of IPv6 with public unicast addresses (IANA IPv6 address space)."""
_FORBIDDEN_V6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments; Teredo, which embeds addresses (RFC 2928, RFC 4380)
            "2001:db8::/32",  # documentation (RFC 3849)
            "3fff::/20",  # documentation (RFC 9637)
        ),
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Well-known prefix for translated IPv4 addresses (RFC 6052)."""
_NEVER: Final = tuple(
    map(ipaddress.ip_network, ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "fe80::/10", "ff00::/8"))
)
"""Not crawled with `allow_private` either: no web site has them, but the metadata services of clouds do."""


async def permitted_addresses(
    host: str, port: int, *, permits: Callable[[str], bool], lookup: Lookup | None = None
) -> list[str]:
    """Resolve *host* with *lookup* and return the addresses that *permits* accepts, in the same order.

    Raises:
        Refusal: ``error.dns``: the name has no address; ``address.private``: none of its addresses is permitted.
    """
    try:
        addresses = list(dict.fromkeys(await (lookup or system_addresses)(host, port)))
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Refusal("error.dns", f"{host}: {why or error}", retry_after_s=0) from error
    permitted = [address for address in addresses if permits(address)]
    if not permitted:
        is_name = addresses != [host.strip("[]")]
        why = f"has no public address, only {', '.join(addresses)}" if is_name else "is not a public address"
        raise Refusal("address.private", f"{host} {why}")
    return permitted


async def system_addresses(host: str, port: int) -> list[str]:
    """Resolve *host* with the resolver of the system."""
    results = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[4][0]) for place in results]


def permission(*, allow_private: bool) -> Callable[[str], bool]:
    """Return the function that decides whether a crawl may connect to an address."""
    return partial(is_permitted, allow_private=allow_private)


def is_permitted(address: str, *, allow_private: bool) -> bool:
    """Return whether a crawl may connect to *address*.

    >>> [is_permitted(address, allow_private=True) for address in ("10.0.0.1", "169.254.169.254")]
    [True, False]
    """
    return is_public(address) or (allow_private and not any(_inner(address) in network for network in _NEVER))


def is_public(address: str) -> bool:
    """Return whether *address* is public, also if it is an IPv4 address embedded in IPv6.

    >>> [is_public(a) for a in ("9.9.9.9", "10.0.0.1", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1")]
    [True, False, False, False, False]
    """
    place = _inner(address)
    if isinstance(place, ipaddress.IPv4Address):
        return not any(place in network for network in _FORBIDDEN)
    return place in _GLOBAL_V6 and not any(place in network for network in _FORBIDDEN_V6)


def _inner(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return *address*, or the IPv4 address that it embeds: mapped, NAT64 or 6to4."""
    place = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(place, ipaddress.IPv4Address):
        return place
    if place in _NAT64:
        return ipaddress.IPv4Address(int(place) & 0xFFFFFFFF)
    return place.ipv4_mapped or place.sixtofour or place
